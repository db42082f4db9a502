"""Producers and consumers that do not keep pace, and consumers that leave."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.support.buckets import Bucket, FolderBucket
from tests.support.command import COMMAND
from tests.support.data import KIB, MIB, bursty, random_bytes, throttled
from tests.support.streams import Stream

BROKEN_PIPE = 141


@pytest.mark.parametrize("manner", ["slow", "bursty"])
def test_a_producer_that_takes_its_time(bucket: Bucket, unique_name: str, manner: str) -> None:
    content = random_bytes(300 * KIB + 1, manner)
    stream = Stream(bucket, unique_name)
    producer = (
        throttled(content, piece=5000, pause_s=0.005) if manner == "slow" else bursty(content, "bursts")
    )

    stream.put(producer, "--chunk-size", "64K")

    stream.restores(content)


def test_a_consumer_that_takes_its_time(bucket: Bucket, unique_name: str) -> None:
    content = random_bytes(4 * MIB, "slow consumer")
    stream = Stream(bucket, unique_name)
    stream.put(content, "--chunk-size", "128K")

    with stream.start("get", on_output=lambda read: time.sleep(0.02 if read < MIB else 0.002)) as running:
        restored = running.wait().expect(0)

    assert restored.stdout == content


def test_a_consumer_that_leaves_ends_get_quietly(bucket: Bucket, unique_name: str) -> None:
    content = random_bytes(4 * MIB, "early leaver")
    stream = Stream(bucket, unique_name)
    stream.put(content, "--chunk-size", "128K")

    with stream.start("get", drain_stdout=False) as running:
        stdout = running.process.stdout
        assert stdout is not None
        assert stdout.read(1) == content[:1]
        stdout.close()
        outcome = running.wait()

    assert (outcome.code, outcome.stderr) == (BROKEN_PIPE, "")


def test_head_gets_what_it_asks_for(folder_bucket: FolderBucket, unique_name: str) -> None:
    content = random_bytes(4 * MIB, "head")
    stream = Stream(folder_bucket, unique_name)
    stream.put(content, "--chunk-size", "128K")

    pipeline = subprocess.run(
        [
            "bash",
            "-c",
            '"$@" | head -c 200000; echo "${PIPESTATUS[0]}" >&2',
            "bash",
            COMMAND,
            "get",
            *stream.flags,
        ],
        check=True,
        capture_output=True,
    )

    assert pipeline.stdout == content[:200_000]
    assert pipeline.stderr == f"{BROKEN_PIPE}\n".encode()


def test_a_full_disk_behind_stdout_is_told(folder_bucket: FolderBucket, unique_name: str) -> None:
    stream = Stream(folder_bucket, unique_name)
    stream.put(random_bytes(256 * KIB, "full"), "--chunk-size", "64K")

    finished = subprocess.run(
        ["bash", "-c", '"$@" > /dev/full', "bash", COMMAND, "get", *stream.flags],
        check=False,
        capture_output=True,
        text=True,
    )

    assert finished.returncode == 9
    assert finished.stderr.startswith("s3duct: error: cannot write the output")


def test_a_producer_that_never_ends_does_not_hold_up_an_error(
    folder_bucket: FolderBucket, unique_name: str
) -> None:
    """The name is taken: that is said at once, however long the producer would go on."""
    stream = Stream(folder_bucket, unique_name)
    stream.put(b"taken")

    def forever() -> object:
        while True:
            yield b"x" * KIB
            time.sleep(0.01)

    stream.put(forever(), code=6)  # type: ignore[arg-type]
