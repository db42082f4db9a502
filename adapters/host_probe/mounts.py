"""What is mounted where, as this process sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of /proc/self/mountinfo, see proc_pid_mountinfo(5).

    `device` is its device's major and minor number, `root` what of the file system is mounted, `point` where,
    `options` those of the file system.
    """

    device: tuple[int, int]
    root: str
    point: Path
    kind: str
    options: tuple[str, ...]


def read_mounts(proc: Path) -> list[Mount]:
    """All mounts; none where the system does not say."""
    try:
        lines = (proc / "self" / "mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    return [mount for line in lines if (mount := _parse(line)) is not None]


def _parse(line: str) -> Mount | None:
    before, _, after = line.partition(" - ")
    try:
        _, _, device, root, point = before.split(" ")[:5]
        kind, _, options = after.split(" ")[:3]
        major, minor = device.split(":")
        return Mount(
            (int(major), int(minor)),
            _unescaped(root),
            Path(_unescaped(point)),
            kind,
            tuple(options.split(",")),
        )
    except ValueError:
        return None


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)
