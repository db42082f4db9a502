"""Port: incremental hashing that may run on any thread, of several messages at once where that is faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class HashLane(Protocol):
    """One running digest. Releases the interpreter while it hashes large pieces. One thread at a time may use it."""

    def update(self, data: memoryview) -> None:
        """Take in the next bytes."""
        ...

    def digest(self) -> bytes:
        """Return the 32-byte digest of everything so far."""
        ...


class Hasher(Protocol):
    """Starts running digests."""

    @property
    def description(self) -> str:
        """What hashes, for people: one line."""
        ...

    @property
    def sha256_at_once(self) -> int:
        """How many SHA-256 lanes cost less together than one after another; 1: there is nothing to gain."""
        ...

    @property
    def sha3_256_at_once(self) -> int:
        """As `sha256_at_once`, of SHA3-256 lanes."""
        ...

    def sha256(self) -> HashLane:
        """Start a SHA-256 (FIPS 180-4)."""
        ...

    def sha3_256(self) -> HashLane:
        """Start a SHA3-256 (FIPS 202)."""
        ...

    def update_together(self, lanes: Sequence[HashLane], pieces: Sequence[memoryview]) -> None:
        """Take the next bytes into each of several lanes of this hasher, on this thread.

        The lanes must differ, and be as many as the pieces, which may be of any lengths.
        """
        ...
