"""The sealed form of one chunk, made piece by piece while the chunk is still being read and the pieces before are sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

from s3duct.app.pipeline.carried_lane import CarriedLane
from s3duct.app.pipeline.lanes import PIECE_BYTES
from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.workers import Workers
from s3duct.domain.ports.chunk_memory import ChunkMemory, Region
from s3duct.domain.ports.cipher import Sealer
from s3duct.domain.ports.hasher import Hasher
from s3duct.domain.sizes import KIB

# Plain and sealed bytes are hashed while the processor's cache still holds them: that is 1.7 times as fast.
_STEP_BYTES = 256 * KIB


class UploadAbandoned(Exception):
    """Thrown into an upload whose chunk is no longer wanted, so that the store aborts it and keeps nothing."""


class SealedMessage:
    """One attempt at sealing a chunk. Its pieces lie in buffers that come back when the store has let go of them."""

    def __init__(
        self,
        *,
        region: Region,
        mark: Mark,
        sealer: Sealer,
        hasher: Hasher,
        memory: ChunkMemory,
        workers: Workers,
        carried: CarriedLane | None = None,
    ) -> None:
        """Take the bytes under `mark`, and what seals them; the lane that is carried takes in the plain ones."""
        self._region = region
        self._mark = mark
        self._sealer = sealer
        self._hasher = hasher
        self._lane = hasher.sha256()
        self._carried = carried
        self._memory = memory
        self._workers = workers
        self._given_bytes = 0
        self._is_given = False

    async def pieces(self) -> AsyncIterator[memoryview]:
        """Seal piece after piece as the mark moves."""
        position = 0
        while (ready := await self._mark.beyond(position)) > position:
            stop = min(ready, position + PIECE_BYTES)
            # A part of what comes in drops has thousands of pieces, and each lent buffer takes whole pages.
            is_drop = stop - position <= _STEP_BYTES
            room = None if is_drop else self._memory.lend(self._sealer.room_bytes(stop - position))
            sealed = await self._sealed(position, stop, room)
            position = stop
            if sealed:
                yield sealed
        if last := self._last():
            yield last

    async def whole(self, room_bytes: int) -> memoryview:
        """Seal a complete chunk into one buffer of that size."""
        room = self._memory.lend(room_bytes)
        for start in range(0, self._mark.position, PIECE_BYTES):
            stop = min(start + PIECE_BYTES, self._mark.position)
            await self._sealed(start, stop, room[self._given_bytes :])
        start, last = self._given_bytes, self._last()
        room[start : self._given_bytes] = last
        return room[: self._given_bytes]

    @property
    def size_bytes(self) -> int | None:
        """Size of the sealed bytes, once all were given out; None before."""
        return self._given_bytes if self._is_given else None

    def sha256(self) -> bytes:
        """Digest of the sealed bytes, once all were given out."""
        return self._lane.digest()

    def abandon(self) -> None:
        """Make the pieces fail from now on."""
        self._mark.fail(UploadAbandoned())

    async def _sealed(self, start: int, stop: int, room: memoryview | None) -> memoryview:
        plain = self._region.view[start:stop]
        carried = self._carried if self._carried is not None and self._carried.begin(start) else None
        try:
            sealed = await self._workers.run(self._seal, plain, room, carried)
        finally:
            if carried is not None:
                carried.end()
        self._region.evict(start, stop)
        self._given_bytes += len(sealed)
        return sealed

    def _seal(self, plain: memoryview, room: memoryview | None, carried: CarriedLane | None) -> memoryview:
        if room is None:
            sealed = memoryview(self._sealer.update(plain))
            self._hash(plain, sealed, carried)
            return sealed
        size = 0
        for start in range(0, len(plain), _STEP_BYTES):
            step = plain[start : start + _STEP_BYTES]
            sealed = memoryview(self._sealer.update(step, room[size:]))
            self._hash(step, sealed, carried)
            size += len(sealed)
        return room[:size]

    def _hash(self, plain: memoryview, sealed: memoryview, carried: CarriedLane | None) -> None:
        if carried is None:
            self._lane.update(sealed)
        else:
            self._hasher.update_together((carried.lane, self._lane), (plain, sealed))
            carried.position += len(plain)

    def _last(self) -> memoryview:
        sealed = memoryview(self._sealer.finish())
        self._lane.update(sealed)
        self._given_bytes += len(sealed)
        self._is_given = True
        if self._carried is not None:
            self._carried.let_go()  # before all is sent: chunks behind this one are not recorded without its digest
        return sealed
