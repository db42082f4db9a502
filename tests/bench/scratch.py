"""How much a process tree keeps in files of one folder at its peak: those with a name, and those without one."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

EVERY_S = 0.1
_BLOCK_BYTES = 512


class ScratchWatch:
    """Looks at the folder, and at what the tree of `pid` has open or mapped in it, every 0.1 s. Use as a context manager.

    What is shorter-lived than that may go unseen. Files without a name are seen on Linux only (`/proc`).
    """

    def __init__(self, folder: Path, pid: int) -> None:
        """Look at nothing yet."""
        self._folder = folder
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_S):
            self.peak_bytes = max(self.peak_bytes, bytes_in_use(self._folder, self._pid))


def bytes_in_use(folder: Path, pid: int) -> int:
    """Bytes of all files under `folder`, and of those without a name that the tree of `pid` has open or mapped there."""
    by_inode: dict[int, int] = {}
    for inode, size in [*_named(folder), *_unnamed(str(folder), pid)]:
        by_inode[inode] = max(size, by_inode.get(inode, 0))
    return sum(by_inode.values())


def tree(pid: int) -> Iterator[int]:
    """Yield `pid` and all that descends from it."""
    yield pid
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in listing.read_text().split():
                yield from tree(int(child))


def _named(folder: Path) -> Iterator[tuple[int, int]]:
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if path.is_file():
                yield status.st_ino, status.st_blocks * _BLOCK_BYTES


def _unnamed(folder: str, pid: int) -> Iterator[tuple[int, int]]:
    for member in tree(pid):
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{member}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(link.readlink()).startswith(f"{folder}{os.sep}"):
                        status = link.stat()
                        yield status.st_ino, status.st_blocks * _BLOCK_BYTES
        with contextlib.suppress(OSError):
            yield from _mapped(folder, Path(f"/proc/{member}/maps").read_text())


def _mapped(folder: str, maps: str) -> list[tuple[int, int]]:
    """Inode and size of each file that is mapped from `folder`; proc(5) has the format."""
    sizes: dict[int, int] = {}
    for line in maps.splitlines():
        if f" {folder}{os.sep}" in line:
            addresses, _, _, _, inode, _ = line.split(maxsplit=5)
            first, _, last = addresses.partition("-")
            sizes[int(inode)] = sizes.get(int(inode), 0) + int(last, 16) - int(first, 16)
    return list(sizes.items())
