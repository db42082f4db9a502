"""SIGKILL and signals in the middle of get --output: the same command goes on, and fetches nothing that is verified."""

from __future__ import annotations

import random
import signal
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.support.buckets import ServerBucket
from tests.support.command import Running, until
from tests.support.data import KIB, MIB, random_bytes
from tests.support.proxy import Exchange, RecordingProxy
from tests.support.streams import Stream
from tests.support.sweeps import in_rotation

CHUNK = 512 * KIB
CHUNKS = 24
KILLS = 12
FLAGS = ("--buffer-chunks", "2")


def part_of(target: Path) -> Path | None:
    """The unfinished part beside `target`."""
    found = list(target.parent.glob(f".{target.name}.*.s3duct-part"))
    assert len(found) <= 1
    return found[0] if found else None


def size_of_part(target: Path) -> int:
    part = part_of(target)
    return part.stat().st_size if part else 0


def slowly(exchange: Exchange) -> None:
    """Chunks take their time, so that there is time to die in."""
    if "/chunk-" in exchange.path:
        time.sleep(0.02)


def wait_for(running: Running, target: Path, size_bytes: int) -> None:
    until(
        lambda: size_of_part(target) >= size_bytes or running.process.poll() is not None,
        f"{size_bytes} bytes are restored",
    )


def fetched(proxy: RecordingProxy, since: int) -> list[int]:
    """Indices of the chunks that were asked for."""
    return [
        int(exchange.path[-6:])
        for exchange in proxy.exchanges[since:]
        if exchange.method == "GET" and "/chunk-" in exchange.path
    ]


class Restoring:
    """One stream, the file it is restored to, and what is verified of that so far. A range may begin inside a chunk."""

    def __init__(
        self, stream: Stream, proxy: RecordingProxy, target: Path, content: bytes, offset: int
    ) -> None:
        self._stream = stream
        self._proxy = proxy
        self._target = target
        self._expected = content[offset:]
        self._first = offset // CHUNK
        # A first chunk that is cut has no digest for its piece: every run fetches it again.
        self._head = -offset % CHUNK
        self._flags = (*FLAGS, "--output", target, "--offset", str(offset))
        self.whole = 0
        self.sizes: set[int] = set()

    def kill_at(self, part: float, pause_s: float) -> None:
        """Let it run until so much is there, kill it, and look at what it left."""
        before = len(self._proxy.exchanges)
        with self._stream.start("get", *self._flags) as running:
            wait_for(running, self._target, int(part * len(self._expected)))
            time.sleep(pause_s)
            running.process.kill()
            assert running.wait().code == -9, running.stderr_so_far
        self._proxy.wait_until_idle()
        self._check_fetched(before)
        assert not self._target.exists()
        left = part_of(self._target)
        if left is not None:
            assert stat.S_IMODE(left.stat().st_mode) == 0o600
            assert left.read_bytes() == self._expected[: left.stat().st_size]
            self.sizes.add(left.stat().st_size)
            self.whole = max(left.stat().st_size - self._head, 0) // CHUNK

    def finish(self) -> None:
        """Let it run to its end."""
        before = len(self._proxy.exchanges)
        outcome = self._stream.get(*self._flags)
        self._check_fetched(before)
        assert outcome.stdout == b""
        assert f"{self.whole} of them there before" in outcome.stderr
        assert self._target.read_bytes() == self._expected
        assert part_of(self._target) is None

    def _check_fetched(self, since: int) -> None:
        """No chunk that lay there whole was asked for."""
        cut = 1 if self._head else 0
        verified = set(range(self._first + cut, self._first + cut + self.whole))
        again = verified.intersection(fetched(self._proxy, since))
        assert not again, f"fetched again: {sorted(again)}"


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("server_fixture", "offset"),
    in_rotation(["seaweedfs", "rclone_s3"], [0, CHUNK + 777]),
    ids=lambda value: {0: "all", CHUNK + 777: "from the middle of a chunk on"}.get(value, value),
)
def test_twelve_kills_lose_nothing_and_fetch_nothing_again(
    request: pytest.FixtureRequest,
    unique_name: str,
    key_file: Path,
    tmp_path: Path,
    server_fixture: str,
    offset: int,
) -> None:
    server = request.getfixturevalue(server_fixture)
    assert isinstance(server, S3Server)
    content = random_bytes(CHUNKS * CHUNK + 12_345, unique_name.rpartition("-")[0])
    chance = random.Random(f"{server_fixture} {offset}")
    with (
        RecordingProxy(server.endpoint_url, on_request=slowly) as proxy,
        closing(ServerBucket(server, endpoint_url=proxy.endpoint_url)) as bucket,
    ):
        stream = Stream(bucket, unique_name, key_file)
        stream.put(content, "--chunk-size", str(CHUNK))
        restoring = Restoring(stream, proxy, tmp_path / "restored.tar", content, offset)
        for kill in range(KILLS):
            restoring.kill_at((kill + chance.random()) / (KILLS + 1), chance.random() * 0.03)
        restoring.finish()
    assert len(restoring.sizes) >= 6, f"the moments were not spread: {sorted(restoring.sizes)}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_get_that_is_stopped_says_where_it_stands_and_goes_on(
    seaweedfs: S3Server, unique_name: str, tmp_path: Path, number: signal.Signals
) -> None:
    content = random_bytes(8 * MIB, "stop")
    target = tmp_path / "restored"
    with (
        RecordingProxy(seaweedfs.endpoint_url, on_request=slowly) as proxy,
        closing(ServerBucket(seaweedfs, endpoint_url=proxy.endpoint_url)) as bucket,
    ):
        stream = Stream(bucket, unique_name)
        stream.put(content, "--chunk-size", "256K")
        with stream.start("get", *FLAGS, "-o", target) as running:
            wait_for(running, target, 2 * MIB)
            outcome = running.send(number)
        assert outcome.code == 128 + number
        assert not target.exists()
        part = part_of(target)
        assert part is not None
        assert part.name in outcome.stderr
        assert "Traceback" not in outcome.stderr

        again = stream.get("-o", target)

    assert "resuming: " in again.stderr
    assert target.read_bytes() == content
    assert part_of(target) is None


def test_a_stream_that_was_replaced_between_two_runs_is_not_mixed(
    seaweedfs: S3Server, unique_name: str, tmp_path: Path
) -> None:
    old, new = random_bytes(6 * MIB, "old"), random_bytes(6 * MIB, "new")
    target = tmp_path / "restored"
    with (
        RecordingProxy(seaweedfs.endpoint_url, on_request=slowly) as proxy,
        closing(ServerBucket(seaweedfs, endpoint_url=proxy.endpoint_url)) as bucket,
    ):
        stream = Stream(bucket, unique_name)
        stream.put(old, "--chunk-size", "256K")
        with stream.start("get", *FLAGS, "-o", target) as running:
            wait_for(running, target, 2 * MIB)
            running.kill()
        left = part_of(target)
        assert left is not None
        stream.put(new, "--chunk-size", "256K", "--clobber")

        outcome = stream.get("-o", target)

    assert target.read_bytes() == new
    assert f"{str(left)!r} is an unfinished restore of something else" in outcome.stderr
