"""Reads SSH keys, public and private, as recipients and identities."""

from __future__ import annotations

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_ssh_private_key,
    load_ssh_public_key,
)

from s3duct.adapters.age.keys import Identity, Recipient
from s3duct.adapters.age.ssh_ed25519 import SshEd25519Identity, SshEd25519Recipient
from s3duct.adapters.age.ssh_rsa import SshRsaIdentity, SshRsaRecipient
from s3duct.adapters.age.ssh_wire import SshPublicKey
from s3duct.domain.errors import KeySpecError

_KINDS = "only ssh-ed25519 and ssh-rsa keys can encrypt"
# OpenSSH writes keys of up to 16,384 bits, in 12.8 kB. The time it takes to check a key grows with the cube of its size: a
# file of 100 kB would take hours.
_MAX_PRIVATE_KEY_BYTES = 16 * 1024
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
# What `cryptography` raises about a key that it cannot read: by kind, by form, by arithmetic.
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, OverflowError, InternalError)


def is_ssh_public_key(text: str) -> bool:
    """Whether a recipient looks like one of SSH (`ssh-…`, `ecdsa-…`, `sk-…`)."""
    return text.startswith(("ssh-", "ecdsa-", "sk-"))


def parse_ssh_recipient(text: str) -> Recipient:
    """Read a line of an `authorized_keys` or `.pub` file, without options; its comment is dropped.

    Raises:
        KeySpecError: it is malformed, or of a kind that cannot encrypt.
    """
    kind, _, rest = text.partition(" ")
    if kind not in ("ssh-ed25519", "ssh-rsa"):
        raise KeySpecError(f"an SSH key of another kind was given as a recipient: {kind[:40]!r}", hint=_KINDS)
    encoded = rest.strip().partition(" ")[0]
    try:
        public = load_ssh_public_key(f"{kind} {encoded}".encode())
    except _UNREADABLE:
        raise KeySpecError(f"a recipient of kind {kind} is malformed", hint="is it copied whole?") from None
    if isinstance(public, Ed25519PublicKey):
        return SshEd25519Recipient(SshPublicKey.of(public), public.public_bytes_raw())
    if isinstance(public, RSAPublicKey):
        return SshRsaRecipient(public)
    raise KeySpecError("a recipient is of another kind than it says", hint=_KINDS)


def parse_ssh_identity(content: bytes, *, what: str) -> Identity:
    """Read a private key file of SSH.

    Args:
        content: the file.
        what: how to call it in errors.

    Raises:
        KeySpecError: it is malformed, encrypted, too large, or of a kind that cannot decrypt.
    """
    if len(content) > _MAX_PRIVATE_KEY_BYTES:
        raise KeySpecError(
            f"{what} has more than {_MAX_PRIVATE_KEY_BYTES} bytes, too many for an SSH private key"
        )
    load = load_ssh_private_key if content.startswith(_OPENSSH) else load_pem_private_key
    try:
        private = load(content, None)
    except TypeError:  # so `cryptography` says that a password is needed
        raise _encrypted(what) from None
    except _UNREADABLE as error:
        if b"ENCRYPTED" in content or "encrypted" in str(error):
            raise _encrypted(what) from None
        raise KeySpecError(f"{what} is not an SSH private key that can be read") from None
    if isinstance(private, Ed25519PrivateKey):
        return SshEd25519Identity(private)
    if isinstance(private, RSAPrivateKey):
        return SshRsaIdentity(private)
    raise KeySpecError(f"{what} holds an SSH key of another kind", hint=_KINDS)


def _encrypted(what: str) -> KeySpecError:
    return KeySpecError(
        f"{what} is an SSH private key that is protected by a passphrase, which is not supported",
        hint="take the passphrase off a copy (cp KEY COPY && ssh-keygen -p -f COPY), or use an age identity",
    )
