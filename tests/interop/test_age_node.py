"""npm `age-encryption`, a program of other authors: each opens what the other sealed, X25519 and post-quantum."""

from __future__ import annotations

import os

import pytest

from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.recipients import parse_recipient
from tests.support.age_keys import key_pair, seal, secret_of, unseal
from tests.support.peers import node, require_node

SIZES = [0, 1, 65_535, 65_536, 65_537, 200_000]

every_kind = pytest.mark.parametrize("kind", ["x25519", "hybrid"])
every_size = pytest.mark.parametrize("size_bytes", SIZES)


@pytest.fixture(autouse=True)
def peer_is_there() -> None:
    require_node()


@every_kind
def test_it_makes_the_same_recipient_of_an_identity(kind: str) -> None:
    pair = key_pair(kind)
    assert node("recipient", secret_of(pair)).decode() == pair.recipient


@every_kind
@every_size
def test_it_opens_what_is_sealed_here(kind: str, size_bytes: int) -> None:
    pair, plain = key_pair(kind), os.urandom(size_bytes)
    assert node("open", secret_of(pair), given=seal(pair.sealing(), plain)) == plain


@every_kind
@every_size
def test_what_it_seals_opens_here(kind: str, size_bytes: int) -> None:
    pair, plain = key_pair(kind), os.urandom(size_bytes)
    sealed = node("seal", pair.recipient, given=plain)
    assert unseal(pair.opening(), sealed) == plain
    assert len(sealed) == pair.sealing().sealed_size_bytes(size_bytes)


@every_kind
def test_several_recipients_both_ways(kind: str) -> None:
    pairs, plain = [key_pair(kind, number) for number in range(3)], os.urandom(1000)
    ours = seal(AgeCipher(recipients=[parse_recipient(pair.recipient) for pair in pairs]), plain)
    theirs = node("seal", *(pair.recipient for pair in pairs), given=plain)
    for pair in pairs:
        assert node("open", secret_of(pair), given=ours) == plain
        assert unseal(pair.opening(), theirs) == plain
