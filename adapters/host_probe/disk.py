"""Adapter of `ports.disk_probe.DiskProbe` over statvfs."""

from __future__ import annotations

import os
from pathlib import Path

from s3duct.adapters.host_probe.mounts import read_mounts
from s3duct.domain.ports.disk_probe import DiskProbe, MemoryProbe

_IN_MEMORY = {"tmpfs", "ramfs"}


class StatvfsDiskProbe(DiskProbe):
    """Free space under a folder, which need not exist yet: its nearest existing parent counts."""

    def __init__(self, folder: Path, memory: MemoryProbe, *, proc: Path = Path("/proc")) -> None:
        """Remember the folder; `memory` is asked too where files lie in memory, since those take both."""
        self._folder = folder
        self._memory = memory
        self._proc = proc

    def free_bytes(self) -> int:
        """Free bytes for an unprivileged user, 0 if nothing can be said."""
        folder = self._folder.absolute()
        for candidate in (folder, *folder.parents):
            try:
                status = os.statvfs(candidate)
                device = candidate.stat().st_dev
            except FileNotFoundError:
                continue
            except OSError:
                return 0
            free = status.f_bavail * status.f_frsize
            return min(free, self._memory.available_bytes()) if self._is_in_memory(device) else free
        return 0

    def _is_in_memory(self, device: int) -> bool:
        numbers = os.major(device), os.minor(device)
        return any(mount.device == numbers and mount.kind in _IN_MEMORY for mount in read_mounts(self._proc))
