"""The server itself stands still for a while, or is killed and started again, in the middle of real runs of the command."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tests.servers.process import ServerProcess
from tests.servers.seaweedfs import SeaweedFS
from tests.support.buckets import ServerBucket
from tests.support.command import Running, until
from tests.support.data import KIB, MIB, pieces, random_bytes
from tests.support.streams import Stream

DATA = random_bytes(12 * MIB + 5, "outage")
HALF = 6 * MIB
FLAGS = ("--chunk-size", "512K", "--buffer-chunks", "3")
STANDS_STILL_S = 22.0
AWAY_S = 1.5


@contextmanager
def stream_on_a_server_of_its_own(name: str) -> Iterator[tuple[ServerProcess, Stream]]:
    """Others share the servers of the session: those may not be stopped."""
    process = SeaweedFS()
    with process as server, closing(ServerBucket(server)) as bucket:
        yield process, Stream(bucket, name)


def halves(over: threading.Event) -> Iterator[bytes]:
    """The data, with a pause in the middle that lasts until `over` is set."""
    yield from pieces(DATA[:HALF], 256 * KIB)
    over.wait(60)
    yield from pieces(DATA[HALF:], 256 * KIB)


def offered_stays(running: Running, for_s: float) -> int:
    """See for a while that the input is held back; return how much of it was taken."""
    time.sleep(1.0)  # pipe and buffers fill up
    taken = running.offered_bytes
    time.sleep(for_s)
    assert running.offered_bytes == taken
    return taken


def test_a_server_that_stands_still_is_waited_for(unique_name: str) -> None:
    with stream_on_a_server_of_its_own(unique_name) as (process, stream):
        over = threading.Event()
        with stream.start("put", *FLAGS, stdin=halves(over)) as running:
            running.wait_until_offered(HALF)
            process.signal(signal.SIGSTOP)
            over.set()
            taken = offered_stays(running, STANDS_STILL_S)
            process.signal(signal.SIGCONT)
            running.wait().expect(0)
        assert taken < len(DATA) - 2 * MIB
        stream.restores_digest_of(DATA)


def test_a_server_that_is_killed_and_comes_back_is_waited_for(unique_name: str) -> None:
    with stream_on_a_server_of_its_own(unique_name) as (process, stream):
        over = threading.Event()
        with stream.start("put", *FLAGS, "--retry-for", "5m", stdin=halves(over)) as running:
            running.wait_until_offered(HALF)
            process.kill()
            over.set()
            until(lambda: "next try in" in running.stderr_so_far, "it says that it waits")
            taken = offered_stays(running, AWAY_S)
            process.revive()
            outcome = running.wait().expect(0)
        assert taken < len(DATA) - 2 * MIB
        line = next(line for line in outcome.lines if "next try in" in line)
        assert "does not answer (connection re" in line  # refused, or reset
        assert ", giving up in " in line
        stream.restores_digest_of(DATA)


def test_a_get_outlasts_a_server_that_is_killed_and_comes_back(unique_name: str) -> None:
    with stream_on_a_server_of_its_own(unique_name) as (process, stream):
        stream.put(DATA, *FLAGS)
        reached, revived = threading.Event(), threading.Event()

        def consume(read_bytes: int) -> None:
            if read_bytes >= 2 * MIB and not reached.is_set():
                reached.set()
                revived.wait(60)

        with stream.start("get", "--buffer-chunks", "3", "--retry-for", "5m", on_output=consume) as running:
            assert reached.wait(60)
            process.kill()
            revived.set()
            until(lambda: "next try in" in running.stderr_so_far, "it says that it waits")
            time.sleep(AWAY_S)
            process.revive()
            outcome = running.wait().expect(0)
        assert outcome.stdout == DATA


def test_a_server_that_does_not_come_back_ends_the_run_and_the_next_one_resumes(unique_name: str) -> None:
    with stream_on_a_server_of_its_own(unique_name) as (process, stream):
        over = threading.Event()
        with stream.start("put", *FLAGS, "--retry-for", "2s", stdin=halves(over)) as running:
            running.wait_until_offered(HALF)
            process.kill()
            over.set()
            outcome = running.wait().expect(12)
        assert any(line.startswith("s3duct: error: the store at http") for line in outcome.lines)
        process.revive()
        assert "stored before" in stream.put(DATA, *FLAGS).stderr
        stream.restores_digest_of(DATA)
