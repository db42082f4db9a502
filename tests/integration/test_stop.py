"""SIGINT and SIGTERM: put stops soon, keeps what is stored, leaves nothing half-done, and can be repeated."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.support.buckets import FolderBucket, ServerBucket
from tests.support.command import Outcome, until
from tests.support.data import KIB, MIB, pieces, random_bytes
from tests.support.journals import read_journal
from tests.support.proxy import RecordingProxy
from tests.support.streams import Stream

SIGNALS = [signal.SIGINT, signal.SIGTERM]


class Hanging:
    """A producer that gives a part of its data and then nothing more, without ending."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.given = threading.Event()
        self._over = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield from pieces(self._content, 64 * KIB)
        self.given.set()
        self._over.wait(60)

    def end(self) -> None:
        self._over.set()


def says_how_it_stopped(outcome: Outcome, number: signal.Signals) -> None:
    assert outcome.code == 128 + number, outcome.stderr
    errors = [line for line in outcome.lines if line.startswith("s3duct: error: ")]
    assert errors == ["s3duct: error: stopped by a signal"]
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_put_stops_and_goes_on_later(
    folder_bucket: FolderBucket, unique_name: str, number: signal.Signals
) -> None:
    """The producer hangs in the middle of a chunk, as one that waits for a disk does: put stops all the same."""
    content = random_bytes(20 * 64 * KIB, "stop")
    stream = Stream(folder_bucket, unique_name)
    producer = Hanging(content[: 10 * 64 * KIB + 1000])
    with stream.start("put", "--chunk-size", "64K", stdin=producer) as running:
        until(
            lambda: (journal := read_journal(unique_name)) is not None and len(journal.records) == 10,
            "10 chunks",
        )
        running.process.send_signal(number)
        try:
            outcome = running.process.wait(60)
        finally:
            producer.end()
        says_how_it_stopped(running.wait(), number)
    assert outcome == 128 + number
    assert stream.manifest_key not in folder_bucket.keys(stream.folder)

    again = stream.put(content, "--chunk-size", "64K")

    assert "10 of them stored before" in again.stderr
    stream.restores(content)
    assert read_journal(unique_name) is None


def test_a_stop_in_the_middle_of_a_multipart_upload_leaves_no_part(
    s3_server: S3Server, unique_name: str
) -> None:
    content = random_bytes(40 * MIB, "multipart stop")
    with (
        RecordingProxy(s3_server.endpoint_url) as proxy,
        closing(ServerBucket(s3_server, endpoint_url=proxy.endpoint_url)) as bucket,
    ):
        stream = Stream(bucket, unique_name)
        producer = Hanging(content[: 26 * MIB])

        def parts_sent() -> int:
            return sum("partNumber" in exchange.query and exchange.relayed for exchange in proxy.exchanges)

        with stream.start("put", "--chunk-size", "64M", stdin=producer) as running:
            until(lambda: parts_sent() >= 2, "parts of the chunk are stored")
            assert bucket.unfinished_uploads(stream.folder) != []
            running.process.send_signal(signal.SIGINT)
            running.process.wait(60)
            producer.end()
            says_how_it_stopped(running.wait(), signal.SIGINT)

        assert bucket.unfinished_uploads(stream.folder) == []
        assert bucket.keys(stream.folder) == []
        stream.put(content, "--chunk-size", "64M")
        stream.restores_digest_of(content)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_chunks_that_were_read_whole_are_finished_first(
    folder_bucket: FolderBucket, unique_name: str, number: signal.Signals
) -> None:
    stream = Stream(folder_bucket, unique_name)
    producer = Hanging(random_bytes(8 * MIB, "whole"))
    with stream.start("put", "--chunk-size", "1M", stdin=producer) as running:
        assert producer.given.wait(60)
        running.process.send_signal(number)
        running.process.wait(60)
        producer.end()
        says_how_it_stopped(running.wait(), number)

    journal = read_journal(unique_name)

    assert journal is not None
    assert sorted(journal.keys) == stream.chunk_keys()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_second_signal_ends_it_at_once(
    folder_bucket: FolderBucket, unique_name: str, number: signal.Signals
) -> None:
    stream = Stream(folder_bucket, unique_name)
    producer = Hanging(random_bytes(8 * MIB + 1, "twice"))
    with stream.start("put", "--chunk-size", "1M", stdin=producer) as running:
        assert producer.given.wait(60)
        running.process.send_signal(number)
        running.process.send_signal(number)
        code = running.process.wait(60)
        producer.end()

    assert code == 128 + number


@pytest.mark.parametrize("verb", ["get", "verify"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_readers_stop_too(
    folder_bucket: FolderBucket, unique_name: str, verb: str, number: signal.Signals
) -> None:
    """get waits for a consumer that does not read; verify for a store that does not answer."""
    stream = Stream(folder_bucket, unique_name)
    stream.put(random_bytes(4 * MIB, "readers"), "--chunk-size", "128K")
    if verb == "verify":
        (folder_bucket.folder / stream.folder / "chunk-000003").unlink()
        os.mkfifo(folder_bucket.folder / stream.folder / "chunk-000003")

    with stream.start(verb, "--deep" if verb == "verify" else "--verbose", drain_stdout=False) as running:
        if verb == "get":
            stdout = running.process.stdout
            assert stdout is not None
            assert stdout.read(1)
        else:
            until(lambda: _is_handling_signals(running.pid), "it handles signals")
        running.process.send_signal(number)
        outcome = running.wait()

    says_how_it_stopped(outcome, number)


def _is_handling_signals(pid: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) & (1 << (signal.SIGTERM - 1)))
    return False
