"""Regions over bytearrays, with a count of what is out and a switch for running out."""

from __future__ import annotations

from s3duct.domain.errors import LocalResourceError
from s3duct.domain.ports.chunk_memory import ChunkMemory, Placement, Region


class FakeRegion(Region):
    """A bytearray that knows where it pretends to lie."""

    def __init__(self, size_bytes: int, placement: Placement, home: FakeChunkMemory) -> None:
        """Use `FakeChunkMemory.allocate`."""
        self._placement = placement
        self._view = memoryview(bytearray(size_bytes))
        self._home = home

    @property
    def placement(self) -> Placement:
        """As asked for."""
        return self._placement

    @property
    def view(self) -> memoryview:
        """All of it."""
        return self._view

    def evict(self, start: int, stop: int) -> None:
        """Nothing to drop."""

    def release(self) -> None:
        """Give it back; the view is dead afterwards."""
        self._home.out.discard(self)
        self._view.release()


class FakeChunkMemory(ChunkMemory):
    """Hands out fake regions. `out` holds those in use; allocations fail while their placement is in `full`."""

    def __init__(self) -> None:
        """Begin with room for everything."""
        self.out: set[FakeRegion] = set()
        self.full: set[Placement] = set()

    @property
    def spare_bytes(self) -> int:
        """Nothing is kept."""
        return 0

    def trim(self) -> None:
        """Nothing to give back."""

    def lend(self, size_bytes: int) -> memoryview:
        """Return a buffer of its own every time."""
        return memoryview(bytearray(size_bytes))

    def allocate(self, size_bytes: int, placement: Placement) -> Region:
        """Return a zeroed region."""
        if placement in self.full:
            raise LocalResourceError(f"no {placement.name.lower()} left for {size_bytes} bytes")
        region = FakeRegion(size_bytes, placement, self)
        self.out.add(region)
        return region
