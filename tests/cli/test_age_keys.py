"""Age keys on the command line: what is read, what is refused, and what is said about it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.age_keys import identity_file, key_pair, protected, secret_of
from tests.support.buckets import FolderBucket
from tests.support.command import Outcome, run
from tests.support.streams import Stream

CLASSIC, OTHER, HYBRID = key_pair("x25519"), key_pair("x25519", 1), key_pair("hybrid")
SSH, RSA = key_pair("ssh-ed25519"), key_pair("ssh-rsa")


pytestmark = pytest.mark.usefixtures("private_files")


def put(bucket: FolderBucket, *flags: str | Path, code: int = 0) -> Outcome:
    """Put `n`; where it fails, nothing may be stored."""
    outcome = Stream(bucket, "n").put(b"data", *flags, code=code)
    if code:
        assert bucket.keys("") == []
        assert outcome.lines[0].startswith("s3duct: error: "), outcome.stderr
    return outcome


def written(folder: Path, *lines: str) -> Path:
    """A key file of these lines."""
    path = folder / "keys"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_identity_file_with_comments_and_several_identities(
    folder_bucket: FolderBucket, tmp_path: Path
) -> None:
    """put seals for the owner of each; get opens with any."""
    path = written(
        tmp_path, "# mine", "", secret_of(CLASSIC), "  # of the safe  ", f"  {secret_of(OTHER)}  ", "\r"
    )

    put(folder_bucket, "--age-identity", path)

    recipients = Stream(folder_bucket, "n").manifest()["encryption_recipient"]
    assert recipients == f"{CLASSIC.recipient},{OTHER.recipient}"
    for identity in (
        path,
        identity_file(tmp_path, "x25519"),
        identity_file(tmp_path, "x25519", 1),
    ):
        Stream(folder_bucket, "n", age_identity=identity).restores(b"data")
    Stream(folder_bucket, "n", age_identity=identity_file(tmp_path, "x25519", 2)).get(code=4)


def test_several_identity_files_and_one_that_fits(folder_bucket: FolderBucket, tmp_path: Path) -> None:
    put(folder_bucket, "--age-recipient", RSA.recipient)
    files = [identity_file(tmp_path, kind) for kind in ("hybrid", "x25519", "ssh-ed25519", "ssh-rsa")]

    outcome = Stream(folder_bucket, "n").get(*(word for path in files for word in ("--age-identity", path)))

    assert outcome.stdout == b"data"


def test_recipients_from_flags_files_and_identities_together(
    folder_bucket: FolderBucket, tmp_path: Path
) -> None:
    path = written(tmp_path, "# colleagues", SSH.recipient + " alice@example.org", "", OTHER.recipient)
    own = identity_file(tmp_path, "x25519")

    put(
        folder_bucket,
        *("--age-identity", own, "--age-recipients-file", path),
        *("--age-recipient", RSA.recipient, "--age-recipient", OTHER.recipient),
    )

    for identity in (own, *(identity_file(tmp_path, kind) for kind in ("ssh-ed25519", "ssh-rsa"))):
        Stream(folder_bucket, "n", age_identity=identity).restores(b"data")
    recipients = Stream(folder_bucket, "n").manifest()["encryption_recipient"].split(",")
    assert sorted(recipients) == sorted(
        [CLASSIC.recipient, OTHER.recipient, SSH.recipient, RSA.recipient]
    )  # repeated ones count once


@pytest.mark.parametrize("descriptor", ["-1", "0", "2", "99", "99999999999"])
def test_a_descriptor_that_gives_no_passphrase(
    folder_bucket: FolderBucket, tmp_path: Path, descriptor: str
) -> None:
    path = tmp_path / "protected"
    path.write_bytes(protected(secret_of(CLASSIC).encode(), "words"))

    outcome = put(folder_bucket, "--age-identity", path, "--age-passphrase-fd", descriptor, code=2)

    assert f"descriptor {descriptor}" in outcome.lines[0]


def test_an_ssh_key_under_a_passphrase_is_refused(folder_bucket: FolderBucket, tmp_path: Path) -> None:
    for form in ([], ["-m", "PEM"]):
        path = tmp_path / f"id{len(form)}"
        kind = ["-t", "rsa", "-b", "2048", *form] if form else ["-t", "ed25519"]
        subprocess.run(["ssh-keygen", "-q", *kind, "-N", "secret words", "-f", path], check=True)

        outcome = put(folder_bucket, "--age-identity", path, code=2)

        assert "is an SSH private key that is protected by a passphrase" in outcome.lines[0]
        assert "ssh-keygen -p" in outcome.lines[1]


@pytest.mark.parametrize("kind", ["x25519", "hybrid", "ssh-ed25519", "ssh-rsa"])
def test_recipients_where_an_identity_is_wanted_and_the_other_way_round(
    folder_bucket: FolderBucket, tmp_path: Path, kind: str
) -> None:
    pair = key_pair(kind)
    public, private = written(tmp_path, pair.recipient), identity_file(tmp_path, kind)

    told = put(folder_bucket, "--age-identity", public, code=2)
    assert "recipient" in told.lines[0]
    assert any("--age-recipient" in line for line in told.lines)

    if kind in ("x25519", "hybrid"):
        told = put(folder_bucket, "--age-recipient", secret_of(pair), code=2)
        assert "is an identity, not a recipient" in told.lines[0]
        assert secret_of(pair) not in told.stderr
    told = put(folder_bucket, "--age-recipients-file", private, code=2)
    assert secret_of(pair) not in told.stderr
    told = put(folder_bucket, "--age-recipient", str(private), code=2)
    assert "recipient" in told.lines[0]


def test_post_quantum_and_classic_recipients_are_not_mixed(
    folder_bucket: FolderBucket, tmp_path: Path
) -> None:
    for classic in (CLASSIC, SSH, RSA):
        told = put(
            folder_bucket, "--age-recipient", HYBRID.recipient, "--age-recipient", classic.recipient, code=2
        )
        assert "post-quantum and classic age recipients cannot be mixed" in told.lines[0]
    both = written(tmp_path, secret_of(HYBRID), secret_of(CLASSIC))
    put(folder_bucket, "--age-identity", both, code=2)

    put(folder_bucket, "--age-recipient", HYBRID.recipient)

    Stream(folder_bucket, "n", age_identity=both).restores(b"data")  # to open, they may be


@pytest.mark.parametrize("verb", ["put", "get", "verify", "list"])
def test_an_aes_key_and_age_keys_are_not_mixed(
    folder_bucket: FolderBucket, tmp_path: Path, key_file: Path, verb: str
) -> None:
    stream = Stream(folder_bucket, "n", key_file, age_identity=identity_file(tmp_path, "x25519"))
    name = 2 if verb == "list" else 0
    flags = [*folder_bucket.flags, *stream.flags[4:]] if name else stream.flags

    told = run(verb, *flags, stdin=b"data").expect(2)

    assert "an AES key (--key) and age keys cannot be used at once" in told.lines[0]
    if verb == "put":
        flags = [*Stream(folder_bucket, "n", key_file).flags, "--age-recipient", CLASSIC.recipient]
        run("put", *flags, stdin=b"data").expect(2)
        assert folder_bucket.keys("") == []


@pytest.mark.parametrize("verb", ["get", "verify"])
def test_readers_take_no_recipients(folder_bucket: FolderBucket, verb: str) -> None:
    put(folder_bucket)

    run(verb, *Stream(folder_bucket, "n").flags, "--age-recipient", CLASSIC.recipient).expect(2)


def test_files_that_cannot_be_keys(folder_bucket: FolderBucket, tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("# nothing but a comment\n")
    binary.write_bytes(bytes(range(256)))
    damaged = written(tmp_path, secret_of(CLASSIC)[:-1] + ("Q" if secret_of(CLASSIC)[-1] != "Q" else "P"))
    for flag in ("--age-identity", "--age-recipients-file"):
        for path in (empty, binary, damaged, tmp_path, tmp_path / "none"):
            told = put(folder_bucket, flag, path, code=2)

            assert secret_of(CLASSIC)[20:-1] not in told.stderr
            assert "Traceback" not in told.stderr
