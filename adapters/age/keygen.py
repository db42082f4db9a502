"""Makes identities, in the text form of `age-keygen`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime

from s3duct.adapters.age import bech32, hybrid, x25519
from s3duct.adapters.age.keys import Identity


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """An identity file and the public half of what is in it."""

    file_text: str
    recipient: str

    def __repr__(self) -> str:
        """Leave the secret out of whatever shows this."""
        return f"NewIdentity(recipient={self.recipient!r})"


def new_identity(*, post_quantum: bool, created: datetime) -> NewIdentity:
    """Make an identity from the system's randomness.

    Args:
        post_quantum: ML-KEM-768 with X25519, rather than X25519 alone.
        created: goes into a comment; with a time zone.
    """
    secret = os.urandom(32)
    identity: Identity
    if post_quantum:
        prefix, identity = hybrid.IDENTITY_PREFIX, hybrid.HybridIdentity(secret)
    else:
        prefix, identity = x25519.IDENTITY_PREFIX, x25519.X25519Identity(secret)
    recipient = identity.recipient.text
    key = bech32.encode(prefix.lower(), secret).upper()
    stamp = created.isoformat(timespec="seconds")
    return NewIdentity(f"# created: {stamp}\n# public key: {recipient}\n{key}\n", recipient)
