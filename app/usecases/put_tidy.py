"""What a put removes once its manifest is visible: chunks that nothing names any more, and uploads that nobody ends.

If in doubt, it stays and that is said. Nothing goes while another put holds the claim, or where another manifest than this
run's is in place, and never a key that this run's manifest names.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import partial
from typing import cast

from s3duct.app.pipeline.manifest_io import read_manifest
from s3duct.app.pipeline.parallel import for_each
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.run_journal import RunJournal
from s3duct.app.usecases.put_start import PutStart
from s3duct.app.usecases.put_uploads import UploadCleaner
from s3duct.domain.errors import IntegrityError, NotFound, S3ductError
from s3duct.domain.events import Listener, Notice
from s3duct.domain.manifest import Manifest
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.object_store import ObjectStore, StoredObject
from s3duct.domain.strays import ChunkRange

_AT_ONCE = 16


class PutTidier:
    """Removes what one put has made superfluous. What cannot be removed is said, and stays."""

    def __init__(
        self,
        *,
        location: StreamLocation,
        store: ObjectStore,
        journal: RunJournal,
        uploads: UploadCleaner,
        retrier: Retrier,
        listener: Listener,
    ) -> None:
        """Take what tidying up needs."""
        self._location = location
        self._store = store
        self._journal = journal
        self._uploads = uploads
        self._retrier = retrier
        self._listener = listener

    async def tidy_up(
        self,
        start: PutStart,
        manifest: Manifest,
        manifest_sha256: str,
        *,
        given_up_keys: frozenset[str],
        may_have_left_uploads_in: frozenset[str],
    ) -> None:
        """Remove what `manifest`, which is visible, makes superfluous.

        Args:
            start: how the put began.
            manifest: the stream as it is now.
            manifest_sha256: (hex) of the manifest's object.
            given_up_keys: relative keys of chunks that were on record and hold another input.
            may_have_left_uploads_in: generations of keys whose uploads have failed, and may not have been aborted.
        """
        current = {record.key for record in manifest.chunks}
        superfluous = (start.superseded_keys | start.plan.keys | given_up_keys) - current
        strays = await self._find_strays(start.strays) - current
        if superfluous or strays or may_have_left_uploads_in:
            if not await self._journal.may_tidy_up():
                return
            if strays and await self._is_in_place(manifest_sha256):
                superfluous |= strays
            await self._remove(superfluous)
            if may_have_left_uploads_in:  # none of this run's is under way any more
                await self._uploads.abort(await self._uploads.find(may_have_left_uploads_in))
        if start.unreadable_old:
            self._listener(
                Notice("the replaced stream cannot be read with this key: its chunks are left in the bucket")
            )

    async def _find_strays(self, ranges: Iterable[ChunkRange]) -> set[str]:
        """Return the relative keys in `ranges` that are in the bucket."""
        found: set[str] = set()
        for one in ranges:
            try:
                found |= await self._retrier.run("look-up of old chunks", partial(self._find_range, one))
            except S3ductError as error:
                self._listener(
                    Notice(f"old chunks could not be looked for and are left in the bucket: {error.message}")
                )
        return found

    async def _find_range(self, one: ChunkRange) -> set[str]:
        name = self._location.name
        folder = self._location.full_key(one.folder(name))
        first = folder + "chunk-"
        found: set[str] = set()
        listing = self._store.list(folder, start_after=first)
        async with aclosing(cast("AsyncGenerator[StoredObject, None]", listing)):
            async for entry in listing:
                if not entry.key.startswith(first):
                    break  # streams below this one begin here, and there may be many
                key = entry.key.removeprefix(self._location.prefix)
                if one.covers(key, name=name):
                    found.add(key)
        return found

    async def _is_in_place(self, manifest_sha256: str) -> bool:
        """Whether the manifest is still this run's: programs that know of no claims may have put over it."""
        read = partial(read_manifest, self._store, self._location)
        try:
            if (await self._retrier.run("look-up of the manifest", read)).sha256 == manifest_sha256:
                return True
            reason = "another manifest has taken its place"
        except (IntegrityError, NotFound):
            reason = "another manifest has taken its place"
        except S3ductError as error:
            reason = error.message
        self._listener(Notice(f"old chunks are left in the bucket: {reason}"))
        return False

    async def _remove(self, keys: Iterable[str]) -> None:
        """Remove some at once, and look at the claim before the next ones: another put may carry on what is left."""
        waiting = sorted(keys)
        while waiting:
            together, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            try:
                await for_each(together, self._remove_one, at_once=_AT_ONCE)
            except S3ductError as error:
                self._listener(
                    Notice(f"old chunks could not be removed and are left in the bucket: {error.message}")
                )
                return
            if waiting and not await self._journal.may_tidy_up():
                return

    async def _remove_one(self, key: str) -> None:
        await self._retrier.run(
            "removal of an old chunk", partial(self._store.delete, self._location.full_key(key))
        )
