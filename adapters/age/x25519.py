"""Recipients `age1…` and identities `AGE-SECRET-KEY-1…` (c2sp.org/age, "The X25519 recipient type")."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from s3duct.adapters.age import bech32
from s3duct.adapters.age.header import Stanza, malformed
from s3duct.adapters.age.keys import Identity, Recipient, Wrapped, argument_of, check_body
from s3duct.adapters.age.primitives import derive_key, encode_base64, unwrap_key, wrap_key
from s3duct.domain.errors import KeySpecError

RECIPIENT_PREFIX = "age"
IDENTITY_PREFIX = "AGE-SECRET-KEY-"
POINT_BYTES = 32
_KIND = "X25519"
_INFO = b"age-encryption.org/v1/X25519"


def is_usable_point(point: bytes) -> bool:
    """Whether a key exchange with this public key gives a secret: not so for the points of low order."""
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(point))
    except ValueError:
        return False
    return True


def exchange(secret: bytes, point: bytes) -> bytes:
    """X25519 (RFC 7748). Raises `ValueError` for a point of low order."""
    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(point))


class X25519Recipient(Recipient):
    """A public key on Curve25519."""

    def __init__(self, point: bytes) -> None:
        """Keep the key.

        Args:
            point: 32 bytes.

        Raises:
            KeySpecError: it is no usable public key.
        """
        if len(point) != POINT_BYTES or not is_usable_point(point):
            raise KeySpecError("an age recipient is not a public key")
        self._point = point

    @property
    def text(self) -> str:
        """`age1…`."""
        return bech32.encode(RECIPIENT_PREFIX, self._point)

    @property
    def post_quantum(self) -> bool:
        """No."""
        return False

    def wrap(self, file_key: bytes) -> Wrapped:
        """Wrap under a key exchanged with a fresh ephemeral one."""
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(self._point))
        wrapping_key = derive_key(secret, salt=share + self._point, info=_INFO)
        stanza = Stanza(_KIND, (encode_base64(share),), wrap_key(file_key, wrapping_key))
        return Wrapped((stanza,))


class X25519Identity(Identity):
    """A private key on Curve25519."""

    def __init__(self, secret: bytes) -> None:
        """Keep the key.

        Args:
            secret: 32 bytes.

        Raises:
            KeySpecError: it has another length.
        """
        if len(secret) != POINT_BYTES:
            raise KeySpecError("an age identity has another length than it should")
        self._key = X25519PrivateKey.from_private_bytes(secret)
        self._point = self._key.public_key().public_bytes_raw()

    @property
    def recipient(self) -> X25519Recipient:
        """Its public key."""
        return X25519Recipient(self._point)

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """As the port of identities says."""
        if stanza.kind != _KIND:
            return None
        share = argument_of(stanza, size_bytes=POINT_BYTES)
        check_body(stanza)
        try:
            secret = self._key.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError:
            raise malformed("the share of an X25519 stanza is a point of low order") from None
        return unwrap_key(stanza.body, derive_key(secret, salt=share + self._point, info=_INFO))
