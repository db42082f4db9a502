"""`list` of a bucket that holds thousands of streams, some of them large."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from s3duct.domain.chain import chain_over
from s3duct.domain.chunk import ChunkRecord, chunk_key
from s3duct.domain.digest import DualDigest
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import encode_manifest
from s3duct.domain.names import MANIFEST_FILE
from s3duct.domain.sizes import MIB
from tests.bench import measure
from tests.bench.contestants import environment
from tests.bench.race import empty
from tests.bench.results import Listed, Results
from tests.servers import S3Server
from tests.support.command import COMMAND

_WRITERS = 8
# One stream in a hundred is a large one.
_LARGE_EVERY, _LARGE_CHUNKS, _SMALL_CHUNKS = 100, 10_000, 4
_FEW = 10  # how many times fewer streams the first listing has


def measure_into(
    results: Results, server: S3Server, home: Path, streams: int, say: Callable[[str], object]
) -> None:
    """List a tenth of the streams, then all of them; what memory grows by is what streams cost."""
    written = 0
    for count in sorted({max(streams // _FEW, 1), streams}):
        write_streams(server, range(written, count))
        written = count
        usage = measure.run(
            [COMMAND, "list", "--bucket", server.bucket, "--endpoint-url", server.endpoint_url],
            environment=environment(home, server),
        )
        say(f"{server.name}: list of {count} streams {usage.wall_s:.2f} s")
        results.listed.append(Listed(server.name, count, usage))
    empty(server)


def write_streams(server: S3Server, numbers: range) -> None:
    """Write manifests, as a put of each would have left them; nobody asks for the chunks."""
    large, small = (manifest_of(chunks) for chunks in (_LARGE_CHUNKS, _SMALL_CHUNKS))

    def write(client: Any, number: int) -> None:
        key = f"stream-{number:05d}/{MANIFEST_FILE}"
        body = large if number % _LARGE_EVERY == 0 else small
        client.put_object(
            Bucket=server.bucket, Key=key, Body=body.replace(b"NAME", f"stream-{number:05d}".encode())
        )

    with closing(server.client()) as client, ThreadPoolExecutor(_WRITERS) as writers:
        for done in [writers.submit(write, client, number) for number in numbers]:
            done.result()


def manifest_of(chunks: int) -> bytes:
    """Return the manifest of a stream `NAME` of that many chunks."""
    digest = DualDigest(sha256=bytes(32), sha3_256=bytes(32))
    records = [
        ChunkRecord(
            index, chunk_key("NAME", index), 64 * MIB, digest, etag='"d41d8cd98f00b204e9800998ecf8427e"'
        )
        for index in range(chunks)
    ]
    return encode_manifest(
        Manifest(
            name="NAME",
            chunk_size_bytes=64 * MIB,
            total_bytes=chunks * 64 * MIB,
            chunks=records,
            final_chain=chain_over(record.digest for record in records).hex(),
            created="2026-01-01T00:00:00Z",
            tool_version="0",
        )
    )
