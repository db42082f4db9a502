"""Stores that refuse, are not there, or do not answer: one clear line and the documented exit code."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.support.buckets import FolderBucket
from tests.support.command import Outcome, Running, run, until
from tests.support.streams import Stream

NOT_FOUND, LOCAL, DENIED = 5, 10, 11
COMMANDS = [["put", "--name", "n"], ["get", "--name", "n"], ["verify", "--name", "n"], ["list"]]


def is_told(outcome: Outcome, code: int) -> str:
    outcome.expect(code)
    errors = [line for line in outcome.lines if line.startswith("s3duct: error: ")]
    assert len(errors) == 1, outcome.stderr
    assert outcome.stdout == b""
    assert "Traceback" not in outcome.stderr
    return errors[0]


@pytest.fixture(params=["seaweedfs", "rclone_s3"])
def server(request: pytest.FixtureRequest) -> S3Server:
    server = request.getfixturevalue(request.param)
    assert isinstance(server, S3Server)
    return server


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_the_wrong_secret(server: S3Server, unique_name: str, command: list[str]) -> None:
    environment = {**server.environment(), "AWS_SECRET_ACCESS_KEY": "not-the-secret"}

    outcome = run(
        *(
            *command,
            "--bucket",
            server.bucket,
            "--endpoint-url",
            server.endpoint_url,
            "--prefix",
            unique_name,
        ),
        stdin=b"data" if command[0] == "put" else None,
        environment=environment,
    )

    is_told(outcome, DENIED)
    assert "not-the-secret" not in outcome.stderr


@pytest.mark.parametrize("command", [COMMANDS[0], COMMANDS[3]], ids=lambda command: command[0])
def test_no_credentials_at_all(seaweedfs: S3Server, command: list[str]) -> None:
    outcome = run(
        *(*command, "--bucket", seaweedfs.bucket, "--endpoint-url", seaweedfs.endpoint_url),
        stdin=b"data" if command[0] == "put" else None,
    )

    assert "credentials" in is_told(outcome, DENIED)


@pytest.mark.parametrize("command", [COMMANDS[1], COMMANDS[3]], ids=lambda command: command[0])
def test_a_bucket_that_does_not_exist(server: S3Server, command: list[str]) -> None:
    outcome = run(
        *(*command, "--bucket", "no-such-bucket", "--endpoint-url", server.endpoint_url),
        environment=server.environment(),
    )

    is_told(outcome, NOT_FOUND)


def test_put_into_a_bucket_that_does_not_exist(rclone_s3: S3Server) -> None:
    """SeaweedFS would make it."""
    outcome = run(
        *("put", "--name", "n", "--bucket", "no-such-bucket", "--endpoint-url", rclone_s3.endpoint_url),
        stdin=b"data",
        environment=rclone_s3.environment(),
    )

    assert "bucket" in is_told(outcome, NOT_FOUND)


@pytest.mark.parametrize(("verb", "number"), [("put", signal.SIGINT), ("get", signal.SIGTERM)])
def test_a_closed_port_is_tried_again_until_a_signal(
    seaweedfs: S3Server, verb: str, number: signal.Signals
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Running(
            [verb, "--bucket", "b", "--name", "n", "--endpoint-url", endpoint],
            stdin=b"data" if verb == "put" else None,
            environment=seaweedfs.environment(),
        ) as running:
            until(
                lambda: "does not answer (connection refused): next try in" in running.stderr_so_far,
                "it says that it tries again",
            )
            outcome = running.send(number)

    assert outcome.code == 128 + number
    assert "s3duct: error: stopped by a signal" in outcome.lines


def test_a_folder_that_cannot_be_written(tmp_path: Path, unique_name: str) -> None:
    """Something else is in the way: root may write anywhere, but not into a file."""
    (tmp_path / "file").write_bytes(b"")

    outcome = run("put", "--bucket", f"file://{tmp_path}/file/b", "--name", unique_name, stdin=b"data")

    is_told(outcome, LOCAL)


def test_a_state_folder_that_cannot_be_used(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    stream = Stream(folder_bucket, unique_name)

    outcome = run(
        "put",
        *stream.flags,
        stdin=b"data",
        environment={"S3DUCT_STATE_DIR": str(tmp_path / "file" / "state")},
    )

    assert "state" in is_told(outcome, LOCAL)
    assert any("S3DUCT_STATE_DIR" in line for line in outcome.lines)
