"""How much of a sweep runs: a part with every test run, all of it when `S3DUCT_FULL_SWEEPS` is set (`make sweeps`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

N = TypeVar("N")
T = TypeVar("T")

# Read now: the variables are gone from the environment when a test runs.
FULL = bool(os.environ.get("S3DUCT_FULL_SWEEPS"))


def in_rotation(points: Sequence[N], kinds: Sequence[T], chosen: Sequence[N] = ()) -> list[tuple[N, T]]:
    """Pair points with kinds: all with all in a full sweep.

    Otherwise each point meets one kind and the next point the next kind, but each of the `chosen` points meets all.
    """
    return [
        (point, kind)
        for kind_at, kind in enumerate(kinds)
        for point_at, point in enumerate(points)
        if FULL or point in chosen or point_at % len(kinds) == kind_at
    ]
