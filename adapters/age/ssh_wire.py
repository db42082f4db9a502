"""An SSH public key as SSH writes it, and the short tag by which age stanzas name it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from s3duct.adapters.age.primitives import encode_base64

_TAG_BYTES = 4
TAG_TEXT_CHARS = 6


@dataclass(frozen=True, slots=True)
class SshPublicKey:
    """`text` is the kind and the base64 of `wire`, as in an `authorized_keys` file, without a comment."""

    text: str
    wire: bytes

    @staticmethod
    def of(public: Ed25519PublicKey | RSAPublicKey) -> SshPublicKey:
        """Write a key."""
        text = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
        return SshPublicKey(text, base64.b64decode(text.split(" ")[1]))

    @property
    def tag(self) -> str:
        """Four bytes of a hash of the key, in base64: it gives away for whom a file is sealed."""
        return encode_base64(hashlib.sha256(self.wire).digest()[:_TAG_BYTES])
