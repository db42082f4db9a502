"""Adapter of `ports.key_maker.KeyFiles`: files of mode 0600 that never take the place of another."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from s3duct.domain.errors import KeySpecError, LocalResourceError
from s3duct.domain.ports.key_maker import KeyFiles

_MODE = 0o600


class PrivateKeyFiles(KeyFiles):
    """Creates them on the local disk."""

    def create(self, path: str, content: bytes) -> None:
        """Create, write and fsync; a file that could not be written whole is removed."""
        if not path:
            raise KeySpecError("the path of the key file is empty")
        try:
            target = Path(path).expanduser()
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        except (FileExistsError, IsADirectoryError):
            raise KeySpecError(
                f"there is a file {path!r} already, and it is not overwritten",
                hint="what was sealed with a key is lost without it; choose another path",
            ) from None
        except OSError as error:
            raise LocalResourceError(f"cannot create the key file {path!r}: {error.strerror}") from error
        except (ValueError, RuntimeError):  # a NUL in it; a home that nobody has
            raise KeySpecError(f"not a path of a key file: {path!r}") from None
        try:
            _write_durably(descriptor, content, target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                target.unlink()
            raise LocalResourceError(f"cannot write the key file {path!r}: {error.strerror}") from error


def _write_durably(descriptor: int, content: bytes, folder: Path) -> None:
    try:
        os.fchmod(descriptor, _MODE)  # whatever the umask has taken from it
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
