"""Fixtures of the suites over real bytes; their `conftest.py` files take what they use."""

from __future__ import annotations

import subprocess
import sysconfig
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers import S3Server
from tests.support.buckets import Bucket, FolderBucket, ServerBucket
from tests.support.data import random_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Tree:
    """A real directory, as the `tar` command that packs it, and the digest of what that writes."""

    command: tuple[str, ...]
    sha256: str
    size_bytes: int


@pytest.fixture(params=["file", "seaweedfs", "rclone_s3", "minio"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bucket]:
    """A local folder and each real S3 server in turn."""
    if request.param == "file":
        yield FolderBucket(_made(tmp_path / "bucket"))
        return
    server = request.getfixturevalue(request.param)
    assert isinstance(server, S3Server)
    with closing(ServerBucket(server)) as over:
        yield over


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> Iterator[ServerBucket]:
    """Each real S3 server in turn."""
    with closing(ServerBucket(s3_server)) as over:
        yield over


@pytest.fixture
def folder_bucket(tmp_path: Path) -> FolderBucket:
    """A local folder: the quickest real bucket."""
    return FolderBucket(_made(tmp_path / "bucket"))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A file with an AES key of 32 raw bytes."""
    path = tmp_path / "aes.key"
    path.write_bytes(random_bytes(32, "the key"))
    path.chmod(0o600)
    return path


@pytest.fixture
def other_key_file(tmp_path: Path) -> Path:
    """Another one."""
    path = tmp_path / "other.key"
    path.write_bytes(random_bytes(32, "another key"))
    return path


@pytest.fixture(scope="session")
def stdlib() -> Tree:
    """The standard library of this Python, without what may change while a test runs."""
    folder = sysconfig.get_path("stdlib")
    command = ("tar", "-C", folder, "--exclude=site-packages", "--exclude=__pycache__", "-cf", "-", ".")
    digest = subprocess.run(
        ["bash", "-o", "pipefail", "-c", '"$@" | tee >(wc -c >&2) | sha256sum', "bash", *command],
        check=True,
        capture_output=True,
        text=True,
    )
    return Tree(command, digest.stdout.split()[0], int(digest.stderr.split()[-1]))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
