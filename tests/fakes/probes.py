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
    """`idle` can be changed at any time."""

    def __init__(self, idle: float = 1.0) -> None:
        """Begin with that much of their time unused."""
        self.idle = idle
        self.beginnings = 0

    def begin(self) -> None:
        """Counted in `beginnings`."""
        self.beginnings += 1

    def idle_share(self) -> float:
        """As set."""
        return self.idle
