"""The HMAC-SHA256 chain over all chunks of a stream (RFC 2104; format version 1, "Chain").

`chain[0] = HMAC(b"s3duct-genesis", d0)`, `chain[n] = HMAC(chain[n-1], dn)` with `d = sha256 || sha3_256`. The genesis
key is public: the chain finds damage, loss and reordering; it does not stop a forger.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from s3duct.domain.digest import DualDigest

GENESIS_KEY = b"s3duct-genesis"


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One link: 32 bytes, or empty before the first chunk."""

    value: bytes = b""

    def extend(self, digest: DualDigest) -> ChainLink:
        """Return the link that follows this one for a chunk with `digest`."""
        # Not hmac.digest: that lets go of the interpreter for a microsecond's work, and waits behind other threads for it.
        return ChainLink(hmac.new(self.value or GENESIS_KEY, digest.combined, hashlib.sha256).digest())

    def hex(self) -> str:
        """Lower-case hex of the link, empty before the first chunk."""
        return self.value.hex()


def chain_over(digests: Iterable[DualDigest]) -> ChainLink:
    """Fold all digests of a stream, in order, into the final link."""
    link = ChainLink()
    for digest in digests:
        link = link.extend(digest)
    return link
