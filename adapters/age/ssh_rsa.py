"""Recipients `ssh-rsa …`: the file key is encrypted with RSA-OAEP (age's agessh)."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from s3duct.adapters.age.header import Stanza, malformed
from s3duct.adapters.age.keys import Identity, Recipient, Wrapped
from s3duct.adapters.age.primitives import FILE_KEY_BYTES, decode_base64
from s3duct.adapters.age.ssh_wire import TAG_TEXT_CHARS, SshPublicKey
from s3duct.domain.errors import KeySpecError

KIND = "ssh-rsa"
_LABEL = b"age-encryption.org/v1/ssh-rsa"
_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=_LABEL)
# As age: shorter keys are too weak. Longer ones than OpenSSH makes would only cost time.
_SMALLEST_KEY_BITS, _LARGEST_KEY_BITS = 2048, 16384


class SshRsaRecipient(Recipient):
    """An RSA public key of SSH."""

    def __init__(self, public: RSAPublicKey) -> None:
        """Keep the key.

        Raises:
            KeySpecError: it is too short or too long, or nothing can be encrypted with it.
        """
        if not _SMALLEST_KEY_BITS <= public.key_size <= _LARGEST_KEY_BITS:
            raise KeySpecError(
                f"an ssh-rsa key has {public.key_size} bits, not {_SMALLEST_KEY_BITS} to {_LARGEST_KEY_BITS}"
            )
        try:
            public.encrypt(bytes(FILE_KEY_BYTES), _OAEP)
        except ValueError:  # an even modulus, for one, is found out no earlier
            raise KeySpecError("an ssh-rsa recipient is not a public key") from None
        self._public = public
        self.key = SshPublicKey.of(public)

    @property
    def text(self) -> str:
        """`ssh-rsa AAAA…`."""
        return self.key.text

    @property
    def post_quantum(self) -> bool:
        """No."""
        return False

    def wrap(self, file_key: bytes) -> Wrapped:
        """Encrypt the file key."""
        return Wrapped((Stanza(KIND, (self.key.tag,), self._public.encrypt(file_key, _OAEP)),))


class SshRsaIdentity(Identity):
    """An RSA private key of SSH."""

    def __init__(self, private: RSAPrivateKey) -> None:
        """Keep the key. Raises `KeySpecError` if it is too short or too long."""
        self._private = private
        self._recipient = SshRsaRecipient(private.public_key())

    @property
    def recipient(self) -> SshRsaRecipient:
        """Its public key."""
        return self._recipient

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """As the port of identities says. The tag says whose stanza it is."""
        if stanza.kind != KIND:
            return None
        if len(stanza.arguments) != 1 or len(stanza.arguments[0]) != TAG_TEXT_CHARS:
            raise malformed("the argument of an ssh-rsa stanza is not a tag")
        tag = stanza.arguments[0]
        if decode_base64(tag) is None:
            raise malformed("the argument of an ssh-rsa stanza is not a tag")
        if tag != self._recipient.key.tag:
            return None
        try:
            file_key = self._private.decrypt(stanza.body, _OAEP)
        except ValueError:
            return None
        if len(file_key) != FILE_KEY_BYTES:
            raise malformed("the file key in an ssh-rsa stanza has another length than it should")
        return file_key
