"""Keys of every kind that age knows, made once for a run, and the shortest ways to seal and to open with them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.header import Stanza, write_header
from s3duct.adapters.age.identities import parse_identities
from s3duct.adapters.age.keygen import new_identity
from s3duct.adapters.age.payload import PayloadSealer
from s3duct.adapters.age.primitives import encode_base64, wrap_key
from s3duct.adapters.age.recipients import parse_recipient

if TYPE_CHECKING:
    from pathlib import Path

    from s3duct.adapters.age.keys import Identity
    from s3duct.domain.ports.cipher import Cipher

KINDS = ["x25519", "hybrid", "ssh-ed25519", "ssh-rsa"]
NOW = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)
SshPrivateKey = Ed25519PrivateKey | RSAPrivateKey


class KeyPair(NamedTuple):
    """An identity file and the recipient of what is in it."""

    file: bytes
    recipient: str

    @property
    def identity(self) -> Identity:
        return _read(self.file)

    def cipher(self) -> AgeCipher:
        """Seal and open."""
        return AgeCipher.of_identities([self.identity])

    def sealing(self) -> AgeCipher:
        """Seal alone."""
        return AgeCipher(recipients=[parse_recipient(self.recipient)])

    def opening(self) -> AgeCipher:
        """Open alone."""
        return AgeCipher(identities=[self.identity])


def key_pair(kind: str, number: int = 0) -> KeyPair:
    """The same pair whenever it is asked for."""
    return _key_pair(kind, number)


def secret_of(pair: KeyPair) -> str:
    """The line of an identity file that is to be kept secret."""
    return pair.file.decode().splitlines()[-1]


def identity_file(folder: Path, kind: str, number: int = 0) -> Path:
    """Write the identity of the pair into a file of the mode that `age` and SSH ask for."""
    path = folder / f"{kind}-{number}.identity"
    path.write_bytes(key_pair(kind, number).file)
    path.chmod(0o600)
    return path


def ssh_private_key(kind: str, number: int = 0) -> SshPrivateKey:
    """The private key of the pair."""
    return _ssh_private_key(kind, number)


@cache
def _read(file: bytes) -> Identity:
    return parse_identities(file)[0]


@cache
def _key_pair(kind: str, number: int) -> KeyPair:
    if kind in ("x25519", "hybrid"):
        made = new_identity(post_quantum=kind == "hybrid", created=NOW)
        return KeyPair(made.file_text.encode(), made.recipient)
    private = ssh_private_key(kind, number)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return KeyPair(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), public)


@cache
def _ssh_private_key(kind: str, number: int) -> SshPrivateKey:
    del number
    return Ed25519PrivateKey.generate() if kind == "ssh-ed25519" else generate_private_key(65537, 2048)


def seal(cipher: Cipher, plain: bytes) -> bytes:
    sealer = cipher.sealer()
    return bytes(sealer.update(memoryview(plain))) + bytes(sealer.finish())


def unseal(cipher: Cipher, sealed: bytes, step: int = 65_536) -> bytes:
    opener, buffer = cipher.opener(), memoryview(bytearray(len(sealed)))
    for before, filled in pairwise([*range(0, len(sealed), step), len(sealed)]):
        buffer[before:filled] = sealed[before:filled]
        opener.advance(buffer, filled)
    stop = opener.finish(buffer, len(sealed))
    return bytes(buffer[opener.start : stop])


def protected(content: bytes, passphrase: str, factor: str = "2", salt: bytes = bytes(16)) -> bytes:
    """An age file under a passphrase, at a work factor that costs nothing."""
    stretch = Scrypt(salt=b"age-encryption.org/v1/scrypt" + salt, length=32, n=4, r=8, p=1)
    file_key, nonce = os.urandom(16), os.urandom(16)
    body = wrap_key(file_key, stretch.derive(passphrase.encode()))
    header = write_header([Stanza("scrypt", (encode_base64(salt), factor), body)], file_key)
    sealer = PayloadSealer(file_key, nonce)
    return bytes(sealer.update(memoryview(content), head=header + nonce)) + sealer.finish()
