"""Brings folders to the disk, so that what was made in them is there after a power cut (fsync of a folder: its entries).

Threads that ask while it is being done for others wait, and are served together: files of one folder share its fsync.
"""

from __future__ import annotations

import errno
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
            self._settle_alone(folder)

    def _settle_alone(self, folder: Path) -> None:
        """The folder of another may have been removed meanwhile, which is no reason to fail here."""
        alone = _Together()
        alone.folders.add(folder)
        alone.settle(self._top)
        if alone.error is not None:
            raise alone.error


class _Together:
    def __init__(self) -> None:
        self.folders: set[Path] = set()
        self.is_settled = False
        self.error: OSError | None = None

    def settle(self, top: Path) -> None:
        try:
            for path in sorted(self._up_to(top), reverse=True):
                fsync(path)
        except OSError as error:
            self.error = error
        except BaseException:
            self.error = OSError(errno.EIO, "not known to be there")
            raise
        finally:
            self.is_settled = True

    def _up_to(self, top: Path) -> set[Path]:
        return {
            path for folder in self.folders for path in (folder, *folder.parents) if path.is_relative_to(top)
        }


def fsync(path: Path) -> None:
    """Bring a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
