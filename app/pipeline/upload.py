"""Uploads one chunk: sealed piece by piece while it is sent, from bytes that stay until the store has acknowledged them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from s3duct.app.pipeline.carried_lane import CarriedLane
from s3duct.app.pipeline.lanes import PIECE_BYTES, is_small
from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.plain_message import PlainMessage
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.sealed_message import SealedMessage
from s3duct.app.pipeline.workers import Workers
from s3duct.domain.chunk import part_size_for
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import StoreError, StoreUnavailable
from s3duct.domain.ports.chunk_memory import ChunkMemory, Region
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.hasher import Hasher
from s3duct.domain.ports.object_store import PARTS_IN_FLIGHT, Bytes, ObjectStore, StoredObject

# How long an upload that is no longer wanted may take to tell the store so.
_ABANDON_GRACE_S = 5.0


class UploadedChunk(NamedTuple):
    """A chunk's object as the store acknowledged it. `sealed_*` are None for plain chunks."""

    etag: str
    sealed_size_bytes: int | None
    sealed_sha256: bytes | None


class ChunkUploader:
    """Uploads chunks of one stream."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        prefix: str,
        cipher: Cipher,
        hasher: Hasher,
        memory: ChunkMemory,
        workers: Workers,
        retrier: Retrier,
        storage_class: str | None,
        chunk_size_bytes: int,
    ) -> None:
        """Take what every chunk needs; `prefix` stands in front of the chunks' keys."""
        self._store = store
        self._prefix = prefix
        self._cipher = cipher
        self._hasher = hasher
        self._memory = memory
        self._workers = workers
        self._retrier = retrier
        self._storage_class = storage_class
        self._sealed_chunk_bytes = cipher.sealed_size_bytes(chunk_size_bytes)
        self._part_bytes = part_size_for(self._sealed_chunk_bytes)
        self._failed_attempts = 0

    @property
    def encrypts(self) -> bool:
        """Whether chunks are sealed."""
        return self._cipher.method is not EncryptionMethod.NONE

    @property
    def overhead_bytes(self) -> int:
        """Memory that one upload takes beside the chunk's buffer: sealed parts on their way, and the one being filled."""
        if not self.encrypts:
            return 0
        if self._sealed_chunk_bytes <= self._part_bytes:
            return self._sealed_chunk_bytes
        return (PARTS_IN_FLIGHT + 1) * self._part_bytes + PIECE_BYTES

    @property
    def has_failed(self) -> bool:
        """Whether an upload in parts has failed: the store aborts it then, unless that fails as well."""
        return self._failed_attempts > 0

    async def upload(
        self, key: str, region: Region, mark: Mark, carried: CarriedLane | None = None
    ) -> UploadedChunk:
        """Upload the bytes under `mark`, from offset 0 to its end, as the object of relative key `key`.

        May begin before the chunk is complete. Tried again from the start for as long as the retry policy says. The first
        attempt takes `carried` along. Cancelling it aborts the upload within a few seconds.
        """
        return await self._retrier.run(
            f"upload of {key}",
            lambda: self._attempt(self._prefix + key, region, mark, carried),
            arriving=mark,
        )

    async def _attempt(
        self, key: str, region: Region, mark: Mark, carried: CarriedLane | None
    ) -> UploadedChunk:
        try:
            if not self.encrypts:
                return await self._attempt_plain(key, region, mark)
            if mark.complete and is_small(mark.position) and self._is_one_part(mark.position):
                return await self._attempt_at_once(key, region.view[: mark.position])
            return await self._attempt_sealed(key, region, mark, carried)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StoreError(f"the store gave up the upload of {key!r}, unasked") from None
        finally:
            if carried is not None:
                carried.let_go()

    def _is_one_part(self, plain_bytes: int) -> bool:
        """Whether one request is enough. What is sealed may be shorter than planned, never longer."""
        return self._cipher.sealed_size_bytes(plain_bytes) <= self._part_bytes

    async def _attempt_plain(self, key: str, region: Region, mark: Mark) -> UploadedChunk:
        message = PlainMessage(region, mark)
        if self._is_one_part(await mark.reaches(self._part_bytes + 1)):
            stored = await self._put(key, message.whole())
        else:
            stored = await self._put_parts(key, message.pieces(), abandon=message.abandon)
        return self._as_given(stored, message.size_bytes, None)

    async def _attempt_at_once(self, key: str, plain: memoryview) -> UploadedChunk:
        """Seal what is small by one call, and send it."""
        sealed, sha256 = await self._workers.run(self._seal, plain)
        return self._as_given(await self._put(key, sealed), len(sealed), sha256)

    async def _attempt_sealed(
        self, key: str, region: Region, mark: Mark, carried: CarriedLane | None
    ) -> UploadedChunk:
        message = SealedMessage(
            region=region,
            mark=mark,
            sealer=await self._workers.run(self._cipher.sealer),  # a plugin may have to wait for a human
            hasher=self._hasher,
            memory=self._memory,
            workers=self._workers,
            carried=carried,
        )
        filled = await mark.reaches(self._part_bytes + 1)
        # The mark is complete if it did not get beyond one part.
        if self._is_one_part(filled):
            stored = await self._put(key, await message.whole(self._cipher.sealed_size_bytes(filled)))
        else:
            stored = await self._put_parts(key, message.pieces(), abandon=message.abandon)
        return self._as_given(stored, message.size_bytes, message.sha256())

    async def _put(self, key: str, data: Bytes) -> StoredObject:
        return await self._store.put(key, data, storage_class=self._storage_class)

    def _seal(self, plain: memoryview) -> tuple[Bytes, bytes]:
        sealer, lane = self._cipher.sealer(), self._hasher.sha256()
        sealed = b"".join((sealer.update(plain), sealer.finish()))
        lane.update(memoryview(sealed))
        return sealed, lane.digest()

    def _as_given(self, stored: StoredObject, given: int | None, sha256: bytes | None) -> UploadedChunk:
        if stored.size_bytes != given:
            raise StoreUnavailable(
                f"the store took {stored.size_bytes} bytes of {stored.key!r} instead of {given or 'all'}"
            )
        return UploadedChunk(
            etag=stored.etag,
            sealed_size_bytes=stored.size_bytes if self.encrypts else None,
            sealed_sha256=sha256,
        )

    async def _put_parts(
        self, key: str, parts: AsyncIterator[Bytes], *, abandon: Callable[[], None]
    ) -> StoredObject:
        task = asyncio.ensure_future(
            self._store.put_parts(key, parts, part_bytes=self._part_bytes, storage_class=self._storage_class)
        )
        try:
            return await asyncio.shield(task)
        except Exception:
            self._failed_attempts += 1
            raise
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            # A cancelled multipart upload would leave its parts in the bucket; one whose body fails is aborted.
            abandon()
            await asyncio.wait({task}, timeout=_ABANDON_GRACE_S)
            if not task.cancel() and not task.cancelled():
                task.exception()  # seen: it need not be reported
            raise
