"""Adapter of `ports.disk_probe.MemoryProbe` over /proc, control groups and rlimits."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

from s3duct.adapters.host_probe.cgroups import left_in_groups
from s3duct.domain.ports.disk_probe import MemoryProbe

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_FALLBACK_BYTES = 1 << 30
# What each limit is held against, see setrlimit(2) and proc_pid_status(5).
_RLIMITS = ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData"))
# These count what may be touched, not what is: 8 MiB of stack for each thread that the client of the store still starts.
_THREADS_TO_COME_BYTES = 64 << 20


class LinuxMemoryProbe(MemoryProbe):
    """The least of the machine's available memory and what control groups and rlimits of this process leave."""

    def __init__(
        self,
        *,
        proc: Path = Path("/proc"),
        cgroup_root: Path = _CGROUP_ROOT,
        rlimit: Callable[[int], tuple[int, int]] = resource.getrlimit,
    ) -> None:
        """Remember where to look (tests look elsewhere)."""
        self._proc = proc
        self._cgroup_root = cgroup_root
        self._rlimit = rlimit

    def available_bytes(self) -> int:
        """Available bytes; 1 GiB where the system does not say."""
        figures = (self._machine(), *left_in_groups(self._proc, self._cgroup_root), *self._left_by_rlimits())
        return max(min(figures), 0)

    def _machine(self) -> int:
        available = _field(self._proc / "meminfo", "MemAvailable")
        return _FALLBACK_BYTES if available is None else available

    def _left_by_rlimits(self) -> Iterator[int]:
        for number, name in _RLIMITS:
            soft, _ = self._rlimit(number)
            if soft == resource.RLIM_INFINITY:
                continue
            used = _field(self._proc / "self" / "status", name)
            if used is not None:
                yield soft - used - _THREADS_TO_COME_BYTES


def _field(file: Path, name: str) -> int | None:
    """A field of a file of lines like `VmSize:  123 kB`, in bytes; None if it is not there."""
    try:
        for line in file.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None
