"""Port: new keys from the system's randomness, and a place for them that nobody else can read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NewKey:
    """What goes into a key file, and the public half of it (None for a symmetric key)."""

    file_content: bytes = field(repr=False)
    recipient: str | None = None


class KeyMaker(Protocol):
    """Makes keys."""

    def aes_key(self) -> NewKey:
        """Return 32 random bytes."""
        ...

    def age_identity(self, *, post_quantum: bool, created: datetime) -> NewKey:
        """Return an age identity, ML-KEM-768 with X25519 or X25519 alone; `created` (with a time zone) is noted in it."""
        ...


class KeyFiles(Protocol):
    """Writes key files."""

    def create(self, path: str, content: bytes) -> None:
        """Write a new file that only this user may read; it is on the disk when this returns, or not there at all.

        Raises:
            KeySpecError: there is a file already, or it is no path.
            LocalResourceError: it cannot be written.
        """
        ...
