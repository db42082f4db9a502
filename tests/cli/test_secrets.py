"""No secret leaves: not in messages, not in the state folder, not in the bucket, not in the process list."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.support.age_keys import identity_file
from tests.support.buckets import FolderBucket, ServerBucket
from tests.support.command import Outcome, Running, run, until
from tests.support.data import KIB, random_bytes
from tests.support.journals import journal_files, read_journal

KEY = random_bytes(32, "secret key")
CONTENT = random_bytes(20 * KIB, "content")


def traces_of(secret: bytes) -> list[bytes]:
    """The forms in which a secret might be written down."""
    text = secret.hex()
    encoded = base64.b64encode(secret).rstrip(b"=")
    return [secret, text.encode(), text.upper().encode(), encoded, repr(secret).encode()]


def is_clean(what: str, data: bytes, secrets: list[bytes]) -> None:
    for secret in secrets:
        assert secret not in data, f"a secret is in {what}"


@pytest.fixture
def key_spec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "env":
        monkeypatch.setenv("BACKUP_KEY", KEY.hex())
        return "env:BACKUP_KEY"
    return f"hex:{KEY.hex()}"


@pytest.mark.parametrize("key_spec", ["env", "hex"], indirect=True)
def test_nothing_secret_is_written_anywhere(seaweedfs: S3Server, unique_name: str, key_spec: str) -> None:
    secrets = [*traces_of(KEY), *traces_of(seaweedfs.secret_key.encode())]
    environment = {**seaweedfs.environment(), "S3DUCT_TRACEBACK": "1"}
    flags = ["--bucket", seaweedfs.bucket, "--endpoint-url", seaweedfs.endpoint_url, "--name", unique_name]
    flags += ["--key", key_spec]
    over = threading.Event()

    def producer() -> Iterator[bytes]:
        yield CONTENT[: 10 * KIB]
        over.wait(60)

    outcomes: list[Outcome] = []
    with Running(
        ["put", *flags, "--chunk-size", "4K", "--verbose"], stdin=producer(), environment=environment
    ) as running:
        until(lambda: read_journal(unique_name) is not None, "the journal is there")
        typed = b"\0".join(
            str(argument).encode() for argument in ("put", *flags, "--chunk-size", "4K", "--verbose")
        )
        shown = Path(f"/proc/{running.pid}/cmdline").read_bytes().rstrip(b"\0")
        # The interpreter and the script in front, then exactly what was typed: no more, no less.
        assert shown.endswith(typed)
        is_clean("the process list", shown.removesuffix(typed), secrets)
        running.process.kill()
        over.set()
        outcomes.append(running.wait())
    is_clean("the journal", b"".join(journal_files().values()), secrets)

    outcomes += [
        run("put", *flags, "--chunk-size", "4K", "--verbose", stdin=CONTENT, environment=environment).expect(
            0
        ),
        run("put", *flags, stdin=CONTENT, environment=environment).expect(6),
        run("verify", *flags, "--deep", "--summary", "json", environment=environment).expect(0),
        run("list", *flags[:4], "--key", key_spec, "--json", environment=environment).expect(0),
        run("get", *flags, "--chunk-size", "1K", environment=environment).expect(2),
    ]
    for outcome in outcomes:
        is_clean("stdout", outcome.stdout, secrets)
        is_clean("stderr", outcome.stderr.encode(), secrets)
    with closing(ServerBucket(seaweedfs)) as bucket:
        for key, content in bucket.contents(unique_name).items():
            is_clean(key, content, secrets)


def test_a_key_spec_that_is_wrong_is_not_repeated(folder_bucket: FolderBucket) -> None:
    """It may be a key with a slip of the pen."""
    for spec in (
        KEY.hex(),
        f"hex:{KEY.hex()}0",
        f"hexx:{KEY.hex()}",
        f"env:{KEY.hex()}",
        f"file:{KEY.hex()}",
    ):
        outcome = run("get", *folder_bucket.flags, "--name", "n", "--key", spec).expect(2)

        assert KEY.hex()[:32] not in outcome.stderr


def test_a_key_after_a_space_too_many_is_not_repeated(folder_bucket: FolderBucket) -> None:
    outcome = run("get", *folder_bucket.flags, "--name", "n", "--key", "hex:", KEY.hex()).expect(2)

    assert KEY.hex()[:32] not in outcome.stderr


@pytest.mark.parametrize("kind", ["x25519", "hybrid", "ssh-ed25519"])
@pytest.mark.parametrize("flag", ["--age-identity", "--age-recipients-file", "--key"])
def test_the_content_of_a_key_file_in_place_of_its_path_is_not_repeated(
    folder_bucket: FolderBucket, tmp_path: Path, kind: str, flag: str
) -> None:
    """`--age-identity "$(cat FILE)"`: a comment stands in front of the secret."""
    content = "# created: today\n" + identity_file(tmp_path, kind).read_text()
    secret = content.splitlines()[2][:20]
    value = f"file:{content}" if flag == "--key" else content

    outcome = run("put", *folder_bucket.flags, "--name", "n", f"{flag}={value}", stdin=b"data").expect(2)

    assert secret not in outcome.stderr
    assert len(outcome.lines) == 2, "the error, and what to do"
