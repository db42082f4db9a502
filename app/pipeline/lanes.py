"""Lanes: work that follows a mark over a chunk's bytes, side by side with the other lanes of the same chunk."""

from __future__ import annotations

from s3duct.app.pipeline.batches import STEP_BYTES, Batches, Patience
from s3duct.app.pipeline.carried_lane import CarriedLane
from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.parallel import side_by_side
from s3duct.app.pipeline.workers import Workers
from s3duct.domain.digest import DualDigest
from s3duct.domain.ports.chunk_memory import Region
from s3duct.domain.ports.hasher import Hasher, HashLane
from s3duct.domain.sizes import KIB, MIB

# Long enough that handing it to a thread costs nothing beside the work, short enough that lanes overlap.
PIECE_BYTES = 4 * MIB
# As much of one chunk may be held for others: a second of work once it is wanted. A chunk of the default size is held whole,
# or its hashing would be half done, alone, when the next one comes.
_HELD_BYTES = 512 * MIB
# Up to here, handing work to a thread costs about as much as it gains to have two at work on one chunk.
_SMALL_BYTES = MIB
# Up to here, it takes longer than the work itself.
_TINY_BYTES = 16 * KIB


def is_small(size_bytes: int) -> bool:
    """Whether all that is to be done with a chunk's bytes is done by one call: lanes would cost more than they gain."""
    return size_bytes <= _SMALL_BYTES


def is_tiny(size_bytes: int) -> bool:
    """Whether a chunk's bytes are hashed sooner than they are handed to a thread."""
    return size_bytes <= _TINY_BYTES


class HashLanes:
    """Hashes chunks with both algorithms. Chunks that share one are hashed together where the hasher gains by it."""

    def __init__(self, hasher: Hasher, workers: Workers) -> None:
        """Take the hasher and the threads it runs on."""
        self._hasher = hasher
        self._workers = workers
        self._sha256 = Batches(hasher, workers, at_once=hasher.sha256_at_once)
        self._sha3_256 = Batches(hasher, workers, at_once=hasher.sha3_256_at_once)

    async def digest(
        self,
        region: Region,
        mark: Mark,
        *,
        start: int,
        patience: Patience | None = None,
        sha256: CarriedLane | None = None,
    ) -> DualDigest:
        """Hash the bytes from offset `start` to the mark's end, both algorithms side by side.

        What is small and complete already is not worth more than one call. With `patience`, what has come is held for that
        of other chunks until that is over, unless it is much. `sha256` is a lane that is carried; what is left of the bytes
        when it is let go of is hashed here.
        """
        if mark.complete and is_small(mark.position - start):
            view = region.view[start : mark.position]
            return (
                self.digest_now(view)
                if is_tiny(len(view))
                else await self._workers.run(self.digest_now, view)
            )
        digests = await side_by_side(
            self._rest_of(sha256, region, mark, patience)
            if sha256 is not None
            else _follow(self._hasher.sha256(), self._sha256, region, mark, start=start, patience=patience),
            _follow(self._hasher.sha3_256(), self._sha3_256, region, mark, start=start, patience=patience),
        )
        return DualDigest(*digests)

    def carried_sha256(self) -> CarriedLane:
        """Begin a SHA-256 for other work to take along, and `digest` to go on with."""
        return CarriedLane(self._hasher.sha256())

    async def sha256(self, region: Region, mark: Mark, *, start: int) -> bytes:
        """Hash the bytes from offset `start` to the mark's end with SHA-256 alone."""
        return await _follow(self._hasher.sha256(), self._sha256, region, mark, start=start)

    async def _rest_of(
        self, carried: CarriedLane, region: Region, mark: Mark, patience: Patience | None
    ) -> bytes:
        start = await carried.until_let_go()
        return await _follow(carried.lane, self._sha256, region, mark, start=start, patience=patience)

    def digest_now(self, view: memoryview) -> DualDigest:
        """Hash a whole buffer with both algorithms, on this thread."""
        sha256, sha3_256 = self._hasher.sha256(), self._hasher.sha3_256()
        sha256.update(view)
        sha3_256.update(view)
        return DualDigest(sha256=sha256.digest(), sha3_256=sha3_256.digest())


async def _follow(
    lane: HashLane,
    batches: Batches,
    region: Region,
    mark: Mark,
    *,
    start: int,
    patience: Patience | None = None,
) -> bytes:
    position = start
    with batches.taking_part():
        while (ready := await mark.reaches(position + STEP_BYTES)) > position:
            stop = min(ready, position + PIECE_BYTES)
            behind = ready - position
            piece = region.view[position:stop]
            if patience is not None and behind <= _HELD_BYTES:
                taken = await batches.update(lane, piece, patience=patience)
            else:
                keeps_up = not mark.complete and behind < 2 * PIECE_BYTES
                taken = await batches.update(lane, piece, patient=keeps_up)
            region.evict(position, position + taken)
            position += taken
    return lane.digest()
