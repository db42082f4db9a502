"""What a recipient and an identity are, of whatever kind, and what their stanzas have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from s3duct.adapters.age.header import Stanza, malformed
from s3duct.adapters.age.primitives import WRAPPED_KEY_BYTES, decode_base64
from s3duct.domain.errors import UsageError


class Recipient(Protocol):
    """Someone who may open a file: the public half of an identity."""

    @property
    def text(self) -> str:
        """As people write it, without a comment: `age1…`, `ssh-ed25519 …`."""
        ...

    @property
    def post_quantum(self) -> bool:
        """Whether a quantum computer leaves what is sealed for it secret."""
        ...

    def wrap(self, file_key: bytes) -> Stanza:
        """Wrap a file key; stanzas of one recipient all have the same size."""
        ...


class Identity(Protocol):
    """A private key."""

    @property
    def recipient(self) -> Recipient:
        """Its public half."""
        ...

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key; None if the stanza is for someone else.

        Raises:
            CiphertextDamaged: it is of this kind of recipient, and malformed.
        """
        ...


class Unwrapper(Protocol):
    """The half of an identity that opening needs."""

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """As `Identity.unwrap`."""
        ...


def refuse_a_mixture(recipients: Sequence[Recipient]) -> None:
    """Refuse recipients of which one would give away what another keeps from a quantum computer.

    Raises:
        UsageError: some are post-quantum and some are not (c2sp.org/age forbids it).
    """
    if len({recipient.post_quantum for recipient in recipients}) > 1:
        raise UsageError(
            "post-quantum and classic age recipients cannot be mixed",
            hint="a quantum computer would open the file through the classic one; use recipients of one sort",
        )


def argument_of(stanza: Stanza, *, size_bytes: int) -> bytes:
    """Decode the only argument of a stanza, of `size_bytes`. Raises `CiphertextDamaged`."""
    if len(stanza.arguments) != 1:
        raise malformed(f"a stanza of kind {stanza.kind} has {len(stanza.arguments)} arguments")
    value = decode_base64(stanza.arguments[0])
    if value is None or len(value) != size_bytes:
        raise malformed(f"the argument of a stanza of kind {stanza.kind} is not {size_bytes} bytes of base64")
    return value


def check_body(stanza: Stanza) -> None:
    """Check, before it is decrypted, that a body is a wrapped file key by its size. Raises `CiphertextDamaged`.

    A longer one could be made to open under several keys, and so to tell an attacker which of them is in use.
    """
    if len(stanza.body) != WRAPPED_KEY_BYTES:
        raise malformed(f"a wrapped file key has {len(stanza.body)} bytes instead of {WRAPPED_KEY_BYTES}")
