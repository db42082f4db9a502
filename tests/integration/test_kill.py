"""SIGKILL of put at random moments, again and again, and what the server was asked for meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.support.buckets import ServerBucket
from tests.support.command import until
from tests.support.data import KIB, MIB, random_bytes, throttled
from tests.support.journals import read_journal
from tests.support.proxy import Exchange, RecordingProxy
from tests.support.streams import Stream
from tests.support.sweeps import FULL

KILLS = 20 if FULL else 12


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("server_fixture", "chunk_bytes", "chunks"),
    [("seaweedfs", MIB, 30), ("rclone_s3", MIB, 30), ("seaweedfs", 17 * MIB, 4)],
    ids=["seaweedfs-single-puts", "rclone-single-puts", "seaweedfs-multipart"],
)
def test_kills_lose_nothing_and_repeat_nothing(
    request: pytest.FixtureRequest,
    unique_name: str,
    key_file: Path,
    server_fixture: str,
    chunk_bytes: int,
    chunks: int,
) -> None:
    """Byte-identical at the end; and once a chunk has a record in the journal, nobody writes its object again."""
    server = request.getfixturevalue(server_fixture)
    assert isinstance(server, S3Server)
    content = random_bytes(chunks * chunk_bytes + 12_345, unique_name.rpartition("-")[0])
    chance = random.Random(server_fixture)
    with (
        RecordingProxy(server.endpoint_url) as proxy,
        closing(ServerBucket(server, endpoint_url=proxy.endpoint_url)) as bucket,
    ):
        stream = Stream(bucket, unique_name, key_file)
        flags = ("--chunk-size", str(chunk_bytes))
        seen = _AcknowledgedChunks(stream, proxy)
        for kill in range(KILLS):
            moment = int((kill + chance.random()) / KILLS * len(content))
            over = threading.Event()
            with stream.start("put", *flags, stdin=without_an_end(content, over)) as running:
                running.wait_until_offered(moment)
                # Where uploads are slow, chance alone might kill each run before any chunk is on record.
                if kill % 2:
                    seen.wait_for_one_more(moment // chunk_bytes)
                time.sleep(chance.random() * 0.05)
                running.process.kill()
                over.set()
                assert running.wait().code == -9, running.stderr_so_far
            proxy.wait_until_idle()
            seen.check_and_note()
        summary = stream.put(content, *flags)
        seen.check_and_note()

        assert f"{seen.most} of them stored before" in summary.stderr
        stream.restores_digest_of(content)
        stream.verify("--deep")
        # The moments were spread: the journal grew in several steps.
        assert len(seen.counts) >= min(6, chunks // 2), seen.counts
        for key in bucket.keys(stream.folder):
            bucket.delete(key)


def without_an_end(content: bytes, over: threading.Event) -> Iterator[bytes]:
    """Give everything, slowly, but do not say that it is everything: a run that is to be killed must not finish first."""
    yield from throttled(content, piece=256 * KIB, pause_s=0.002)
    over.wait(60)


class _AcknowledgedChunks:
    """What the journal says after each kill, held against what the server is asked for after that."""

    def __init__(self, stream: Stream, proxy: RecordingProxy) -> None:
        self._stream = stream
        self._proxy = proxy
        self._looked_at = 0
        self._acknowledged: set[str] = set()
        self._ever_written: set[str] = set()
        self.counts: set[int] = set()
        self.most = 0

    def wait_for_one_more(self, most: int) -> None:
        """Wait until more chunks are on record than after the last kill, unless `most` are."""
        until(lambda: self._recorded() >= min(self.most + 1, most), "one more chunk is on record")

    def _recorded(self) -> int:
        journal = read_journal(self._stream.name)
        return len(journal.keys) if journal is not None else 0

    def check_and_note(self) -> None:
        exchanges = self._proxy.exchanges
        new, self._looked_at = exchanges[self._looked_at :], len(exchanges)
        written = [self._key(exchange) for exchange in new if exchange.writes_object]
        self._ever_written.update(written)
        again = sorted(self._acknowledged.intersection(written))
        assert not again, f"uploaded again although on record: {again}"
        answered = [self._key(exchange) for exchange in new if exchange.writes_object and exchange.relayed]
        assert len(set(answered)) == len(answered), "a chunk was uploaded twice within one run"
        journal = read_journal(self._stream.name)
        if journal is not None:
            assert self._acknowledged <= journal.keys, "a record was lost"
            assert journal.keys <= self._ever_written, "a chunk is on record that the proxy has not seen"
            self._acknowledged = journal.keys
            self.counts.add(len(journal.keys))
            self.most = len(journal.keys)

    def _key(self, exchange: Exchange) -> str:
        return exchange.path.removeprefix(f"/{self._stream.bucket.flags[1]}/")
