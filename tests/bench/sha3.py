"""How fast the hashing kernels are on this machine: one core, hashlib beside each implementation, one to four lanes.

Run it with `make bench-sha3`. The buffers are larger than most caches, as chunks are.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable
from typing import Literal

from s3duct.adapters.native import _hashing

_SIZE_BYTES = 16 << 20
_ROUNDS = 5
_ALGORITHMS: tuple[Literal["sha256", "sha3_256"], ...] = ("sha256", "sha3_256")


def speed_mib_s(work: Callable[[], object], size_bytes: int) -> float:
    """Best of some rounds, by processor time."""
    best_s = float("inf")
    for _ in range(_ROUNDS):
        begun_s = time.process_time()
        work()
        best_s = min(best_s, time.process_time() - begun_s)
    return size_bytes / best_s / (1 << 20)


def main() -> int:
    """Measure and print a table."""
    data = [memoryview(os.urandom(_SIZE_BYTES)) for _ in range(4)]
    print(f"{'':22}{'lanes':>6}{'MiB/s':>8}{'x hashlib':>11}")
    for algorithm in _ALGORITHMS:
        standard = speed_mib_s(lambda name=algorithm: hashlib.new(name).update(data[0]), _SIZE_BYTES)  # type: ignore[misc] # the default argument binds the loop's variable
        print(f"{algorithm + ' hashlib':22}{1:>6}{standard:>8.0f}{1:>11.2f}")
        for kernel, _ in _hashing.kernels(algorithm):
            _hashing.select(algorithm, kernel)
            begin = _hashing.sha256 if algorithm == "sha256" else _hashing.sha3_256
            for count in range(1, 5):
                lanes = [begin() for _ in range(count)]
                speed = speed_mib_s(
                    lambda lanes=lanes, count=count: _hashing.update_together(lanes, data[:count]),  # type: ignore[misc] # as above
                    count * _SIZE_BYTES,
                )
                print(f"{algorithm + ' ' + kernel:22}{count:>6}{speed:>8.0f}{speed / standard:>11.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
