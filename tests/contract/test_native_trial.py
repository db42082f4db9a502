"""Where only the portable kernel runs, hashlib is left alone only if that is the faster one there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from s3duct.domain.digest import dual_digest
from tests.contract.hashers import native

PORTABLE = ("portable", 2)


@pytest.fixture(autouse=True)
def only_the_portable_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    native()  # skips where the extension was not built
    from s3duct.adapters.native import _hashing, hasher
    from s3duct.adapters.native.trial import beats_hashlib

    extension = SimpleNamespace(
        kernels=lambda algorithm: [PORTABLE] if algorithm == "sha3_256" else [],
        select=_hashing.select,
        sha3_256=_hashing.sha3_256,
        update_together=_hashing.update_together,
        Lane=_hashing.Lane,
    )
    monkeypatch.setattr(hasher, "_hashing", extension)
    beats_hashlib.cache_clear()
    yield
    beats_hashlib.cache_clear()
    monkeypatch.undo()
    native()  # chooses for the whole process


class Theirs:
    """hashlib, as fast as it is told to be."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s

    def update(self, data: memoryview) -> None:
        if self._delay_s:
            time.sleep(self._delay_s)


@pytest.mark.parametrize("wins", [True, False])
def test_the_faster_one_is_used(monkeypatch: pytest.MonkeyPatch, *, wins: bool) -> None:
    from s3duct.adapters.native.hasher import NativeHasher

    real = hashlib.sha3_256
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "sha3_256", lambda: Theirs(0.05 if wins else 0))
        made = NativeHasher()
    assert made.sha3_256_at_once == (2 if wins else 1)
    assert ("native portable, 2 at once" in made.description) is wins
    assert ("SHA3-256: hashlib" in made.description) is not wins
    assert isinstance(made.sha3_256(), type(real())) is not wins
    lane = made.sha3_256()
    lane.update(memoryview(b"abc"))
    assert lane.digest() == dual_digest(b"abc").sha3_256


def test_it_is_found_out_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from s3duct.adapters.native.hasher import NativeHasher

    first = NativeHasher().description
    monkeypatch.setattr(hashlib, "sha3_256", lambda: Theirs(0 if "portable" in first else 0.05))
    assert NativeHasher().description == first
