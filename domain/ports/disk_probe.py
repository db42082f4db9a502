"""Port: how much room this machine has, asked anew whenever it matters."""

from __future__ import annotations

from typing import Protocol


class DiskProbe(Protocol):
    """Looks at the disk under the scratch folder."""

    def free_bytes(self) -> int:
        """Free space in bytes for an unprivileged user; 0 if the folder is gone."""
        ...


class MemoryProbe(Protocol):
    """Looks at the memory this process may use."""

    def available_bytes(self) -> int:
        """Available memory in bytes; limits of control groups (cgroup v1 and v2) count."""
        ...
