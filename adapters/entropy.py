"""Adapter of `ports.entropy` over the system's random source."""

from __future__ import annotations

import secrets

from s3duct.domain.ports.entropy import Entropy

_UNIT_BITS = 53


class SystemEntropy(Entropy):
    """Real randomness."""

    def token_hex(self, size_bytes: int) -> str:
        """Return random bytes as hex."""
        return secrets.token_hex(size_bytes)

    def unit(self) -> float:
        """Return a random number in [0, 1)."""
        return float(secrets.randbits(_UNIT_BITS) / (1 << _UNIT_BITS))
