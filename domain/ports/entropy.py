"""Port: randomness that is not key material (identifiers, jitter)."""

from __future__ import annotations

from typing import Protocol


class Entropy(Protocol):
    """A source of randomness."""

    def token_hex(self, size_bytes: int) -> str:
        """Return that many random bytes as lower-case hex."""
        ...

    def unit(self) -> float:
        """Return a random number, at least 0 and below 1."""
        ...
