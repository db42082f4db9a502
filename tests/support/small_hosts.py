"""Small disks and little memory, made for a test: they take the right to mount, or to make control groups."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_GROUPS = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def mounted_tmpfs(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory at `folder`, with `options` like `size=16m`."""
    with _mounted(folder, "-t", "tmpfs", "-o", options, "tmpfs") as point:
        yield point


@contextlib.contextmanager
def mounted_ext2(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A file system on a loop device that has no fallocate."""
    image = folder.with_name(f"{folder.name}.image")
    image.touch()
    os.truncate(image, size_bytes)
    _try("mkfs.ext2", "-q", "-m", "0", str(image))
    with _mounted(folder, "-o", "loop", str(image)) as point:
        yield point
    image.unlink()


@contextlib.contextmanager
def control_group(limit_bytes: int) -> Iterator[Path]:
    """A control group (version 2, or 1) with a limit of memory; a process joins by writing to its `cgroup.procs`."""
    one = (_GROUPS / "memory" / "cgroup.procs").exists()
    base = _GROUPS / "memory" if one else _GROUPS
    group = base / f"s3duct-test-{os.getpid()}"
    try:
        if not one:
            (base / "cgroup.subtree_control").write_text("+memory")
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error.strerror}")
    try:
        (group / ("memory.limit_in_bytes" if one else "memory.max")).write_text(str(limit_bytes))
        yield group
    finally:
        group.rmdir()


@contextlib.contextmanager
def _mounted(folder: Path, *what: str) -> Iterator[Path]:
    folder.mkdir()
    _try("mount", *what, str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)


def _try(*command: str) -> None:
    try:
        subprocess.run(command, check=True, timeout=30, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        pytest.skip(f"{command[0]} is not possible here: {reason.strip().splitlines()[0]}")
