"""Chunk memory that makes misuse visible, and runs out when it is told to."""

from __future__ import annotations

from s3duct.domain.errors import LocalResourceError
from s3duct.domain.ports.chunk_memory import Placement, Region
from tests.fakes.chunk_memory import FakeChunkMemory, FakeRegion

_POISON = 0xDD


class StrictRegion(FakeRegion):
    """Wiped when it is released: whoever still reads it gets bytes that match no digest."""

    _wiped = False

    def release(self) -> None:
        """Wipe, then give back."""
        if not self._wiped:
            self._wiped = True
            self.view[:] = bytes([_POISON]) * len(self.view)
        super().release()


class StrictChunkMemory(FakeChunkMemory):
    """Counts allocations (`allocated`), remembers the most regions that were out at once (`peak`).

    The allocations numbered (from 1) in `refused` fail, as on a full disk.
    """

    def __init__(self, *, refused: frozenset[int] = frozenset()) -> None:
        """Begin with nothing out."""
        super().__init__()
        self.allocated = 0
        self.peak = 0
        self._refused = refused

    def allocate(self, size_bytes: int, placement: Placement) -> Region:
        """Return a region, or refuse."""
        self.allocated += 1
        if self.allocated in self._refused:
            raise LocalResourceError(f"no space left for {size_bytes} bytes")
        region = StrictRegion(size_bytes, placement, self)
        self.out.add(region)
        self.peak = max(self.peak, len(self.out))
        return region
