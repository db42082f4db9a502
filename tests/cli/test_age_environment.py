"""Age keys from `S3DUCT_*`: several of a kind are separated by commas, since SSH recipients have spaces in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.age_keys import identity_file, key_pair
from tests.support.buckets import FolderBucket
from tests.support.command import run
from tests.support.streams import Stream

SSH = [key_pair("ssh-ed25519").recipient + " alice@laptop", key_pair("ssh-rsa").recipient]


@pytest.fixture
def stream(folder_bucket: FolderBucket, unique_name: str) -> Stream:
    return Stream(folder_bucket, unique_name)


@pytest.mark.parametrize("separator", [",", ", ", " ,\n"], ids=repr)
def test_two_ssh_recipients_and_two_identities(stream: Stream, tmp_path: Path, separator: str) -> None:
    identities = [identity_file(tmp_path, kind) for kind in ("x25519", "ssh-rsa")]

    run(
        *("put", *stream.flags),
        stdin=b"data",
        environment={"S3DUCT_AGE_RECIPIENT": separator.join(SSH)},
    ).expect(0)

    recipients = stream.manifest()["encryption_recipient"].split(",")
    assert recipients == [" ".join(recipient.split()[:2]) for recipient in SSH]
    environment = {"S3DUCT_AGE_IDENTITY": separator.join(map(str, identities))}
    for verb in ("get", "verify"):
        run(verb, *stream.flags, environment=environment).expect(0)
    assert run("get", *stream.flags, environment=environment).expect(0).stdout == b"data"


def test_recipients_files_and_the_passphrase_descriptor(stream: Stream, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second file"
    first.write_text(SSH[0] + "\n")
    second.write_text(key_pair("x25519").recipient + "\n")

    run(
        *("put", *stream.flags),
        stdin=b"data",
        environment={"S3DUCT_AGE_RECIPIENTS_FILE": f"{first},{second}"},
    ).expect(0)

    for kind in ("ssh-ed25519", "x25519"):
        Stream(stream.bucket, stream.name, age_identity=identity_file(tmp_path, kind)).restores(b"data")
    told = run(
        *("put", *stream.flags, "--clobber", "--age-identity", str(identity_file(tmp_path, "x25519"))),
        stdin=b"data",
        environment={"S3DUCT_AGE_PASSPHRASE_FD": "0"},
    )
    assert "descriptor 0 cannot give the passphrase" in told.expect(2).lines[0]


def test_flags_win(stream: Stream, tmp_path: Path) -> None:
    environment = {"S3DUCT_AGE_RECIPIENT": key_pair("hybrid").recipient, "S3DUCT_AGE_IDENTITY": "/nowhere"}
    flags = ["--age-recipient", key_pair("x25519").recipient]
    identity = identity_file(tmp_path, "x25519")

    run(
        "put", *stream.flags, *flags, "--age-identity", identity, stdin=b"data", environment=environment
    ).expect(0)

    outcome = run("get", *stream.flags, "--age-identity", identity, environment=environment)
    assert outcome.expect(0).stdout == b"data"


def test_no_encrypt_wins_over_keys_in_the_environment(stream: Stream) -> None:
    environment = {"S3DUCT_AGE_RECIPIENT": key_pair("x25519").recipient, "S3DUCT_AGE_IDENTITY": "/nowhere"}

    run("put", *stream.flags, "--no-encrypt", stdin=b"data", environment=environment).expect(0)

    assert stream.manifest()["encrypted"] is False
