"""Brings folders to the disk, so that what was made in them is there after a power cut (fsync of a folder: its entries).

Threads that ask while it is being done for others wait, and are served together: files of one folder share its fsync.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path


class DurableFolders:
    """The folders of one tree. Thread-safe."""

    def __init__(self, top: Path) -> None:
        """Take the highest folder."""
        self._top = top
        self._gate = threading.Lock()
        self._turn = threading.Lock()
        self._next = _Together()

    def settle(self, folder: Path) -> None:
        """Bring the present entries of a folder, and of all above it up to the top, to the disk.

        Raises:
            OSError: it cannot be done.
        """
        with self._gate:
            together = self._next
            together.folders.add(folder)
        with self._turn:
            if not together.is_settled:
                # From here on, others come too late for this one: what they have made may be newer than what is written now.
                with self._gate:
                    self._next = _Together()
                together.settle(self._top)
        if together.error is not None:
            raise OSError(together.error.errno, together.error.strerror)


class _Together:
    def __init__(self) -> None:
        self.folders: set[Path] = set()
        self.is_settled = False
        self.error: OSError | None = None

    def settle(self, top: Path) -> None:
        self.is_settled = True
        above = {
            path for folder in self.folders for path in (folder, *folder.parents) if path.is_relative_to(top)
        }
        try:
            for path in sorted(above, reverse=True):
                fsync(path)
        except OSError as error:
            self.error = error


def fsync(path: Path) -> None:
    """Bring a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
