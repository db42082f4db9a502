"""No identity and no passphrase leaves: not in messages, journals or manifests, and not in the process list."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.age_keys import identity_file, key_pair, protected, secret_of
from tests.support.buckets import FolderBucket
from tests.support.command import COMMAND, Outcome, Running, run, until
from tests.support.data import KIB, random_bytes
from tests.support.journals import journal_files, read_journal, state_folder
from tests.support.streams import Stream

CONTENT = random_bytes(20 * KIB, "age secrets")
PASSPHRASE = "correct horse battery staple"
BASH = Path("/bin/bash")


def secrets_of(kind: str) -> list[bytes]:
    """The passphrase, and every line of the identity that is long enough to be known again."""
    lines = [line for line in key_pair(kind).file.splitlines() if not line.startswith((b"#", b"-----"))]
    return [PASSPHRASE.encode(), *lines]


def is_clean(what: str, data: bytes, secrets: list[bytes]) -> None:
    for secret in secrets:
        assert secret not in data, f"a secret is in {what}"


@pytest.mark.parametrize("kind", ["x25519", "hybrid", "ssh-ed25519"])
def test_nothing_secret_is_written_anywhere(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path, kind: str
) -> None:
    secrets = secrets_of(kind)
    identity, passphrase = identity_file(tmp_path, kind), tmp_path / "passphrase"
    identity.write_bytes(protected(identity.read_bytes(), PASSPHRASE))
    passphrase.write_text(PASSPHRASE)
    stream = Stream(folder_bucket, unique_name, age_identity=identity)
    script = ["-c", f'exec "$@" 3<"{passphrase}"', "bash"]
    flags = [*stream.flags, "--age-passphrase-fd", "3", "--verbose"]
    put = [str(COMMAND), "put", *flags, "--chunk-size", "4K"]
    environment = {"S3DUCT_TRACEBACK": "1"}
    over = threading.Event()

    def producer() -> Iterator[bytes]:
        yield CONTENT[: 10 * KIB]
        over.wait(60)

    outcomes: list[Outcome] = []
    with Running([*script, *put], stdin=producer(), environment=environment, command=BASH) as running:
        until(
            lambda: (found := read_journal(unique_name)) is not None and bool(found.keys), "a chunk is stored"
        )
        is_clean("the process list", Path(f"/proc/{running.pid}/cmdline").read_bytes(), secrets)
        is_clean("the environment", Path(f"/proc/{running.pid}/environ").read_bytes(), secrets)
        running.process.kill()
        over.set()
        outcomes.append(running.wait())
    journals = b"".join(journal_files().values())
    assert b'"age"' in journals
    is_clean("the journal", journals, secrets)

    for verb, stdin, code in (
        ("put", CONTENT, 0),
        ("put", CONTENT, 6),
        ("get", None, 0),
        ("verify", None, 0),
    ):
        words = put if verb == "put" else [str(COMMAND), verb, *flags]
        outcomes.append(run(*script, *words, stdin=stdin, environment=environment, command=BASH).expect(code))
    for outcome in outcomes:
        is_clean("stderr", outcome.stderr.encode(), secrets)
    for path in (*state_folder().rglob("*"), *(tmp_path / "home").rglob("*")):
        if path.is_file():
            is_clean(str(path), path.read_bytes(), secrets)
    for key, content in folder_bucket.contents("").items():
        is_clean(key, content, secrets)


@pytest.mark.parametrize("kind", ["x25519", "hybrid"])
def test_an_identity_that_went_astray_is_not_repeated(
    folder_bucket: FolderBucket, tmp_path: Path, kind: str
) -> None:
    """In the place of a recipient, of a path, or with a slip of the pen."""
    secret = secret_of(key_pair(kind))
    slip = tmp_path / "slip"
    slip.write_text(secret[:-3] + "QQQ\n")
    flags = [*folder_bucket.flags, "--name", "n"]
    for given in (
        ["--age-recipient", secret],
        ["--age-recipient", secret.lower()],
        ["--age-recipient", secret[:-1]],
        ["--age-recipients-file", identity_file(tmp_path, kind)],
        ["--age-identity", slip],
    ):
        outcome = run("put", *flags, *given, stdin=b"data").expect(2)

        for part in (secret[20:-3], secret[20:-3].lower()):
            assert part not in outcome.stderr
    assert folder_bucket.keys("") == []


def test_an_identity_given_in_place_of_its_file_is_not_repeated(folder_bucket: FolderBucket) -> None:
    secret = secret_of(key_pair("x25519"))

    outcome = run("get", *folder_bucket.flags, "--name", "n", "--age-identity", secret).expect(2)

    assert secret not in outcome.stderr
