"""pyrage, the Rust implementation of age: each opens what the other sealed, for every kind of key that it knows."""

from __future__ import annotations

import os
from typing import Any

import pyrage
import pytest

from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.identities import parse_identities
from s3duct.adapters.age.recipients import parse_recipient
from s3duct.domain.errors import WrongKey
from tests.support.age_keys import KeyPair, key_pair, seal, unseal

SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, 300_000]
KINDS = ["x25519", "ssh-ed25519", "ssh-rsa"]

every_kind = pytest.mark.parametrize("kind", KINDS)
every_size = pytest.mark.parametrize("size_bytes", SIZES)


def their_identity(kind: str, pair: KeyPair) -> Any:
    if kind == "x25519":
        return pyrage.x25519.Identity.from_str(pair.file.decode().splitlines()[-1])
    return pyrage.ssh.Identity.from_buffer(pair.file)


def their_recipient(pair: KeyPair) -> Any:
    kind = pyrage.x25519 if pair.recipient.startswith("age1") else pyrage.ssh
    return kind.Recipient.from_str(pair.recipient)


@every_kind
@every_size
def test_it_opens_what_is_sealed_here(kind: str, size_bytes: int) -> None:
    pair, plain = key_pair(kind), os.urandom(size_bytes)
    assert pyrage.decrypt(seal(pair.sealing(), plain), [their_identity(kind, pair)]) == plain


@every_kind
@every_size
def test_what_it_seals_opens_here(kind: str, size_bytes: int) -> None:
    pair, plain = key_pair(kind), os.urandom(size_bytes)
    # It adds a stanza of noise ("grease") to each header, which is to be ignored.
    assert unseal(pair.opening(), pyrage.encrypt(plain, [their_recipient(pair)])) == plain


def test_every_kind_of_recipient_in_one_file() -> None:
    pairs, plain = {kind: key_pair(kind) for kind in KINDS}, os.urandom(100_000)
    ours = seal(AgeCipher(recipients=[parse_recipient(pair.recipient) for pair in pairs.values()]), plain)
    theirs = pyrage.encrypt(plain, [their_recipient(pair) for pair in pairs.values()])
    for kind, pair in pairs.items():
        assert pyrage.decrypt(ours, [their_identity(kind, pair)]) == plain
        assert unseal(pair.opening(), theirs) == plain


def test_its_protected_identity_files_are_read() -> None:
    pair = key_pair("x25519")
    for armored in (False, True):
        sealed = pyrage.passphrase.encrypt(pair.file, "päss wörd", armored=armored)
        (read,) = parse_identities(sealed, passphrase=lambda _: "päss wörd")
        assert read.recipient.text == pair.recipient
        with pytest.raises(WrongKey):
            parse_identities(sealed, passphrase=lambda _: "pass word")
