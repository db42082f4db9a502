"""Brings folders to the disk, so that what was made in them is there after a power cut (fsync of a folder: its entries).

Threads that ask while it is being done for others wait, and are served together: files of one folder share its fsync.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
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
        together.raise_error_of(folder)
        if not together.is_known:
            alone = _Together()
            alone.folders.add(folder)
            alone.settle(self._top)
            alone.raise_error_of(folder)


class _Together:
    """Folders that are settled at once. One that fails is not tried again: the system tells of a lost write once."""

    def __init__(self) -> None:
        self.folders: set[Path] = set()
        self.is_settled = False
        self.is_known = False
        self._errors: dict[Path, OSError] = {}

    def settle(self, top: Path) -> None:
        try:
            for path in sorted(self._up_to(top), reverse=True):
                try:
                    fsync(path)
                except OSError as error:
                    self._errors[path] = error
            self.is_known = True
        finally:
            self.is_settled = True

    def raise_error_of(self, folder: Path) -> None:
        """The folder of another, which may have been removed meanwhile, is no reason to fail."""
        for path in (folder, *folder.parents):
            if path in self._errors:
                raise self._errors[path]

    def _up_to(self, top: Path) -> set[Path]:
        return {
            path for folder in self.folders for path in (folder, *folder.parents) if path.is_relative_to(top)
        }


def make_durably(folder: Path) -> None:
    """Make a folder, and those above it that are missing, so that they are there after a power cut.

    One that is there may have been made by somebody who was killed before it was on the disk.

    Raises:
        OSError: it cannot be done.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in {folder, *missing}:
        with suppress(PermissionError):  # one may be allowed to make something where one may not look
            fsync(path.parent)


def fsync(path: Path) -> None:
    """Bring a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
