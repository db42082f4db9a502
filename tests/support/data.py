"""Bytes to store, the same ones on every run, and producers with manners of their own."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

KIB = 1 << 10
MIB = 1 << 20


def random_bytes(size: int, seed: object) -> bytes:
    """Return `size` bytes that `seed` alone decides."""
    return random.Random(repr(seed)).randbytes(size)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut `data` into pieces of `size`."""
    view = memoryview(data)
    for start in range(0, len(data), size):
        yield bytes(view[start : start + size])


def throttled(data: bytes, *, piece: int, pause_s: float) -> Iterator[bytes]:
    """A producer that rests after every piece."""
    for part in pieces(data, piece):
        yield part
        time.sleep(pause_s)


def bursty(data: bytes, seed: object) -> Iterator[bytes]:
    """A producer that writes anything from one byte to 64 KiB, and rests now and then."""
    chance = random.Random(repr(seed))
    position = 0
    while position < len(data):
        size = chance.choice((1, 2, 100, 4096, 4097, 65_536))
        yield data[position : position + size]
        position += size
        if chance.random() < 0.2:
            time.sleep(chance.random() * 0.01)
