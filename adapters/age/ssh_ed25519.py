"""Recipients `ssh-ed25519 …`: the Ed25519 key is moved to Curve25519, where key exchange is defined (age's agessh).

The exchange is tweaked by a hash of the SSH key, so that what is sealed for it is no use under the bare X25519 key.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from s3duct.adapters.age.header import Stanza, malformed
from s3duct.adapters.age.keys import Identity, Recipient, Wrapped, check_body
from s3duct.adapters.age.primitives import decode_base64, derive_key, encode_base64, unwrap_key, wrap_key
from s3duct.adapters.age.ssh_wire import TAG_TEXT_CHARS, SshPublicKey
from s3duct.adapters.age.x25519 import POINT_BYTES, exchange, is_usable_point
from s3duct.domain.errors import KeySpecError

KIND = "ssh-ed25519"
_INFO = b"age-encryption.org/v1/ssh-ed25519"
_PRIME = 2**255 - 19


class SshEd25519Recipient(Recipient):
    """An Ed25519 public key of SSH."""

    def __init__(self, key: SshPublicKey, point: bytes) -> None:
        """Keep the key.

        Args:
            key: as SSH writes it.
            point: its 32 bytes on the Edwards curve.

        Raises:
            KeySpecError: it has no usable counterpart on Curve25519.
        """
        self.key = key
        self.point = _to_montgomery(point)
        self.tweak = derive_key(b"", salt=key.wire, info=_INFO)
        if not is_usable_point(self.point):
            raise KeySpecError("an ssh-ed25519 recipient is not a public key")

    @property
    def text(self) -> str:
        """`ssh-ed25519 AAAA…`."""
        return self.key.text

    @property
    def post_quantum(self) -> bool:
        """No."""
        return False

    def wrap(self, file_key: bytes) -> Wrapped:
        """Wrap under a key exchanged with a fresh ephemeral one."""
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        secret = exchange(self.tweak, ephemeral.exchange(X25519PublicKey.from_public_bytes(self.point)))
        wrapping_key = derive_key(secret, salt=share + self.point, info=_INFO)
        stanza = Stanza(KIND, (self.key.tag, encode_base64(share)), wrap_key(file_key, wrapping_key))
        return Wrapped((stanza,))


class SshEd25519Identity(Identity):
    """An Ed25519 private key of SSH."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        """Keep the key. Raises `KeySpecError` if it is of no use."""
        public = private.public_key()
        self._recipient = SshEd25519Recipient(SshPublicKey.of(public), public.public_bytes_raw())
        # RFC 8032, 5.1.5: the scalar is the first half of the hash of the seed; X25519 clamps it the same way.
        self._secret = hashlib.sha512(private.private_bytes_raw()).digest()[:POINT_BYTES]

    @property
    def recipient(self) -> SshEd25519Recipient:
        """Its public key."""
        return self._recipient

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """As the port of identities says. The tag says whose stanza it is."""
        if stanza.kind != KIND:
            return None
        if len(stanza.arguments) != 2 or len(stanza.arguments[0]) != TAG_TEXT_CHARS:
            raise malformed("the arguments of an ssh-ed25519 stanza are not a tag and a share")
        tag, share = stanza.arguments[0], decode_base64(stanza.arguments[1])
        if share is None or len(share) != POINT_BYTES or decode_base64(tag) is None:
            raise malformed("the arguments of an ssh-ed25519 stanza are not a tag and a share")
        check_body(stanza)
        if tag != self._recipient.key.tag:
            return None
        try:
            secret = exchange(self._recipient.tweak, exchange(self._secret, share))
        except ValueError:
            raise malformed("the share of an ssh-ed25519 stanza is a point of low order") from None
        wrapping_key = derive_key(secret, salt=share + self._recipient.point, info=_INFO)
        return unwrap_key(stanza.body, wrapping_key)


def _to_montgomery(edwards: bytes) -> bytes:
    """The u-coordinate of an Ed25519 point: (1 + y) / (1 - y) (RFC 7748, section 4.1)."""
    y = int.from_bytes(edwards, "little") & (1 << 255) - 1
    if y >= _PRIME or y == 1:
        raise KeySpecError("an ssh-ed25519 recipient is not a public key")
    return ((1 + y) * pow(1 - y, -1, _PRIME) % _PRIME).to_bytes(POINT_BYTES, "little")
