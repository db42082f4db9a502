"""A hasher that gains by hashing several lanes at once, or says so, and remembers what it was given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from s3duct.adapters.hashing import HashlibHasher
from s3duct.domain.ports.hasher import HashLane


class FakeHasher(HashlibHasher):
    """hashlib, `at_once` lanes at once. `calls` lists the sizes of the pieces of each call.

    `meanwhile` is called on the thread that hashes, before each call: a test blocks or fails it there.
    """

    def __init__(self, at_once: int = 4, *, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._at_once = at_once
        self._meanwhile = meanwhile
        self._lock = threading.Lock()
        self.calls: list[list[int]] = []

    @property
    def sha256_at_once(self) -> int:
        return self._at_once

    @property
    def sha3_256_at_once(self) -> int:
        return self._at_once

    def update_together(self, lanes: Sequence[HashLane], pieces: Sequence[memoryview]) -> None:
        with self._lock:
            self.calls.append([len(piece) for piece in pieces])
        self._meanwhile()
        super().update_together(lanes, pieces)
