"""How much of a sweep runs: a part with every test run, all of it when `S3DUCT_FULL_SWEEPS` is set (`make sweeps`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

# Read now: the variables are gone from the environment when a test runs.
FULL = bool(os.environ.get("S3DUCT_FULL_SWEEPS"))


def in_rotation(
    numbers: Sequence[int], kinds: Sequence[T], chosen: Sequence[int] = ()
) -> list[tuple[int, T]]:
    """Pair numbers with kinds: all with all in a full sweep.

    Otherwise each number meets one kind and the next number the next kind, but each of the `chosen` numbers meets all.
    """
    return [
        (number, kind)
        for kind_at, kind in enumerate(kinds)
        for number_at, number in enumerate(numbers)
        if FULL or number in chosen or number_at % len(kinds) == kind_at
    ]
