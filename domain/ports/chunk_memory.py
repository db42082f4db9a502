"""Port: where the bytes of chunks in flight lie, in memory or on scratch, behind the same memoryview."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol


class Placement(Enum):
    """Where a region lies."""

    MEMORY = auto()
    SCRATCH = auto()


class Region(Protocol):
    """A writable stretch of bytes."""

    @property
    def placement(self) -> Placement:
        """Where it lies."""
        ...

    @property
    def view(self) -> memoryview:
        """All of its bytes, writable."""
        ...

    def evict(self, start: int, stop: int) -> None:
        """Let the system drop the pages of a scratch region from this process's memory; the bytes stay. A hint."""
        ...

    def release(self) -> None:
        """Give it back. The view must not be used afterwards. Idempotent."""
        ...


class ChunkMemory(Protocol):
    """Hands out regions. Scratch files are private and vanish with the process, however it ends."""

    def allocate(self, size_bytes: int, placement: Placement) -> Region:
        """Return a region of `size_bytes`.

        Raises:
            LocalResourceError: no memory, no space, or no scratch folder; a retry helps once there is.
        """
        ...

    def lend(self, size_bytes: int) -> memoryview:
        """Return a writable buffer in memory, which comes back by itself once nobody holds it or a slice of it.

        Raises:
            LocalResourceError: no memory; a retry helps once there is.
        """
        ...

    @property
    def spare_bytes(self) -> int:
        """Memory that released regions and returned buffers still hold, for the next ones of their size."""
        ...

    def trim(self) -> None:
        """Give that memory back to the machine."""
        ...
