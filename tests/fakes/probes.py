"""A machine with as much room as the test says."""

from __future__ import annotations

from s3duct.domain.ports.disk_probe import DiskProbe, MemoryProbe, ProcessorProbe


class FakeDisk(DiskProbe):
    """`free` can be changed at any time."""

    def __init__(self, free: int) -> None:
        """Begin with that many free bytes."""
        self.free = free

    def free_bytes(self) -> int:
        """As set."""
        return self.free


class FakeMemory(MemoryProbe):
    """`available` can be changed at any time."""

    def __init__(self, available: int) -> None:
        """Begin with that many available bytes."""
        self.available = available

    def available_bytes(self) -> int:
        """As set."""
        return self.available


class FakeProcessors(ProcessorProbe):
    """`idle` can be changed at any time; with `counts`, it is known only after `passes` since the last beginning."""

    def __init__(self, idle: float = 1.0, *, counts: bool = False) -> None:
        """Begin with that much of their time unused."""
        self.idle = idle
        self._counts = counts
        self._is_known = not counts

    def begin(self) -> None:
        """Nothing is known any more, if that counts."""
        self._is_known = not self._counts

    def passes(self) -> None:
        """So much time passes that something is known."""
        self._is_known = True

    def idle_share(self) -> float:
        """As set, or 0 while nothing is known."""
        return self.idle if self._is_known else 0.0
