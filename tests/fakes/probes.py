"""A machine with as much room as the test says."""

from __future__ import annotations

from s3duct.domain.ports.disk_probe import DiskProbe, MemoryProbe


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
