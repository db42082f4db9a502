"""Adapter of `ports.hasher` over hashlib (OpenSSL), which releases the interpreter lock for pieces above 2 KiB."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from s3duct.domain.ports.hasher import Hasher, HashLane


class HashlibHasher(Hasher):
    """SHA-256 and SHA3-256 from hashlib, which hashes one message at a time."""

    @property
    def description(self) -> str:
        """What hashes."""
        return "SHA-256: hashlib; SHA3-256: hashlib"

    @property
    def sha256_at_once(self) -> int:
        """One."""
        return 1

    @property
    def sha3_256_at_once(self) -> int:
        """One."""
        return 1

    def sha256(self) -> HashLane:
        """Start a SHA-256."""
        return hashlib.sha256()

    def sha3_256(self) -> HashLane:
        """Start a SHA3-256."""
        return hashlib.sha3_256()

    def update_together(self, lanes: Sequence[HashLane], pieces: Sequence[memoryview]) -> None:
        """Take the pieces in one after another."""
        for lane, piece in zip(lanes, pieces, strict=True):
            lane.update(piece)
