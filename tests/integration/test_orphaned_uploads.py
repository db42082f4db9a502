"""SIGKILL of a real put in the middle of uploads in parts, and what the next put does about what the store still holds."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.test_kill import without_an_end
from tests.servers import S3Server
from tests.support.buckets import Bucket, ServerBucket
from tests.support.command import until
from tests.support.data import MIB, random_bytes
from tests.support.streams import Stream

CHUNK = 13 * MIB
# One chunk whole, and of the other one more than the first part of 8 MiB (it is read 4 MiB at a time).
OFFERED = 2 * CHUNK - MIB // 2
CONTENT = random_bytes(2 * CHUNK + 5, "orphaned uploads")
FLAGS = ("--chunk-size", str(CHUNK))


def die_in_parts(stream: Stream, *flags: str) -> list[str]:
    """Put, and kill that in the middle of the second chunk; return the keys of the uploads that are left."""
    over = threading.Event()
    with stream.start("put", *FLAGS, *flags, stdin=without_an_end(CONTENT[:OFFERED], over)) as running:
        until(
            lambda: len(stream.chunk_keys()) >= 1 and bool(stream.bucket.unfinished_uploads(stream.folder)),
            "a chunk is stored and an upload of another one is under way",
        )
        running.process.kill()
        over.set()
        running.wait()
    return stream.bucket.unfinished_uploads(stream.folder)


@pytest.mark.timeout(120)
def test_a_resumed_put_aborts_what_was_left(bucket: Bucket, unique_name: str, key_file: Path) -> None:
    """Over every kind of store; with --verbose it says so."""
    stream = Stream(bucket, unique_name, key_file)
    left = die_in_parts(stream)
    assert left

    outcome = stream.put(CONTENT, *FLAGS, "--verbose")

    assert bucket.unfinished_uploads(stream.folder) == []
    assert f"incomplete uploads of earlier runs, aborted: {len(left)}" in outcome.stderr
    stream.restores_digest_of(CONTENT)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "flags", [("--no-resume",), ("--takeover",)], ids=["started over", "on another machine"]
)
def test_a_put_that_does_not_resume_aborts_what_was_left(
    seaweedfs: S3Server,
    unique_name: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    flags: tuple[str, ...],
) -> None:
    """And leaves those of the stream below it alone, whose put may be running."""
    with closing(ServerBucket(seaweedfs)) as bucket:
        stream = Stream(bucket, unique_name)
        below = Stream(bucket, f"{unique_name}/sub")
        assert die_in_parts(stream)
        (foreign,) = die_in_parts(below)
        if flags == ("--takeover",):
            monkeypatch.setenv("S3DUCT_STATE_DIR", str(tmp_path / "another-machine"))

        outcome = stream.put(CONTENT, *FLAGS, *flags)

        assert bucket.unfinished_uploads(stream.folder) == [foreign]
        assert "incomplete uploads" not in outcome.stderr
        stream.restores_digest_of(CONTENT)
