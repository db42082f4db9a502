"""Targets that read keys: key specs and key files, identities and recipients, SSH keys."""

from __future__ import annotations

import base64
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from s3duct.adapters.age.header import parse_header, write_header
from s3duct.adapters.age.identities import parse_identities
from s3duct.adapters.age.recipients import parse_recipient, parse_recipients
from s3duct.adapters.age.ssh_keys import parse_ssh_identity, parse_ssh_recipient
from s3duct.adapters.key_spec import KEY_BYTES, read_key
from s3duct.domain.errors import KeySpecError, WrongKey
from tests.fuzz.age_targets import LABEL, PASSPHRASE, is_costly, protected
from tests.fuzz.armoring import armored, unarmored
from tests.fuzz.model import Shape, Target, must_hold, text_of
from tests.support.age_keys import KINDS, key_pair, ssh_private_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from s3duct.adapters.age.keys import Identity, Recipient

_FILE_KEY = bytes(range(16))
_HEX = b"0123456789abcdef" * 4
_SSH_KINDS = ["ssh-ed25519", "ssh-rsa"]
_OPENSSH = b"openssh-key-v1\0"
_POINTLESS = b"\0\0\0\x0bssh-ed25519\0\0\0\x20\1" + bytes(31)  # the neutral element: it has no counterpart
_TOKENS = (b"age1", b"AGE-SECRET-KEY-1", b"AGE-PLUGIN-", b"ssh-rsa ", b"ssh-ed25519 ", b"-----BEGIN ", b"#", b"\xef\xbb\xbf",
           b"\xed\xa0\x80", "\u2028".encode(), b"\0")  # fmt: skip


# --- AES keys --------------------------------------------------------------------------------------------------------


def _key_spec(data: bytes) -> None:
    spec = text_of(data)
    if spec.startswith("file:/"):
        return  # the files of this machine are none of a fuzzer's business
    assert len(read_key(spec)) == KEY_BYTES


def _key_file(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        key = read_key(f"file:{file.name}")
    assert key == data or key.hex() == data.decode("ascii").strip().lower()


def _key_variable(data: bytes) -> None:
    text = text_of(data)
    key = read_key("env:K", environment={"K": text})
    assert key.hex() == text.strip().lower()


# --- age keys --------------------------------------------------------------------------------------------------------


@must_hold()
def _check_recipient(recipient: Recipient) -> None:
    again = parse_recipient(recipient.text)
    assert (again.text, again.post_quantum) == (recipient.text, recipient.post_quantum)
    stanzas = recipient.wrap(_FILE_KEY).stanzas
    assert parse_header(write_header(stanzas, _FILE_KEY)).stanzas == stanzas


@must_hold()
def _check_identity(identity: Identity) -> None:
    _check_recipient(identity.recipient)
    assert identity.unwrap_any(identity.recipient.wrap(_FILE_KEY).stanzas) == _FILE_KEY


def _recipients(data: bytes) -> None:
    for recipient in parse_recipients(data):
        if not _is_of_a_plugin(recipient):
            _check_recipient(recipient)


def _identities(data: bytes) -> None:
    if not is_costly(data):
        for identity in parse_identities(data, passphrase=lambda _: PASSPHRASE):
            if not _is_of_a_plugin(identity.recipient):
                _check_identity(identity)


def _is_of_a_plugin(recipient: Recipient) -> bool:
    """A mutated name must not start a program of this machine."""
    return not recipient.is_of_fixed_size


def _recipients_files() -> Sequence[bytes]:
    texts = [key_pair(kind).recipient.encode() for kind in KINDS]
    return [*texts, b"# all\r\n\r\n" + b" me@host\r\n".join(texts[2:]) + b"\n" + texts[0]]


def _identity_files() -> Sequence[bytes]:
    age, hybrid = key_pair("x25519").file, key_pair("hybrid").file
    return [age, b"\xef\xbb\xbf" + age + hybrid, protected(age), armored(protected(age), LABEL)]


# --- SSH keys, below their base64 ------------------------------------------------------------------------------------


def _ssh_public(data: bytes) -> None:
    kind = next((kind for kind in _SSH_KINDS if kind.encode() in data[:20]), "ssh-rsa")
    recipient = parse_ssh_recipient(f"{kind} {base64.b64encode(data).decode()} me@host")
    assert recipient.text.startswith(f"{kind} ")
    _check_recipient(recipient)


def _ssh_private(data: bytes) -> None:
    label = "OPENSSH PRIVATE KEY" if data.startswith(_OPENSSH) else "PRIVATE KEY"
    _check_identity(parse_ssh_identity(armored(data, label), what="the key"))


@cache
def _ssh_public_keys() -> Sequence[bytes]:
    return [base64.b64decode(key_pair(kind).recipient.split(" ")[1]) for kind in _SSH_KINDS]


@cache
def _ssh_private_keys() -> Sequence[bytes]:
    return [
        *(unarmored(key_pair(kind).file) for kind in _SSH_KINDS),
        *(
            ssh_private_key(kind).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            for kind in _SSH_KINDS
        ),
    ]


UNUSABLE = (KeySpecError,)
KEY_TARGETS = [
    Target("key-spec", _key_spec, UNUSABLE, lambda: [b"hex:" + _HEX, b"hex:" + _HEX.upper()],
           tokens=(b"hex:", b"env:", b"file:", b"~", b"\0", b"\xed\xa0\x80", b"x" * 5000, "\uff11".encode())),
    Target("key-file", _key_file, UNUSABLE, lambda: [_HEX + b"\r\n", bytes(KEY_BYTES), b"\xff" * KEY_BYTES],
           tokens=(b"\n", b"\x1c", b"\xff"), longest=200),
    Target("key-variable", _key_variable, UNUSABLE, lambda: [_HEX, b" " + _HEX.upper() + b"\n"],
           tokens=(b"hex:", "\uff11".encode(), b"\xed\xa0\x80", "\u2028".encode()), longest=200),
    Target("recipients", _recipients, UNUSABLE, _recipients_files, Shape.LINES, _TOKENS),
    Target("identities", _identities, (KeySpecError, WrongKey), _identity_files, Shape.LINES, _TOKENS),
    Target("ssh-public", _ssh_public, UNUSABLE, _ssh_public_keys, tokens=(b"\0\0\0", b"\xff" * 4, b"ssh-rsa", _POINTLESS),
           longest=1024),
    Target("ssh-private", _ssh_private, UNUSABLE, _ssh_private_keys, slow=True,
           tokens=(b"\0\0\0", b"\xff" * 4, b"none", b"bcrypt", b"\x30\x82", b"\x30\x80")),
]  # fmt: skip
