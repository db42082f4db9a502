"""Randomness that is the same every time."""

from __future__ import annotations

import random

from s3duct.domain.ports.entropy import Entropy


class FakeEntropy(Entropy):
    """A seeded source; with `units` given, `unit` returns those in turn, again and again."""

    def __init__(self, seed: int = 0, *, units: tuple[float, ...] = ()) -> None:
        """Begin from a seed."""
        self._random = random.Random(seed)
        self._units = units
        self._drawn = 0

    def token_hex(self, size_bytes: int) -> str:
        """The next bytes of the sequence."""
        return self._random.randbytes(size_bytes).hex()

    def unit(self) -> float:
        """The next number of the sequence."""
        if not self._units:
            return self._random.random()
        self._drawn += 1
        return self._units[(self._drawn - 1) % len(self._units)]
