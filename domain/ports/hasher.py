"""Port: incremental hashing that may run on any thread."""

from __future__ import annotations

from typing import Protocol


class HashLane(Protocol):
    """One running digest. Releases the interpreter while it hashes large pieces."""

    def update(self, data: memoryview) -> None:
        """Take in the next bytes."""
        ...

    def digest(self) -> bytes:
        """Return the 32-byte digest of everything so far."""
        ...


class Hasher(Protocol):
    """Starts running digests."""

    def sha256(self) -> HashLane:
        """Start a SHA-256 (FIPS 180-4)."""
        ...

    def sha3_256(self) -> HashLane:
        """Start a SHA3-256 (FIPS 202)."""
        ...
