"""Whether a kernel that is made for no processor in particular beats hashlib on this one: they are raced."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import cache

from s3duct.adapters.native import _hashing
from s3duct.domain.sizes import KIB

# Milliseconds in all, and long enough to be told apart: the best of so many counts.
_PIECE_BYTES = 32 * KIB
_TIMES = 5


@cache
def beats_hashlib(algorithm: _hashing._Algorithm, kernel: str, width: int) -> bool:
    """Race `kernel`, `width` messages wide, once in a process; leaves it selected.

    It has to be the faster one for messages that go together, and no slower for one that is alone: which of them a stream
    will have is not known when its lanes begin.
    """
    _hashing.select(algorithm, kernel)
    piece = memoryview(bytes(_PIECE_BYTES))
    lanes = [getattr(_hashing, algorithm)() for _ in range(width)]
    theirs = getattr(hashlib, algorithm)()
    theirs_s = _best_s(lambda: theirs.update(piece))
    together_s = _best_s(lambda: _hashing.update_together(lanes, [piece] * width))
    return _best_s(lambda: lanes[0].update(piece)) <= theirs_s and together_s < width * theirs_s


def _best_s(call: Callable[[], object]) -> float:
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return min(took)
