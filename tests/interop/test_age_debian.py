"""The `age` command, where it is installed: each opens what the other sealed, for every kind of key that it knows."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.identities import parse_identities
from s3duct.adapters.age.recipients import parse_recipient
from s3duct.domain.errors import WrongKey
from tests.support.age_keys import key_pair, seal, unseal
from tests.support.peers import AGE, AGE_KEYGEN, age, recipients_of, require_age

if TYPE_CHECKING:
    from pathlib import Path

SIZES = [0, 1, 65_535, 65_536, 65_537, 300_000]
PASSPHRASE = "correct horse battery staple"

every_kind = pytest.mark.parametrize("kind", ["x25519", "ssh-ed25519", "ssh-rsa"])
every_size = pytest.mark.parametrize("size_bytes", SIZES)


@pytest.fixture(autouse=True)
def peer_is_there() -> None:
    require_age()


def protect(plain: Path, sealed: Path, *options: str) -> None:
    """Run `age -p`, which asks for the passphrase twice on its terminal."""
    leader, follower = os.openpty()
    command = ["setsid", "--ctty", "--wait", AGE, "-p", *options, "-o", str(sealed), str(plain)]
    run = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)  # so that reading fails, rather than waits, once it has ended
    try:
        said = b""
        for prompt in (b"passphrase", b"onfirm"):
            while prompt not in said:
                said += os.read(leader, 1000)
            time.sleep(0.2)  # it turns the echo off after it has asked
            os.write(leader, PASSPHRASE.encode() + b"\n")
        assert run.wait(timeout=60) == 0
    finally:
        run.kill()
        run.wait()
        os.close(leader)


@every_kind
@every_size
def test_it_opens_what_is_sealed_here(tmp_path: Path, kind: str, size_bytes: int) -> None:
    pair, plain = key_pair(kind), os.urandom(size_bytes)
    identity = tmp_path / "identity"
    identity.write_bytes(pair.file)
    identity.chmod(0o600)
    assert age("-d", "-i", identity, given=seal(pair.sealing(), plain)) == plain


@every_kind
@every_size
def test_what_it_seals_opens_here(kind: str, size_bytes: int) -> None:
    pair, plain = key_pair(kind), os.urandom(size_bytes)
    sealed = age("-r", pair.recipient, given=plain)
    assert unseal(pair.opening(), sealed) == plain
    assert len(sealed) == pair.sealing().sealed_size_bytes(size_bytes)


def test_every_kind_of_recipient_in_one_file(tmp_path: Path) -> None:
    pairs = [key_pair(kind) for kind in ("x25519", "ssh-ed25519", "ssh-rsa")]
    plain = os.urandom(100_000)
    ours = seal(AgeCipher(recipients=[parse_recipient(pair.recipient) for pair in pairs]), plain)
    theirs = age(*(word for pair in pairs for word in ("-r", pair.recipient)), given=plain)
    for number, pair in enumerate(pairs):
        identity = tmp_path / str(number)
        identity.write_bytes(pair.file)
        assert age("-d", "-i", identity, given=ours) == plain
        assert unseal(pair.opening(), theirs) == plain


def test_its_key_files_are_read_and_ours_are_read_by_it(tmp_path: Path) -> None:
    made = subprocess.run([AGE_KEYGEN], capture_output=True, check=True).stdout
    identity = tmp_path / "identity"
    for content in (made, key_pair("x25519").file):
        identity.write_bytes(content)
        (read,) = parse_identities(content)
        assert [AgeCipher.of_identities([read]).recipient] == recipients_of(identity) == [read.recipient.text]


@pytest.mark.parametrize("options", [[], ["-a"]], ids=["binary", "armored"])
def test_its_protected_identity_files_are_read(tmp_path: Path, options: list[str]) -> None:
    pair = key_pair("x25519")
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(pair.file)
    protect(plain, sealed, *options)
    (read,) = parse_identities(sealed.read_bytes(), passphrase=lambda _: PASSPHRASE)
    assert read.recipient.text == pair.recipient
    with pytest.raises(WrongKey, match="the passphrase does not open"):
        parse_identities(sealed.read_bytes(), passphrase=lambda _: "another")
