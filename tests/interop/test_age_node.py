"""npm `age-encryption`, a program of other authors: each opens what the other sealed, X25519 and post-quantum."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.recipients import parse_recipient
from tests.support.age_keys import KeyPair, key_pair, seal, unseal

ROOT = Path(__file__).resolve().parents[2]
# Read now: the variable is gone from the environment when a test runs.
MODULES = Path(os.environ.get("S3DUCT_ORACLES") or ROOT / ".oracles").resolve() / "node" / "node_modules"
REQUIRED = bool(os.environ.get("S3DUCT_REQUIRE_NODE"))
NODE = shutil.which("node")
PEER = Path(__file__).with_name("age_peer.mjs")
SIZES = [0, 1, 65_535, 65_536, 65_537, 200_000]

every_kind = pytest.mark.parametrize("kind", ["x25519", "hybrid"])
every_size = pytest.mark.parametrize("size_bytes", SIZES)


@pytest.fixture(autouse=True)
def peer_is_there() -> None:
    missing = "node" if NODE is None else "" if MODULES.exists() else "age-encryption (run `make oracles`)"
    if missing and REQUIRED:
        pytest.fail(f"S3DUCT_REQUIRE_NODE is set, and there is no {missing}")
    if missing:
        pytest.skip(f"there is no {missing}")


def peer(*arguments: str, given: bytes = b"") -> bytes:
    command = [str(NODE), str(PEER), str(MODULES), *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True, timeout=120).stdout


def secret_of(pair: KeyPair) -> str:
    return pair.file.decode().splitlines()[-1]


@every_kind
def test_it_makes_the_same_recipient_of_an_identity(kind: str) -> None:
    pair = key_pair(kind)
    assert peer("recipient", secret_of(pair)).decode() == pair.recipient


@every_kind
@every_size
def test_it_opens_what_is_sealed_here(kind: str, size_bytes: int) -> None:
    pair, plain = key_pair(kind), os.urandom(size_bytes)
    assert peer("open", secret_of(pair), given=seal(pair.sealing(), plain)) == plain


@every_kind
@every_size
def test_what_it_seals_opens_here(kind: str, size_bytes: int) -> None:
    pair, plain = key_pair(kind), os.urandom(size_bytes)
    sealed = peer("seal", pair.recipient, given=plain)
    assert unseal(pair.opening(), sealed) == plain
    assert len(sealed) == pair.sealing().sealed_size_bytes(size_bytes)


@every_kind
def test_several_recipients_both_ways(kind: str) -> None:
    pairs, plain = [key_pair(kind, number) for number in range(3)], os.urandom(1000)
    ours = seal(AgeCipher(recipients=[parse_recipient(pair.recipient) for pair in pairs]), plain)
    theirs = peer("seal", *(pair.recipient for pair in pairs), given=plain)
    for pair in pairs:
        assert peer("open", secret_of(pair), given=ours) == plain
        assert unseal(pair.opening(), theirs) == plain
