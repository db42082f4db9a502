"""Memory stays within its limit plus what the program itself takes; chunks that do not fit go to scratch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.support.buckets import FolderBucket, ServerBucket
from tests.support.command import Running
from tests.support.data import MIB, random_bytes
from tests.support.streams import Stream

LIMIT = 128 * MIB
ALLOWANCE = 150 * MIB  # interpreter, libraries, buffers of the network
BLOCK = random_bytes(MIB, "memory")


def blocks(count: int) -> Iterator[bytes]:
    for index in range(count):
        yield index.to_bytes(8, "big") + BLOCK[8:]


def peak_of(running: Running) -> int:
    """Peak resident memory so far, in bytes; 0 once the process has ended."""
    try:
        status = Path(f"/proc/{running.pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


class Peak:
    """Looks at a run each time some of its data has moved, and keeps the highest figure."""

    def __init__(self) -> None:
        self.bytes = 0
        self.running: Running | None = None

    def look(self, _: int) -> None:
        if self.running is not None:
            self.bytes = max(self.bytes, peak_of(self.running))


@pytest.mark.parametrize(("server_fixture", "sealed"), [("seaweedfs", False), ("rclone_s3", True)])
def test_half_a_gibibyte_stays_within_its_memory(
    request: pytest.FixtureRequest, unique_name: str, key_file: Path, server_fixture: str, sealed: bool
) -> None:
    server = request.getfixturevalue(server_fixture)
    assert isinstance(server, S3Server)
    bucket = ServerBucket(server)
    stream = Stream(bucket, unique_name, key_file if sealed else None)
    limits = ("--memory-limit", "128M")
    put_peak, get_peak = Peak(), Peak()

    with stream.start(
        "put", "--chunk-size", "64M", *limits, stdin=blocks(512), on_offered=put_peak.look
    ) as running:
        put_peak.running = running
        running.wait().expect(0)
    with stream.start("get", *limits, on_output=get_peak.look) as running:
        get_peak.running = running
        restored = running.wait().expect(0)

    assert restored.stdout_bytes == 512 * MIB
    assert 0 < put_peak.bytes < LIMIT + ALLOWANCE
    assert 0 < get_peak.bytes < LIMIT + ALLOWANCE
    for key in bucket.keys(stream.folder):
        bucket.delete(key)
    bucket.close()


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
def test_a_chunk_larger_than_the_memory_goes_to_scratch_and_leaves_nothing_there(
    folder_bucket: FolderBucket, unique_name: str, key_file: Path, tmp_path: Path, sealed: bool
) -> None:
    stream = Stream(folder_bucket, unique_name, key_file if sealed else None)
    scratch = tmp_path / "scratch"
    limits = ("--memory-limit", "64M", "--scratch-dir", str(scratch))
    content = b"".join(blocks(160))

    stream.put(content, "--chunk-size", "128M", *limits)
    assert list(scratch.iterdir()) == []  # it was made, so it was used

    scratch.rmdir()
    restored = stream.get(*limits)
    assert (restored.stdout_bytes, restored.stdout_sha256) == (
        len(content),
        hashlib.sha256(content).hexdigest(),
    )
    assert list(scratch.iterdir()) == []


def test_a_kill_leaves_nothing_in_scratch(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path
) -> None:
    stream = Stream(folder_bucket, unique_name)
    scratch = tmp_path / "scratch"
    with stream.start(
        "put",
        "--chunk-size",
        "128M",
        "--memory-limit",
        "64M",
        "--scratch-dir",
        scratch,
        stdin=_until_killed(),
    ) as running:
        running.wait_until_offered(16 * MIB)
        running.kill()

    assert list(scratch.iterdir()) == []


def test_no_room_anywhere_is_told(folder_bucket: FolderBucket, unique_name: str, tmp_path: Path) -> None:
    stream = Stream(folder_bucket, unique_name)
    flags = ("--chunk-size", "128M", "--memory-limit", "64M", "--diskspace-limit", "100M")

    outcome = stream.put(b"x" * 100, *flags, "--scratch-dir", tmp_path / "scratch", code=10)

    assert "no room for a chunk of 128 MiB" in outcome.stderr
    assert stream.chunk_keys() == []


def _until_killed() -> Iterator[bytes]:
    while True:
        yield BLOCK
