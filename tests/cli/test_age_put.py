"""put with nothing but recipients: it cannot read what it stores, and still resumes, replaces, and knows its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.support.age_keys import identity_file, key_pair
from tests.support.buckets import FolderBucket, ServerBucket
from tests.support.command import Running, until
from tests.support.data import KIB, random_bytes
from tests.support.journals import read_journal
from tests.support.proxy import Exchange, RecordingProxy
from tests.support.streams import Stream

CHUNK = 16 * KIB
OLD = random_bytes(3 * CHUNK + 1, "old")
NEW = random_bytes(6 * CHUNK + 2, "new")
MINE, OTHER = (
    ("--age-recipient", key_pair("x25519").recipient),
    (
        "--age-recipient",
        key_pair("x25519", 1).recipient,
    ),
)
FLAGS = ("--chunk-size", "16K", *MINE)

every_manifest = pytest.mark.parametrize(
    "manifest", ["--no-encrypt-manifest", "--encrypt-manifest"], ids=["plain-manifest", "sealed-manifest"]
)


@pytest.fixture
def stream(folder_bucket: FolderBucket, unique_name: str) -> Stream:
    return Stream(folder_bucket, unique_name)


def owner(stream: Stream, folder: Path) -> Stream:
    """The same stream for who can read it."""
    return Stream(stream.bucket, stream.name, age_identity=identity_file(folder, "x25519"))


def put_and_kill(stream: Stream, *flags: str, chunks: int = 3) -> None:
    """Kill a put of `NEW` once that many chunks are on record."""
    over = threading.Event()

    def producer() -> Iterator[bytes]:
        yield NEW[: chunks * CHUNK + 10]
        over.wait(60)

    with stream.start("put", *flags, stdin=producer()) as running:
        try:
            until(
                lambda: (journal := read_journal(stream.name)) is not None and len(journal.keys) == chunks,
                f"{chunks} chunks are on record",
            )
            running.process.kill()
            running.process.wait()
        finally:
            over.set()


@every_manifest
def test_a_killed_put_goes_on_where_it_was(stream: Stream, tmp_path: Path, manifest: str) -> None:
    put_and_kill(stream, *FLAGS, manifest)
    stored = {key: stream.bucket.read(key) for key in stream.chunk_keys()}

    outcome = stream.put(NEW, *FLAGS, manifest)

    assert "3 of them stored before" in outcome.stderr
    assert {key: stream.bucket.read(key) for key in stored} == stored  # not sealed anew
    owner(stream, tmp_path).restores(NEW)
    owner(stream, tmp_path).verify("--deep")


def test_other_recipients_do_not_continue_it(stream: Stream, tmp_path: Path) -> None:
    """Else some chunks of the stream would be for some people, and some for others."""
    put_and_kill(stream, *FLAGS)
    for flags in ([*FLAGS, *OTHER], ["--chunk-size", "16K", *OTHER], ["--chunk-size", "16K"]):
        outcome = stream.put(NEW, *flags, code=7)
        assert "key" in outcome.lines[0] or "encryption" in outcome.lines[0], outcome.stderr

    # The owner's identity stands for the same recipient.
    assert "3 of them stored before" in owner(stream, tmp_path).put(NEW, "--chunk-size", "16K").stderr


@every_manifest
def test_a_stream_is_replaced(stream: Stream, tmp_path: Path, manifest: str) -> None:
    stream.put(OLD, *FLAGS, manifest)
    old = set(stream.chunk_keys())
    stream.put(NEW, *FLAGS, manifest, code=6)

    outcome = stream.put(NEW, *FLAGS, manifest, "--clobber")

    owner(stream, tmp_path).restores(NEW)
    # A sealed manifest does not say to whoever cannot open it which chunks are its own: they are told by where they lie.
    assert not old & set(stream.chunk_keys())
    assert "left in the bucket" not in outcome.stderr


@every_manifest
def test_a_killed_clobber_leaves_the_old_stream_and_goes_on_later(
    stream: Stream, tmp_path: Path, manifest: str
) -> None:
    stream.put(OLD, *FLAGS, manifest)
    put_and_kill(stream, *FLAGS, manifest, "--clobber")
    owner(stream, tmp_path).restores(OLD)

    outcome = stream.put(NEW, *FLAGS, manifest, "--clobber")

    assert "3 of them stored before" in outcome.stderr
    owner(stream, tmp_path).restores(NEW)


@every_manifest
@pytest.mark.parametrize("clobber", [[], ["--clobber"]], ids=["a new stream", "a replaced one"])
def test_one_killed_between_its_manifest_and_its_end_knows_that_manifest_as_its_own(
    rclone_s3: S3Server, unique_name: str, tmp_path: Path, manifest: str, clobber: list[str]
) -> None:
    """It cannot open a sealed one: the journal knows its digest."""
    started: list[Running] = []

    def on_answer(exchange: Exchange) -> None:
        if started and exchange.method == "PUT" and exchange.path.endswith("/.manifest.json"):
            started[0].process.kill()
            started[0].process.wait()

    with (
        RecordingProxy(rclone_s3.endpoint_url, on_answer=on_answer) as proxy,
        closing(ServerBucket(rclone_s3, endpoint_url=proxy.endpoint_url)) as bucket,
    ):
        stream = Stream(bucket, unique_name)
        if clobber:
            stream.put(OLD, *FLAGS, manifest)
        released = threading.Event()

        def producer() -> Iterator[bytes]:
            released.wait(60)
            yield NEW

        with stream.start("put", *FLAGS, manifest, *clobber, stdin=producer()) as running:
            started.append(running)
            released.set()
            assert running.wait().code == -9
        started.clear()
        written = bucket.read(stream.manifest_key)
        owner(stream, tmp_path).restores(NEW)
        assert read_journal(unique_name) is not None

        stream.put(NEW, *FLAGS, manifest)

        owner(stream, tmp_path).restores(NEW)
        assert read_journal(unique_name) is None
        assert bucket.read(stream.manifest_key) == written
        stream.put(NEW, *FLAGS, manifest, code=6)
