"""Every hasher there is: one for each kernel that this processor can run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from s3duct.adapters.hashing import HashlibHasher
from s3duct.domain.ports.hasher import Hasher
from tests.fakes.hasher import FakeHasher


def native(sha3_256: str | None = None) -> Hasher:
    """Return the hasher of the extension, with that kernel; or skip the test where there is none."""
    try:
        from s3duct.adapters.native.hasher import NativeHasher
    except ImportError as error:
        pytest.skip(f"the extension was not built: {error}")
    try:
        return NativeHasher(sha3_256=sha3_256)
    except ValueError as error:
        pytest.skip(str(error))


HASHERS: dict[str, Callable[[], Hasher]] = {
    "hashlib": HashlibHasher,
    "fake": FakeHasher,
    "native": native,
    "native AVX-512": partial(native, "AVX-512"),
    "native AVX2": partial(native, "AVX2"),
    "native portable": partial(native, "portable"),
}
