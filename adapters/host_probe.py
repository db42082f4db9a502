"""Adapters of `ports.disk_probe`: statvfs for disks, /proc and control groups for memory."""

from __future__ import annotations

import os
from pathlib import Path

from s3duct.domain.ports.disk_probe import DiskProbe, MemoryProbe

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_FALLBACK_BYTES = 1 << 30


class StatvfsDiskProbe(DiskProbe):
    """Free space under a folder, which need not exist yet: its nearest existing parent counts."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder."""
        self._folder = folder

    def free_bytes(self) -> int:
        """Free bytes for an unprivileged user, 0 if nothing can be said."""
        folder = self._folder.absolute()
        for candidate in (folder, *folder.parents):
            try:
                status = os.statvfs(candidate)
            except FileNotFoundError:
                continue
            except OSError:
                return 0
            return status.f_bavail * status.f_frsize
        return 0


class LinuxMemoryProbe(MemoryProbe):
    """The smaller of the machine's available memory and what the control groups of this process leave."""

    def __init__(self, *, proc: Path = Path("/proc"), cgroup_root: Path = _CGROUP_ROOT) -> None:
        """Remember where to look (tests look elsewhere)."""
        self._proc = proc
        self._cgroup_root = cgroup_root

    def available_bytes(self) -> int:
        """Available bytes; 1 GiB where the system does not say."""
        figures = [self._machine(), *self._cgroups()]
        return max(min(figure for figure in figures if figure is not None), 0)

    def _machine(self) -> int:
        try:
            for line in (self._proc / "meminfo").read_text().splitlines():
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
        except (OSError, ValueError, IndexError):
            pass
        return _FALLBACK_BYTES

    def _cgroups(self) -> list[int | None]:
        """What every group from this process's own up to the root leaves: a limit above binds as well."""
        try:
            lines = (self._proc / "self" / "cgroup").read_text().splitlines()
        except OSError:
            return []
        figures = []
        for line in lines:  # "hierarchy:controllers:path", cgroups(7)
            _, controllers, path = [*line.split(":", 2), "", ""][:3]
            if not controllers:
                base, names = self._cgroup_root, ("memory.max", "memory.current")
            elif "memory" in controllers.split(","):
                base, names = self._cgroup_root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
            else:
                continue
            group = base / path.lstrip("/")
            for folder in (group, *group.parents):
                figures.append(_left_in(folder, *names))
                if folder == base:
                    break
        return figures


def _left_in(folder: Path, limit_name: str, usage_name: str) -> int | None:
    try:
        limit = (folder / limit_name).read_text().strip()
        return None if limit == "max" else int(limit) - int((folder / usage_name).read_text())
    except (OSError, ValueError):
        return None
