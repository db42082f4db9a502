"""Writes one object into a local folder, as obstore does it, and durably: beside its place, then into it.

obstore would take two threads more for it, whose answers may be lost (`lost_answers`), and open the file again for fsync.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from pathlib import Path

from s3duct.domain.ports.object_store import Bytes


def write_object(path: Path, data: Bytes, *, create_only: bool) -> None:
    """Write a file, and make it durable; its folders, which are made as needed, are not durable yet.

    Nobody ever sees a part of it. Of a write that fails, nothing is left.

    Raises:
        FileExistsError: it is there already, and `create_only` is on.
        OSError: it cannot be written.
    """
    beside, descriptor = _open_beside(path)
    try:
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not create_only:
            os.replace(beside, path)  # noqa: PTH105 - as text: paths are made of it for every chunk otherwise
            return
        os.link(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)  # noqa: PTH108 - as above
        raise
    os.unlink(beside)  # noqa: PTH108 - as above


def _open_beside(path: Path) -> tuple[str, int]:
    """Open a new file of a name that obstore gives to what is not complete: listings pass over it."""
    has_folder = False
    for number in itertools.count(1):
        beside = f"{path}#{number}"
        try:
            return beside, os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            continue  # of another writer, or of one that was killed
        except FileNotFoundError:
            if has_folder:
                raise
            _make_folders(path.parent)
            has_folder = True
    raise AssertionError("numbers do not end")


def _make_folders(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # which would be taken for the object
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def _write_all(descriptor: int, data: Bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
