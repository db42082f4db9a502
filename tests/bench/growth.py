"""What a run costs as its stream grows: by chunks of the smallest useful size, and by bytes.

Streams go to a local folder: what a server costs is not the question. The input comes from a process that is not counted.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from s3duct.domain.sizes import KIB, MIB, format_size
from tests.bench import measure
from tests.bench.contestants import Keys, environment, scratch_folder
from tests.bench.race import GET, PUT, make_payload
from tests.bench.results import Grown, Results
from tests.support.command import COMMAND

BY_CHUNKS, BY_BYTES = "chunks", "bytes"
SMALL_CHUNK_BYTES = 4 * KIB
CHUNK_BYTES = 64 * MIB
MEMORY_LIMIT = "256M"
_FIRST_BYTES, _FACTOR = 16 * MIB, 4
# A file of the smallest chunk takes a block, and a record in the journal and in the manifest.
_STORED_BYTES_A_CHUNK = 3 * SMALL_CHUNK_BYTES
_ROOM_LEFT_BYTES = 256 * MIB


def measure_into(
    results: Results,
    home: Path,
    keys: Keys,
    chunks: Sequence[int],
    grow_to_bytes: int,
    say: Callable[[str], object],
) -> None:
    """Measure both series; a stream for which there is no room is named among what is absent."""
    plans = [(BY_CHUNKS, count, count * SMALL_CHUNK_BYTES, SMALL_CHUNK_BYTES) for count in chunks]
    plans += [(BY_BYTES, -(-size // CHUNK_BYTES), size, CHUNK_BYTES) for size in sizes_to(grow_to_bytes)]
    for series, count, size_bytes, chunk_bytes in plans:
        shown = f"{format_size(size_bytes)} in {count:,} chunks"
        needed = count * _STORED_BYTES_A_CHUNK if series == BY_CHUNKS else size_bytes
        if needed > shutil.disk_usage(home).free - _ROOM_LEFT_BYTES:
            results.absent.append(f"growth, {shown}: no room for it under {home.parent}")
            continue
        for run in _one(series, home, keys, size_bytes, chunk_bytes):
            say(f"growth, {shown}: {run.direction} {run.usage.wall_s:.1f} s")
            results.grown.append(run)


def sizes_to(most_bytes: int) -> list[int]:
    """16 MiB, and four times that, and so on; the last is `most_bytes` itself."""
    sizes, size = [], _FIRST_BYTES
    while size < most_bytes:
        sizes.append(size)
        size *= _FACTOR
    return [*sizes, most_bytes]


def _one(series: str, home: Path, keys: Keys, size_bytes: int, chunk_bytes: int) -> Iterator[Grown]:
    folder = home / "grown"
    folder.mkdir()
    key = ("--key", f"file:{keys.aes}")
    place = ("--bucket", f"file://{folder}", "--name", "grown", "--quiet", "--memory-limit", MEMORY_LIMIT)
    feed = _feed(home, size_bytes)
    put = (COMMAND, "put", *place, *key, "--chunk-size", str(chunk_bytes))
    get = (COMMAND, "get", *place, *key)
    try:
        for direction, pipeline, feeders in ((PUT, (feed, put), 1), (GET, (get,), 0)):
            usage = measure.run(
                *pipeline, environment=environment(home), feeders=feeders, scratch=scratch_folder(home)
            )
            yield Grown(series, direction, -(-size_bytes // chunk_bytes), size_bytes, usage)
    finally:
        shutil.rmtree(folder)


def _feed(home: Path, size_bytes: int) -> tuple[str | Path, ...]:
    """Return a command that writes as much: the same random bytes over and over, so that the largest need no room."""
    piece = home / "piece"
    if not piece.exists():
        make_payload(piece, _FIRST_BYTES)
    script = 'while cat "$0"; do :; done 2>&- | head -c "$1"'
    return "/bin/sh", "-c", script, piece, str(size_bytes)
