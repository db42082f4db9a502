"""A stream that exists is replaced only where that is said, and stays whole until the new one is."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.support.buckets import Bucket, FolderBucket, ServerBucket
from tests.support.command import until
from tests.support.data import KIB, random_bytes, throttled
from tests.support.journals import read_journal
from tests.support.proxy import Exchange, RecordingProxy
from tests.support.streams import Stream

CHUNK = 64 * KIB
FLAGS = ("--chunk-size", "64K")
OLD = random_bytes(5 * CHUNK + 1, "old stream")
NEW = random_bytes(9 * CHUNK + 2, "new stream")


def test_an_existing_stream_is_refused_without_clobber(bucket: Bucket, unique_name: str) -> None:
    stream = Stream(bucket, unique_name)
    stream.put(OLD, *FLAGS)
    before = bucket.listing(stream.folder)

    outcome = stream.put(NEW, *FLAGS, code=6)

    assert any("--clobber" in line for line in outcome.lines if line.startswith("s3duct: hint: "))
    assert bucket.listing(stream.folder) == before
    assert read_journal(unique_name) is None


def test_clobber_replaces_the_stream_and_leaves_nothing_of_the_old_one(
    bucket: Bucket, unique_name: str, key_file: Path
) -> None:
    stream = Stream(bucket, unique_name, key_file)
    flags = ("--encrypt-manifest",)
    stream.put(OLD, *FLAGS, *flags)
    old = set(stream.chunk_keys())

    stream.put(NEW, *FLAGS, *flags, "--clobber")

    stream.restores(NEW)
    new = set(stream.chunk_keys())
    assert len(new) == 10
    assert not new & old

    stream.put(OLD, *FLAGS, *flags, "--clobber")  # and once more, over a stream that lies under a generation

    stream.restores(OLD)
    assert len(stream.chunk_keys()) == 6
    assert not new & set(stream.chunk_keys())


def test_clobber_of_a_free_name_is_a_put(folder_bucket: FolderBucket, unique_name: str) -> None:
    stream = Stream(folder_bucket, unique_name)

    stream.put(NEW, *FLAGS, "--clobber")

    assert stream.chunk_keys() == [f"{unique_name}/chunk-{index:06d}" for index in range(10)]
    stream.restores(NEW)


def test_a_clobber_that_dies_leaves_the_old_stream_and_goes_on_later(
    bucket: Bucket, unique_name: str, key_file: Path
) -> None:
    stream = Stream(bucket, unique_name, key_file)
    stream.put(OLD, *FLAGS)
    over = threading.Event()

    def producer() -> Iterator[bytes]:
        yield NEW[: 4 * CHUNK + 10]
        over.wait(60)

    with stream.start("put", *FLAGS, "--clobber", stdin=producer()) as running:
        try:
            until(
                lambda: (journal := read_journal(unique_name)) is not None and len(journal.keys) == 4,
                "4 chunks",
            )
            running.process.kill()
            running.process.wait()
        finally:
            over.set()

    stream.restores(OLD)
    stream.verify()
    outcome = stream.put(NEW, *FLAGS, "--clobber")
    assert "4 of them stored before" in outcome.stderr
    stream.restores(NEW)
    stream.verify("--deep")
    assert len(stream.chunk_keys()) == 10


def test_a_clobber_killed_at_any_moment_leaves_one_whole_stream(
    folder_bucket: FolderBucket, unique_name: str
) -> None:
    """Old or new, whichever the manifest names: whole."""
    stream = Stream(folder_bucket, unique_name)
    stream.put(OLD, *FLAGS)
    chance = random.Random("clobber")
    for kill in range(5):
        moment = (kill + 1) * len(NEW) // 5 - 1
        producer = throttled(NEW, piece=8 * KIB, pause_s=0.001)
        with stream.start("put", *FLAGS, "--clobber", stdin=producer) as running:
            running.wait_until_offered(moment)
            time.sleep(chance.random() * 0.03)
            running.kill()
        assert stream.get().stdout in (OLD, NEW)

    stream.put(NEW, *FLAGS, "--clobber")

    stream.restores(NEW)


@pytest.mark.parametrize("flags", [("--clobber",), ()], ids=["same command", "without the flag"])
def test_a_clobber_killed_while_it_cleans_up_is_finished_by_the_next_run(
    rclone_s3: S3Server, unique_name: str, flags: tuple[str, ...]
) -> None:
    """The new manifest is in place, the old chunks are not all gone yet: nothing is stored again, and they go."""
    moment = threading.Event()

    def on_request(exchange: Exchange) -> None:
        if exchange.method == "DELETE" and "/.resume/" not in exchange.path:
            moment.set()
            held.wait(60)

    held = threading.Event()
    with (
        RecordingProxy(rclone_s3.endpoint_url, on_request=on_request) as proxy,
        closing(ServerBucket(rclone_s3, endpoint_url=proxy.endpoint_url)) as bucket,
    ):
        stream = Stream(bucket, unique_name)
        stream.put(OLD, *FLAGS)
        with stream.start("put", *FLAGS, "--clobber", stdin=NEW) as running:
            assert moment.wait(60)
            running.process.kill()
            held.set()
            running.wait()
        stream.restores(NEW)

        outcome = stream.put(NEW, *FLAGS, *flags)

        assert "10 of them stored before" in outcome.stderr
        stream.restores(NEW)
        assert set(stream.chunk_keys()) == {record["s3_key"] for record in stream.manifest()["chunks"]}
        assert read_journal(unique_name) is None


def test_a_stream_of_another_key_is_replaced_without_being_read(
    folder_bucket: FolderBucket, unique_name: str, key_file: Path, other_key_file: Path
) -> None:
    """Its chunks are known by where they lie."""
    old = Stream(folder_bucket, unique_name, other_key_file)
    old.put(OLD, *FLAGS, "--encrypt-manifest")
    stream = Stream(folder_bucket, unique_name, key_file)

    stream.put(NEW, *FLAGS, code=6)
    outcome = stream.put(NEW, *FLAGS, "--clobber")

    assert "left in the bucket" not in outcome.stderr
    assert len(stream.chunk_keys()) == 10
    stream.restores(NEW)
