"""The dual hash: SHA-256 (FIPS 180-4) and SHA3-256 (FIPS 202) of the same bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class DualDigest:
    """Both digests of one chunk's plain bytes, 32 raw bytes each."""

    sha256: bytes
    sha3_256: bytes

    def __post_init__(self) -> None:
        """Refuse digests of another length: an impossible state."""
        if len(self.sha256) != DIGEST_BYTES or len(self.sha3_256) != DIGEST_BYTES:
            raise ValueError("a dual digest holds two digests of 32 bytes")

    @property
    def combined(self) -> bytes:
        """`sha256 || sha3_256`, 64 bytes: what the chain authenticates."""
        return self.sha256 + self.sha3_256


def dual_digest(data: bytes | bytearray | memoryview) -> DualDigest:
    """Hash one buffer with both algorithms. The reference that every hasher adapter is tested against."""
    return DualDigest(sha256=hashlib.sha256(data).digest(), sha3_256=hashlib.sha3_256(data).digest())
