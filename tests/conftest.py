"""Fixtures for every suite: an isolated environment, unique names, real servers, released versions."""

from __future__ import annotations

import os
import re
import signal
import uuid
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from s3duct.app.pipeline import lanes
from tests.servers import Minio, Moto, Rclone, S3Server, SeaweedFS, docker_missing
from tests.support.released import released_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REQUIRE_DOCKER = bool(os.environ.get("S3DUCT_REQUIRE_DOCKER"))

# Whoever runs the tests in the background of a script, or under nohup, ignores these; the processes of the tests must not.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number is signal.SIGINT else signal.SIG_DFL)

# A slow machine is no failure, and CI must fail on the same examples again when it is run again.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


_EITHER_WAY = {"usecases", "fault", "tamper"}


@pytest.fixture(autouse=True)
def small_chunks_go_either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a third of the tests of these suites, whose chunks are tiny, go as small ones do, and a third as large ones.

    Always the same tests.
    """
    way = zlib.crc32(request.node.nodeid.encode()) % 3 if request.path.parent.name in _EITHER_WAY else 0
    if way > 0:
        monkeypatch.setattr(lanes, "_TINY_BYTES", -1)
    if way > 1:
        monkeypatch.setattr(lanes, "_SMALL_BYTES", -1)


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a home of its own, and no settings or credentials of the person who runs it."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "S3DUCT_", "XDG_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("S3DUCT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # the credential chain ends on this machine


@pytest.fixture
def unique_name(request: pytest.FixtureRequest) -> str:
    """Return a stream name that no other test uses, so that tests can share a bucket."""
    readable = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40]
    return f"{readable}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[S3Server]:
    """SeaweedFS, started once for the whole run."""
    with SeaweedFS() as server:
        yield server


@pytest.fixture(scope="session")
def rclone_s3() -> Iterator[S3Server]:
    """`rclone serve s3`, started once for the whole run."""
    with Rclone() as server:
        yield server


@pytest.fixture(scope="session")
def moto_s3() -> Iterator[S3Server]:
    """moto, started once for the whole run."""
    with Moto() as server:
        yield server


@pytest.fixture(scope="session")
def minio() -> Iterator[S3Server]:
    """MinIO in a container; skips where no Docker engine answers, fails there if S3DUCT_REQUIRE_DOCKER is set."""
    reason = docker_missing()
    if reason and REQUIRE_DOCKER:
        pytest.fail(f"S3DUCT_REQUIRE_DOCKER is set, and {reason}")
    if reason:
        pytest.skip(f"MinIO: {reason}")
    with Minio() as server:
        yield server


@pytest.fixture(scope="session", params=["seaweedfs", "rclone_s3", "minio"])
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Each real S3 server in turn."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, S3Server)
    return server


@pytest.fixture(scope="session")
def oracle() -> Callable[[str], Path]:
    """Find the `s3duct` command of a released version: `oracle("0.4.0")`."""

    def find(version: str) -> Path:
        command = released_command(version)
        if command is None:
            pytest.fail(f"released s3duct {version} is not installed: run `make oracles`")
        return command

    return find
