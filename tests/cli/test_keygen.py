"""keygen: a key in a file of its own that nobody else can read, and that never takes the place of another."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from tests.support import peers
from tests.support.buckets import FolderBucket
from tests.support.command import COMMAND, run
from tests.support.streams import KeyFields, Stream

KINDS = [["aes"], ["age"], ["age", "--pq"]]

every_kind = pytest.mark.parametrize("kind", KINDS, ids=" ".join)


def keygen(path: Path, *kind: str) -> str:
    """Make a key; return what is on stdout."""
    return run("keygen", kind[0], path, *kind[1:]).expect(0).stdout.decode()


@every_kind
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277], ids=oct)
def test_only_the_owner_can_read_it_whatever_the_umask(tmp_path: Path, kind: list[str], umask: int) -> None:
    path = tmp_path / "new.key"

    subprocess.run(
        [COMMAND, "keygen", kind[0], path, *kind[1:]], check=True, umask=umask, capture_output=True
    )

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@every_kind
def test_stdout_has_the_recipient_alone_and_nothing_shows_the_secret(tmp_path: Path, kind: list[str]) -> None:
    path = tmp_path / "new.key"

    outcome = run("keygen", kind[0], path, *kind[1:]).expect(0)

    content = path.read_bytes()
    assert len(outcome.lines) == 1
    assert repr(str(path)) in outcome.lines[0]
    if kind == ["aes"]:
        assert (len(content), outcome.stdout) == (32, b"")
        return
    created, public, secret = content.decode().splitlines()
    assert created.startswith("# created: ")
    assert f"# public key: {outcome.stdout.decode()}" == f"{public}\n"
    begins = ("age1pq1", "AGE-SECRET-KEY-PQ-1") if "--pq" in kind else ("age1", "AGE-SECRET-KEY-1")
    assert outcome.stdout.decode().startswith(begins[0])
    assert secret.startswith(begins[1])
    assert secret not in outcome.stderr


@every_kind
def test_every_key_is_new_and_opens_what_it_sealed(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path, kind: list[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    keygen(first, *kind)
    keygen(second, *kind)
    keys: list[KeyFields] = [{"age_identity": first}, {"age_identity": second}]
    if kind == ["aes"]:
        keys = [{"key_file": first}, {"key_file": second}]
    stream, other = (Stream(folder_bucket, unique_name, **key) for key in keys)
    stream.put(b"data")

    stream.restores(b"data")
    assert other.get(code=4).stdout == b""


@pytest.mark.parametrize("kind", [["age"], ["age", "--pq"]], ids=" ".join)
def test_the_recipient_is_all_that_put_needs(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path, kind: list[str]
) -> None:
    recipient = keygen(tmp_path / "identity", *kind).strip()

    Stream(folder_bucket, unique_name).put(b"data", "--age-recipient", recipient)

    Stream(folder_bucket, unique_name, age_identity=tmp_path / "identity").restores(b"data")


def test_age_keygen_says_the_same_recipient(tmp_path: Path) -> None:
    peers.require_age()

    recipient = keygen(tmp_path / "identity", "age")

    assert peers.recipients_of(tmp_path / "identity") == recipient.splitlines()


@every_kind
def test_a_file_that_is_there_is_left_as_it_was(tmp_path: Path, kind: list[str]) -> None:
    path = tmp_path / "old.key"
    path.write_bytes(b"the only key")
    path.chmod(0o640)
    before = path.stat()

    outcome = run("keygen", kind[0], path, *kind[1:]).expect(2)

    assert "not overwritten" in outcome.lines[0]
    assert outcome.stdout == b""
    after = path.stat()
    assert path.read_bytes() == b"the only key"
    assert (after.st_mode, after.st_ino, after.st_mtime_ns) == (
        before.st_mode,
        before.st_ino,
        before.st_mtime_ns,
    )


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Else somebody who can write the folder chooses where the key goes."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")

    run("keygen", "age", link).expect(2)

    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    outcome = run("keygen", "age", tmp_path / "none" / "identity").expect(10)

    assert "cannot create the key file" in outcome.lines[0]
    assert outcome.stdout == b""
    assert list(tmp_path.glob("none*")) == []


def test_a_folder_that_cannot_be_written() -> None:
    # Of the kernel: mode bits would not hold back a test that runs as root.
    outcome = run("keygen", "aes", Path("/proc/self/new.key")).expect(10)

    assert "cannot create the key file" in outcome.lines[0]


def test_an_aes_key_has_no_post_quantum_form(tmp_path: Path) -> None:
    outcome = run("keygen", "aes", tmp_path / "key", "--pq").expect(2)

    assert "--pq is for age identities" in outcome.lines[0]
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("arguments", [[], ["age"], ["pgp", "path"], ["", "path"]], ids=" ".join)
def test_kinds_that_there_are_not(tmp_path: Path, arguments: list[str]) -> None:
    outcome = run("keygen", *(str(tmp_path / word) if word == "path" else word for word in arguments))

    assert outcome.expect(2).lines[0].startswith("s3duct: error: ")
    assert not (tmp_path / "path").exists()
