"""Which hasher: the extension where it was built, hashlib elsewhere."""

from __future__ import annotations

from s3duct.adapters.hashing import HashlibHasher
from s3duct.domain.ports.hasher import Hasher


def make_hasher(*, native: bool) -> Hasher:
    """Return the fastest hasher of this installation. Without `native` the extension is left alone."""
    if not native:
        return HashlibHasher()
    try:
        from s3duct.adapters.native.hasher import NativeHasher
    except ImportError:
        return HashlibHasher()
    return NativeHasher()
