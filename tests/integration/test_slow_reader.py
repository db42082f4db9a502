"""A slow consumer of get, and a producer that rests: the store closes the connections that are idle meanwhile."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.servers import S3Server
from tests.support.buckets import ServerBucket
from tests.support.command import until
from tests.support.data import MIB, random_bytes
from tests.support.faulty_proxy import FaultyProxy
from tests.support.streams import Stream

# How long it reads: `S3DUCT_SLOW_READER_S=300` for minutes.
LASTS_S = float(os.environ.get("S3DUCT_SLOW_READER_S", "8"))
RATE = 1.5 * MIB
CHUNK = 3 * MIB  # a new one is wanted every two seconds
IDLE_S = 1.0


def with_a_rest(content: bytes, proxy: FaultyProxy) -> Iterator[bytes]:
    """The content, with a pause behind the first chunk until every connection that was used for it is closed."""
    yield content[:CHUNK]
    until(lambda: proxy.dropped > 0, "idle connections are closed")
    yield content[CHUNK:]


@pytest.mark.timeout(LASTS_S + 300)
def test_a_slow_reader_gets_every_byte_from_a_store_that_closes_idle_connections(
    seaweedfs: S3Server, unique_name: str
) -> None:
    content = b"".join(
        random_bytes(CHUNK, f"slow {number}") for number in range(max(int(LASTS_S * RATE / CHUNK), 2))
    )
    with (
        FaultyProxy(seaweedfs.endpoint_url, idle_s=IDLE_S) as proxy,
        closing(ServerBucket(seaweedfs, endpoint_url=proxy.endpoint_url)) as bucket,
    ):
        stream = Stream(bucket, unique_name)
        stream.put(with_a_rest(content, proxy), "--chunk-size", str(CHUNK))
        dropped = proxy.dropped
        started_s = time.monotonic()

        def pace(read_bytes: int) -> None:
            ahead_s = read_bytes / RATE - (time.monotonic() - started_s)
            if ahead_s > 0:
                time.sleep(ahead_s)
            if read_bytes > len(content) // 2:
                until(lambda: proxy.dropped > dropped, "idle connections are closed")

        with stream.start("get", "--buffer-chunks", "1", on_output=pace) as running:
            restored = running.wait(LASTS_S + 120).expect(0)
        assert restored.stdout_bytes == len(content)
        assert restored.stdout_sha256 == hashlib.sha256(content).hexdigest()
        closed = proxy.dropped - dropped
    assert "next try in" not in restored.stderr
    print(
        f"{restored.stdout_bytes} bytes in {time.monotonic() - started_s:.1f} s, {closed} idle connections closed"
    )
