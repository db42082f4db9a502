"""What a recipient and an identity are, of whatever kind, and what their stanzas have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from s3duct.adapters.age.header import Stanza, malformed
from s3duct.adapters.age.primitives import WRAPPED_KEY_BYTES, decode_base64
from s3duct.domain.errors import UsageError

# The label by which recipients say that they keep a file secret from a quantum computer (c2sp.org/age).
POST_QUANTUM = "postquantum"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A file key wrapped for one recipient; only recipients of the same `labels` may stand in one header."""

    stanzas: tuple[Stanza, ...]
    labels: frozenset[str] = frozenset()


class Recipient(Protocol):
    """Someone who may open a file: the public half of an identity."""

    @property
    def text(self) -> str:
        """As people write it, without a comment: `age1…`, `ssh-ed25519 …`. Public."""
        ...

    @property
    def identifier(self) -> str:
        """One line of ASCII that tells recipients apart where `text` cannot. Public."""
        return self.text

    @property
    def post_quantum(self) -> bool | None:
        """Whether a quantum computer leaves what is sealed for it secret; None: only wrapping tells."""
        ...

    @property
    def is_of_fixed_size(self) -> bool:
        """Whether its stanzas all have the same size, so that the size of a header is known before it is made."""
        return True

    def wrap(self, file_key: bytes) -> Wrapped:
        """Wrap a file key.

        Raises:
            KeyUnavailable: the program that does it failed.
        """
        ...


class Unwrapper(Protocol):
    """The half of an identity that opening needs."""

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key; None if the stanza is for someone else.

        Raises:
            CiphertextDamaged: it is of this kind of recipient, and malformed.
            KeyUnavailable: the program that holds the key failed.
        """
        ...

    def unwrap_any(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """Return the file key from any of the stanzas of one header; otherwise as `unwrap`."""
        for stanza in stanzas:
            file_key = self.unwrap(stanza)
            if file_key is not None:
                return file_key
        return None


class Identity(Unwrapper, Protocol):
    """A private key."""

    @property
    def recipient(self) -> Recipient:
        """Its public half."""
        ...


def refuse_a_mixture(recipients: Iterable[Recipient]) -> None:
    """Refuse recipients of which one would give away what another keeps from a quantum computer.

    Those of which only wrapping tells are left out.

    Raises:
        UsageError: some are post-quantum and some are not (c2sp.org/age forbids it).
    """
    if {True, False} <= {recipient.post_quantum for recipient in recipients}:
        raise _mixture()


def refuse_different_labels(wrapped: Sequence[Wrapped]) -> None:
    """Refuse a header of recipients whose labels are not the same (c2sp.org/age).

    Raises:
        UsageError: they are not.
    """
    if len({each.labels for each in wrapped}) < 2:
        return
    if len({POST_QUANTUM in each.labels for each in wrapped}) > 1:
        raise _mixture()
    raise UsageError(
        "these age recipients cannot be mixed: their plugins declare different labels",
        hint="use recipients of one sort",
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


def _mixture() -> UsageError:
    return UsageError(
        "post-quantum and classic age recipients cannot be mixed",
        hint="a quantum computer would open the file through the classic one; use recipients of one sort",
    )
