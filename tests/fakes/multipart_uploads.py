"""Incomplete uploads that a test has left, told to the hooks of the store that they are in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from s3duct.domain.ports.multipart_uploads import IncompleteUpload, MultipartUploads
from tests.fakes.hooked_store import HookedStore, Phase


class FakeMultipartUploads(MultipartUploads):
    """`left` are the uploads of the bucket, which several stores may share. Operations are `uploads` and `abort`."""

    def __init__(self, store: HookedStore, left: list[IncompleteUpload] | None = None) -> None:
        """Begin with none, or with those of another one."""
        self.left = [] if left is None else left
        self._store = store

    def leave(self, *keys: str) -> None:
        """Let a process die in the middle of an upload of each key."""
        for key in keys:
            self.left.append(IncompleteUpload(key, f"upload-{len(self.left)}"))

    async def incomplete(self, prefix: str) -> AsyncIterator[IncompleteUpload]:
        """The middle is after the first one."""
        operation = self._store.begun("uploads", prefix)
        await self._store.tell(operation, Phase.BEFORE)
        for number, upload in enumerate([upload for upload in self.left if upload.key.startswith(prefix)]):
            yield upload
            if number == 0:
                await self._store.tell(operation, Phase.MIDWAY)
        await self._store.tell(operation, Phase.AFTER)

    async def abort(self, upload: IncompleteUpload) -> None:
        """Forget one."""
        operation = self._store.begun("abort", upload.key)
        await self._store.tell(operation, Phase.BEFORE)
        if upload in self.left:
            self.left.remove(upload)
        await self._store.tell(operation, Phase.AFTER)
