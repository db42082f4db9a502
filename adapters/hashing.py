"""Adapter of `ports.hasher` over hashlib (OpenSSL), which releases the interpreter lock for pieces above 2 KiB."""

from __future__ import annotations

import hashlib

from s3duct.domain.ports.hasher import Hasher, HashLane


class HashlibHasher(Hasher):
    """SHA-256 and SHA3-256 from hashlib."""

    def sha256(self) -> HashLane:
        """Start a SHA-256."""
        return hashlib.sha256()

    def sha3_256(self) -> HashLane:
        """Start a SHA3-256."""
        return hashlib.sha3_256()
