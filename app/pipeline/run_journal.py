"""The journal of one run, in two copies: on this machine's disk, and in the bucket."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from s3duct.app.pipeline.async_journal import AsyncJournal
from s3duct.app.pipeline.bucket_journal import BucketJournal
from s3duct.domain.errors import S3ductError
from s3duct.domain.events import Listener, Notice
from s3duct.domain.resume import ManifestRecord, ResumeRecord

# Somebody may be waiting for the process to end.
_LET_GO_WITHIN_S = 3.0


class RunJournal:
    """Both copies. The one on the disk is written first, so it never knows less than the other."""

    def __init__(self, local: AsyncJournal, bucket: BucketJournal, listener: Listener) -> None:
        """Take both; closing the local one is left to who opened it."""
        self._local = local
        self._bucket = bucket
        self._listener = listener

    async def append(self, record: ResumeRecord | ManifestRecord) -> None:
        """Add a record: durable on the disk and acknowledged by the bucket when it returns."""
        await self._local.append(record)
        await self._bucket.append(record)

    async def failed(self) -> None:
        """Wait until the bucket's copy fails for good, and raise why: the claim may be lost while no chunk ends."""
        await self._bucket.failed()

    async def check_claim(self) -> None:
        """Check that the name is still claimed by this run.

        Raises:
            RunInProgress: another run has taken over the name.
        """
        await self._bucket.check_claim()

    async def may_tidy_up(self) -> bool:
        """Whether the name is still claimed by this run, so that what it made superfluous may go; says so if not."""
        try:
            is_ours = await self._bucket.is_ours()
        except S3ductError as error:
            self._listener(Notice(f"what was replaced is left in the bucket: {error.message}"))
            return False
        if not is_ours:
            self._listener(
                Notice("another put has taken over the name: what was replaced is left in the bucket")
            )
        return is_ours

    async def discard(self) -> None:
        """Remove both: the run has ended.

        What cannot be removed from the bucket is said, and stays; then the local copy stays too, by which the next put of
        that name knows that it is over.
        """
        try:
            if await self._bucket.is_ours():
                await self._bucket.remove()
        except S3ductError as error:
            self._listener(
                Notice(
                    f"the bucket's journal could not be removed; the next put of that name does it: {error.message}"
                )
            )
            return
        await self._local.discard()

    async def let_go(self) -> None:
        """Say in the bucket that the run has stopped. Should that fail, others wait until the claim is stale."""
        with suppress(S3ductError, TimeoutError):
            async with asyncio.timeout(_LET_GO_WITHIN_S):
                await self._bucket.release()

    async def close(self) -> None:
        """Stop writing to the bucket; both stay."""
        await self._bucket.close()
