"""Aborts the multipart uploads that dead runs of a stream began and never ended (ADR 0018)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import cast

from s3duct.app.pipeline.retrying import Retrier
from s3duct.domain.chunk import place_of_chunk
from s3duct.domain.errors import AccessDenied, OperationUnsupported, S3ductError
from s3duct.domain.events import Detail, Listener, Notice
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.multipart_uploads import IncompleteUpload, MultipartUploads
from s3duct.domain.retry import RetryPolicy

# Nobody waits long for a clean-up, least of all the producer.
_MAX_RETRIES = 2
_BUDGET_S = 60.0


class UploadCleaner:
    """Finds and aborts uploads of chunks of one stream. Nothing that goes wrong here fails a put: it is said.

    It cannot tell an upload of a dead process from one that is under way. So `find` is called while this run uploads
    nothing, and `abort` is given exactly what that has found.
    """

    def __init__(
        self,
        uploads: MultipartUploads | None,
        *,
        location: StreamLocation,
        retrier: Retrier,
        listener: Listener,
    ) -> None:
        """Take what cleaning up needs."""
        self._uploads = uploads
        self._location = location
        self._retrier = retrier.sibling(_limited)
        self._listener = listener

    async def find(self, generations: Collection[str]) -> list[IncompleteUpload]:
        """Return the uploads of chunks of this stream under keys of those generations (empty: the plain keys)."""
        if self._uploads is None or not generations:
            return []
        look = partial(self._find, self._uploads, frozenset(generations))
        try:
            return await self._retrier.run("look-up of incomplete uploads", look)
        except (OperationUnsupported, AccessDenied) as error:
            self._listener(
                Detail(f"incomplete uploads of earlier runs cannot be looked for here: {error.message}")
            )
        except S3ductError as error:
            self._listener(
                Notice(f"incomplete uploads of earlier runs could not be looked for: {error.message}")
            )
        return []

    async def abort(self, found: Iterable[IncompleteUpload]) -> None:
        """Abort them. The first one that cannot be aborted is said, and ends it."""
        uploads, aborted = self._uploads, 0
        if uploads is None:
            return
        for upload in found:
            try:
                await self._retrier.run("abort of an incomplete upload", partial(uploads.abort, upload))
            except S3ductError as error:
                self._listener(
                    Notice(
                        "incomplete uploads of earlier runs could not be aborted and are left in the bucket: "
                        f"{error.message}"
                    )
                )
                return
            aborted += 1
        if aborted:
            self._listener(Detail(f"incomplete uploads of earlier runs, aborted: {aborted}"))

    async def _find(self, uploads: MultipartUploads, generations: frozenset[str]) -> list[IncompleteUpload]:
        listing = uploads.incomplete(self._location.folder)
        async with aclosing(cast("AsyncGenerator[IncompleteUpload, None]", listing)):
            return [upload async for upload in listing if self._is_of(upload.key, generations)]

    def _is_of(self, key: str, generations: frozenset[str]) -> bool:
        place = place_of_chunk(key.removeprefix(self._location.prefix), name=self._location.name)
        return place is not None and place[0] in generations


def _limited(policy: RetryPolicy) -> RetryPolicy:
    tries = _MAX_RETRIES if policy.max_retries is None else min(policy.max_retries, _MAX_RETRIES)
    return replace(policy, max_retries=tries, budget_s=min(policy.budget_s, _BUDGET_S))
