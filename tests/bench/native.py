"""Whether this installation hashes with compiled code of its own, and how to do without it."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from s3duct.domain.ports.hasher import HashLane

_MODULE = "s3duct.adapters.native._hashing"
COMPILED, HASHLIB = "compiled, several chunks at once", "hashlib"
WITHOUT_NATIVE: Mapping[str, str] = {"S3DUCT_NATIVE": "0"}


def _is_there() -> bool:
    try:
        return find_spec(_MODULE) is not None
    except ModuleNotFoundError:
        return False


HASHES_NATIVELY = _is_there()


class Batch:
    """Running digests of one algorithm (`sha256` or `sha3_256`) that take their next bytes together.

    Compiled: as many as the processor computes side by side on one core, or as many as are asked for. hashlib: one.
    """

    def __init__(self, algorithm: str, *, native: bool = HASHES_NATIVELY, width: int | None = None) -> None:
        """Begin the digests."""
        self._native: Any = importlib.import_module(_MODULE) if native else None
        if self._native is None:
            start = getattr(hashlib, algorithm)
            self.width = 1
        else:
            start = getattr(self._native, algorithm)
            self.width = width or max(int(count) for _, count in self._native.kernels(algorithm)[:1])
        self.lanes: list[HashLane] = [start() for _ in range(self.width)]

    def update(self, pieces: Sequence[memoryview]) -> None:
        """Take in the next piece of each; there are `width` of them."""
        if self._native is None:
            self.lanes[0].update(pieces[0])
        else:
            self._native.update_together(self.lanes, pieces)


def in_use() -> str:
    """Tell what hashes."""
    return COMPILED if HASHES_NATIVELY else HASHLIB
