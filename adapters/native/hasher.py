"""Adapter of `ports.hasher` over the extension of this package: importing it fails where the extension was not built."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast

from s3duct.adapters.native import _hashing
from s3duct.adapters.native.trial import beats_hashlib
from s3duct.domain.ports.hasher import Hasher, HashLane

# Whether OpenSSL's assembler is faster depends on the processor, and on how much of it there is for that.
_PORTABLE = "portable"


class NativeHasher(Hasher):
    """SHA3-256, and SHA-256 where the processor has instructions for it; what it has nothing for comes from hashlib.

    `sha256` and `sha3_256` name the kernels to use, instead of the fastest. The choice is the process's: the lanes of
    another instance follow it as well.
    """

    def __init__(self, *, sha256: str | None = None, sha3_256: str | None = None) -> None:
        """Choose.

        Raises:
            ValueError: this processor cannot run a kernel of that name.
        """
        self._sha256 = _choose("sha256", sha256)
        self._sha3_256 = _choose("sha3_256", sha3_256)

    @property
    def description(self) -> str:
        """What hashes."""
        return f"SHA-256: {_describe(self._sha256)}; SHA3-256: {_describe(self._sha3_256)}"

    @property
    def sha256_at_once(self) -> int:
        """How many lanes the kernel is wide."""
        return 1 if self._sha256 is None else self._sha256[1]

    @property
    def sha3_256_at_once(self) -> int:
        """How many lanes the kernel is wide."""
        return 1 if self._sha3_256 is None else self._sha3_256[1]

    def sha256(self) -> HashLane:
        """Start a SHA-256."""
        return hashlib.sha256() if self._sha256 is None else _hashing.sha256()

    def sha3_256(self) -> HashLane:
        """Start a SHA3-256."""
        return hashlib.sha3_256() if self._sha3_256 is None else _hashing.sha3_256()

    def update_together(self, lanes: Sequence[HashLane], pieces: Sequence[memoryview]) -> None:
        """Take the pieces in side by side.

        Raises:
            RuntimeError: a lane is in use by another thread, or given twice; nothing was taken in.
        """
        if all(isinstance(lane, _hashing.Lane) for lane in lanes):
            _hashing.update_together(cast("Sequence[_hashing.Lane]", lanes), pieces)
            return
        for lane, piece in zip(lanes, pieces, strict=True):
            lane.update(piece)


def _choose(algorithm: _hashing._Algorithm, name: str | None) -> tuple[str, int] | None:
    kernels = dict(_hashing.kernels(algorithm))
    if name is None:
        if not kernels:
            return None
        name = next(iter(kernels))
        if name == _PORTABLE and not beats_hashlib(algorithm, name, kernels[name]):
            return None
    _hashing.select(algorithm, name)
    return name, kernels[name]


def _describe(kernel: tuple[str, int] | None) -> str:
    return "hashlib" if kernel is None else f"native {kernel[0]}, {kernel[1]} at once"
