"""Downloads one chunk into its buffer, opens it in place, and verifies it whole before anybody may use it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from s3duct.app.pipeline.lanes import PIECE_BYTES, HashLanes, is_small
from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.parallel import side_by_side
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.workers import Workers
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.digest import DualDigest
from s3duct.domain.errors import (
    ChunkDamaged,
    ChunkMissing,
    CiphertextDamaged,
    DecryptionFailed,
    ObjectNotFound,
    WrongKey,
)
from s3duct.domain.manifest import Manifest
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.chunk_memory import Region
from s3duct.domain.ports.cipher import Cipher, Opener
from s3duct.domain.ports.hasher import Hasher
from s3duct.domain.ports.object_store import Bytes, ObjectStore

_REST_IS_LOST = "what was written before it is verified; the rest of the stream cannot be restored"


@dataclass(frozen=True, slots=True)
class Span:
    """Verified plain (or, in raw mode, sealed) bytes: `region.view[start:stop]`."""

    start: int
    stop: int


class ChunkDownloader:
    """Downloads and verifies chunks of one stream.

    With a cipher, the plain bytes are verified: authentication tag, size, both digests. Without one (raw mode, or verify
    without a key), the sealed bytes are verified against what the manifest says of them.
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        location: StreamLocation,
        manifest: Manifest,
        cipher: Cipher | None,
        hasher: Hasher,
        workers: Workers,
        retrier: Retrier,
        memory_bytes: int,
    ) -> None:
        """Take what every chunk needs; `memory_bytes` is what chunks in flight may take of memory."""
        self._store = store
        self._location = location
        self._manifest = manifest
        self._cipher = cipher
        self._lanes = HashLanes(hasher, workers)
        self._workers = workers
        self._retrier = retrier
        self._memory_bytes = memory_bytes

    async def stored_size_bytes(self, record: ChunkRecord) -> int:
        """Size of a chunk's object: from the manifest, or from the store where the manifest does not say.

        A manifest can claim anything: the store is asked as well before so much is set aside that memory does not hold it.

        Raises: as `fetch`.
        """
        known = self._manifest.stored_size_bytes(record)
        if known is not None and known <= self._memory_bytes:
            return known
        key = self._location.full_key(record.key)
        try:
            found = await self._retrier.run(f"look-up of {record.key}", lambda: self._store.head(key))
        except ObjectNotFound as error:
            raise _missing(record) from error
        if not found.size_bytes:
            raise _damaged(record, "its object is empty")
        if known is not None and found.size_bytes != known:
            raise _damaged(record, f"its object has {found.size_bytes} bytes instead of {known}")
        return found.size_bytes

    async def fetch(self, record: ChunkRecord, region: Region, stored_bytes: int) -> Span:
        """Fetch the chunk of `record`, `stored_bytes` long in the store, into `region`; return where its bytes are.

        Raises:
            ChunkMissing: the object is not there.
            ChunkDamaged: it is not what was stored, twice.
            WrongKey: it is what was stored, but the key does not open it.
            StoreError, AccessDenied: as the store says, after retries.
        """
        try:
            return await self._try(record, region, stored_bytes, careful=False)
        except ChunkDamaged:
            # What arrives damaged once may have been damaged on the way; once more, with a closer look.
            return await self._try(record, region, stored_bytes, careful=True)

    async def _try(self, record: ChunkRecord, region: Region, stored_bytes: int, *, careful: bool) -> Span:
        attempt = self._attempt_carefully if careful else self._attempt
        try:
            return await self._retrier.run(
                f"download of {record.key}", lambda: attempt(record, region, stored_bytes)
            )
        except ObjectNotFound as error:
            raise _missing(record) from error

    async def _attempt(self, record: ChunkRecord, region: Region, stored_bytes: int) -> Span:
        """Receive, open and hash side by side; what is small one after another."""
        arrived = Mark()
        if self._cipher is not None and is_small(stored_bytes):
            opener = self._cipher.opener()
            await self._receive(record, region, arrived, stored_bytes)
            return await self._open_at_once(record, region, stored_bytes, opener)
        check = (
            self._check_sealed(record, region, arrived)
            if self._cipher is None
            else self._check_plain(record, region, arrived, self._cipher.opener())
        )
        try:
            _, span = await side_by_side(self._receive(record, region, arrived, stored_bytes), check)
        except DecryptionFailed as error:
            raise _damaged(record, f"it cannot be decrypted: {error.message}") from error
        return span

    async def _attempt_carefully(self, record: ChunkRecord, region: Region, stored_bytes: int) -> Span:
        """Receive and compare the sealed bytes first: then a failure to open them tells a wrong key from damage."""
        arrived = Mark()
        _, span = await side_by_side(
            self._receive(record, region, arrived, stored_bytes), self._check_sealed(record, region, arrived)
        )
        if self._cipher is None:
            return span
        try:
            return await self._check_plain(record, region, arrived, self._cipher.opener())
        except CiphertextDamaged as error:
            raise _damaged(record, f"it cannot be decrypted: {error.message}") from error
        except DecryptionFailed as error:
            if record.sealed_sha256 is None and not isinstance(error, WrongKey):
                raise _damaged(
                    record, "it cannot be decrypted: the key is wrong, or it is damaged"
                ) from error
            raise WrongKey(
                f"the key does not open chunk {record.index}, whose sealed bytes are as they were stored",
                hint="it was put with another key",
            ) from error

    async def _receive(self, record: ChunkRecord, region: Region, arrived: Mark, stored_bytes: int) -> None:
        """Drain the object into the buffer at the network's speed."""
        position = 0
        pieces = self._store.get(self._location.full_key(record.key))
        async with aclosing(cast("AsyncGenerator[Bytes, None]", pieces)):
            async for piece in pieces:
                stop = position + len(piece)
                if stop > stored_bytes:
                    raise _damaged(record, f"its object is longer than {stored_bytes} bytes")
                region.view[position:stop] = piece
                position = stop
                arrived.advance_to(stop)
        if position != stored_bytes:
            raise _damaged(record, f"its object has {position} bytes instead of {stored_bytes}")
        arrived.finish()

    async def _check_plain(self, record: ChunkRecord, region: Region, arrived: Mark, opener: Opener) -> Span:
        """Open and hash side by side; compare size and both digests."""
        plain = Mark(opener.start)
        stop, digest = await side_by_side(
            self._open(record, region, arrived, plain, opener),
            self._lanes.digest(region, plain, start=opener.start),
        )
        return _verified(record, Span(opener.start, stop), digest)

    async def _open_at_once(
        self, record: ChunkRecord, region: Region, stored_bytes: int, opener: Opener
    ) -> Span:
        """Open and hash by one call."""

        def open_now() -> tuple[Span, DualDigest]:
            span = Span(opener.start, opener.finish(region.view, stored_bytes))
            return span, self._lanes.digest_now(region.view[span.start : span.stop])

        try:
            span, digest = await self._workers.run(open_now)
        except DecryptionFailed as error:
            raise _damaged(record, f"it cannot be decrypted: {error.message}") from error
        return _verified(record, span, digest)

    async def _open(
        self, record: ChunkRecord, region: Region, arrived: Mark, plain: Mark, opener: Opener
    ) -> int:
        """Open piece after piece as sealed bytes arrive. Hash lanes may run ahead of the tag: nobody else may."""
        position = 0
        while (ready := await arrived.reaches(position + PIECE_BYTES)) > position:
            position = min(ready, position + PIECE_BYTES)
            plain.advance_to(await self._workers.run(opener.advance, region.view, position))
        stop = await self._workers.run(opener.finish, region.view, position)
        plain.advance_to(stop)
        plain.finish()
        return stop

    async def _check_sealed(self, record: ChunkRecord, region: Region, arrived: Mark) -> Span:
        digest = await self._lanes.sha256(region, arrived, start=0)
        if record.sealed_sha256 is not None and digest != record.sealed_sha256:
            raise _damaged(record, "the digest of its sealed bytes does not match")
        return Span(0, arrived.position)


def _verified(record: ChunkRecord, span: Span, digest: DualDigest) -> Span:
    size_bytes = span.stop - span.start
    if size_bytes != record.size_bytes:
        raise _damaged(record, f"it holds {size_bytes} bytes instead of {record.size_bytes}")
    if digest != record.digest:
        raise _damaged(record, "its digest does not match")
    return span


def _missing(record: ChunkRecord) -> ChunkMissing:
    return ChunkMissing(
        f"chunk {record.index} is missing: there is no object {record.key!r}", hint=_REST_IS_LOST
    )


def _damaged(record: ChunkRecord, reason: str) -> ChunkDamaged:
    return ChunkDamaged(
        f"chunk {record.index} ({record.key!r}) is damaged: {reason}",
        hint=_REST_IS_LOST,
    )
