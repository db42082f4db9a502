"""What the control groups of this process leave of memory, versions 1 and 2; see cgroups(7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from s3duct.adapters.host_probe.mounts import Mount, read_mounts


@dataclass(frozen=True, slots=True)
class _Version:
    """Names of files, and of what the kernel takes back before it kills anybody: pages of files, slabs.

    Dirty pages among them are written first. Files in memory (tmpfs) are in none of these lists.
    """

    limits: tuple[str, ...]
    usage: str
    reclaimable: tuple[str, ...]


_V1 = _Version(
    ("memory.limit_in_bytes",),
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)
# Beyond memory.high nobody is killed, but everybody is slowed down until nothing moves.
_V2 = _Version(
    ("memory.max", "memory.high"),
    "memory.current",
    ("inactive_file", "active_file", "slab_reclaimable"),
)


def left_in_groups(proc: Path, root: Path) -> Iterator[int]:
    """What every limited group from this process's own up to the root leaves: a limit above binds as well.

    `root` is where groups are looked for if the system does not say where they are mounted.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    mounts = read_mounts(proc)
    for line in lines:  # "hierarchy:controllers:path"
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            found = [mount for mount in mounts if mount.kind == "cgroup2"]
            yield from _left_up_from(path, found, root, _V2)
        elif "memory" in controllers.split(","):
            found = [mount for mount in mounts if mount.kind == "cgroup" and "memory" in mount.options]
            yield from _left_up_from(path, found, root / "memory", _V1)


def _left_up_from(path: str, mounts: list[Mount], default: Path, version: _Version) -> Iterator[int]:
    """Go up from the group. In a container its path may be one that only the host sees: then the mount is its group."""
    base = mounts[-1].point if mounts else default
    shown = PurePosixPath(mounts[-1].root if mounts else "/")
    inner = PurePosixPath(path or "/")
    below = inner.relative_to(shown) if inner.is_relative_to(shown) else PurePosixPath(*inner.parts[1:])
    group = base / below
    for folder in (group, *group.parents):
        yield from _left_in(folder, version)
        if folder == base:
            return


def _left_in(folder: Path, version: _Version) -> Iterator[int]:
    try:
        usage = int((folder / version.usage).read_text())
    except (OSError, ValueError):
        return
    used = max(usage - _reclaimable_in(folder, version), 0)
    for name in version.limits:
        try:
            limit = (folder / name).read_text().strip()
            if limit != "max":
                yield int(limit) - used
        except (OSError, ValueError):
            continue


def _reclaimable_in(folder: Path, version: _Version) -> int:
    total = 0
    try:
        for line in (folder / "memory.stat").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name in version.reclaimable:
                total += int(value)
    except (OSError, ValueError):
        return 0
    return total
