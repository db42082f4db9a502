"""Port: how much room this machine has, asked anew whenever it matters."""

from __future__ import annotations

from typing import Protocol


class DiskProbe(Protocol):
    """Looks at the disk under the scratch folder."""

    def free_bytes(self) -> int:
        """Free space in bytes for an unprivileged user, 0 if nothing can be said.

        A folder that is not there is looked for where it would be made. Where files lie in memory, memory counts.
        """
        ...


class MemoryProbe(Protocol):
    """Looks at the memory this process may use."""

    def available_bytes(self) -> int:
        """Available memory in bytes; limits of control groups (cgroup v1 and v2) and of the process (rlimits) count."""
        ...


class ProcessorProbe(Protocol):
    """Looks at the processors of this machine."""

    def begin(self) -> None:
        """Count from now on: what was before says nothing of what is to come."""
        ...

    def idle_share(self) -> float:
        """How much of all processors' time nobody used lately, from 0 to 1.

        0 too soon after `begin`, 1 where the system does not say.
        """
        ...
