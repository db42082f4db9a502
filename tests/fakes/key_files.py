"""Key files in memory."""

from __future__ import annotations

from s3duct.domain.errors import KeySpecError, LocalResourceError
from s3duct.domain.ports.key_maker import KeyFiles


class FakeKeyFiles(KeyFiles):
    """`contents` holds what was written, by path; `full` says that the disk is full."""

    def __init__(self) -> None:
        """Begin empty."""
        self.contents: dict[str, bytes] = {}
        self.full = False

    def create(self, path: str, content: bytes) -> None:
        """Keep it, or refuse."""
        if "\0" in path or not path:
            raise KeySpecError(f"not a path of a key file: {path!r}")
        if path in self.contents:
            raise KeySpecError(f"there is a file {path!r} already", hint="choose another path")
        if self.full:
            raise LocalResourceError(f"cannot write the key file {path!r}: no space left")
        self.contents[path] = content
