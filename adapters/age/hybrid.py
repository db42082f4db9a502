"""Recipients `age1pq1…` and identities `AGE-SECRET-KEY-PQ-1…`: ML-KEM-768 with X25519 (c2sp.org/age).

The file key is wrapped with HPKE (RFC 9180) over the hybrid KEM of draft-ietf-hpke-pq, also known as X-Wing: it stays
secret as long as either of the two does.
"""

from __future__ import annotations

import hashlib
from functools import cache

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from s3duct.adapters.age import bech32
from s3duct.adapters.age.header import Stanza, malformed
from s3duct.adapters.age.keys import POST_QUANTUM, Identity, Recipient, Wrapped, argument_of, check_body
from s3duct.adapters.age.primitives import encode_base64
from s3duct.adapters.age.x25519 import POINT_BYTES, is_usable_point
from s3duct.domain.errors import KeySpecError

RECIPIENT_PREFIX = "age1pq"
IDENTITY_PREFIX = "AGE-SECRET-KEY-PQ-"
SEED_BYTES = 32
_KIND = "mlkem768x25519"
_INFO = b"age-encryption.org/mlkem768x25519"
_MLKEM_SEED_BYTES = 64
_MLKEM_PUBLIC_BYTES = 1184
_MLKEM_ENCAPSULATED_BYTES = 1088
_ENCAPSULATED_BYTES = _MLKEM_ENCAPSULATED_BYTES + POINT_BYTES


@cache
def _suite() -> hpke.Suite:
    return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


def _unsupported() -> KeySpecError:
    return KeySpecError(
        "post-quantum age keys need ML-KEM, which the cryptography package here was built without",
        hint="install cryptography from PyPI, or use a recipient that begins with age1 and no pq",
    )


class HybridRecipient(Recipient):
    """A public key of ML-KEM-768 and one of X25519."""

    def __init__(self, public: bytes) -> None:
        """Keep the keys.

        Args:
            public: 1,184 bytes of ML-KEM-768, then 32 of X25519.

        Raises:
            KeySpecError: they are no usable public keys, or `cryptography` has no ML-KEM.
        """
        lattice, point = public[:_MLKEM_PUBLIC_BYTES], public[_MLKEM_PUBLIC_BYTES:]
        if len(point) != POINT_BYTES or not is_usable_point(point):
            raise KeySpecError("a post-quantum age recipient is not a public key")
        try:
            self._key = hpke.MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(lattice), X25519PublicKey.from_public_bytes(point)
            )
        except ValueError:
            raise KeySpecError("a post-quantum age recipient is not a public key") from None
        except UnsupportedAlgorithm:
            raise _unsupported() from None
        self._public = public

    @property
    def text(self) -> str:
        """`age1pq1…`, 1,959 characters."""
        return bech32.encode(RECIPIENT_PREFIX, self._public)

    @property
    def post_quantum(self) -> bool:
        """Yes."""
        return True

    def wrap(self, file_key: bytes) -> Wrapped:
        """Wrap with HPKE under a fresh encapsulated key."""
        sealed = _suite().encrypt(file_key, self._key, _INFO)
        share, body = sealed[:_ENCAPSULATED_BYTES], sealed[_ENCAPSULATED_BYTES:]
        return Wrapped((Stanza(_KIND, (encode_base64(share),), body),), frozenset({POST_QUANTUM}))


class HybridIdentity(Identity):
    """The seed of both private keys."""

    def __init__(self, seed: bytes) -> None:
        """Derive the keys.

        Args:
            seed: 32 bytes.

        Raises:
            KeySpecError: it has another length, or `cryptography` has no ML-KEM.
        """
        if len(seed) != SEED_BYTES:
            raise KeySpecError("a post-quantum age identity has another length than it should")
        expanded = hashlib.shake_256(seed).digest(_MLKEM_SEED_BYTES + POINT_BYTES)
        try:
            lattice = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_BYTES])
        except UnsupportedAlgorithm:
            raise _unsupported() from None
        curve = X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_BYTES:])
        self._key = hpke.MLKEM768X25519PrivateKey(lattice, curve)
        self._public = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    @property
    def recipient(self) -> HybridRecipient:
        """Its public keys."""
        return HybridRecipient(self._public)

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """As the port of identities says."""
        if stanza.kind != _KIND:
            return None
        share = argument_of(stanza, size_bytes=_ENCAPSULATED_BYTES)
        check_body(stanza)
        if not is_usable_point(share[_MLKEM_ENCAPSULATED_BYTES:]):
            raise malformed("the share of a post-quantum stanza is a point of low order")
        try:
            return _suite().decrypt(share + stanza.body, self._key, _INFO)
        except InvalidTag:
            return None
