"""Fixtures of this suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.interop.oracle import Oracle
from tests.servers import S3Server
from tests.support.buckets import ServerBucket
from tests.support.fixtures import (
    bucket,
    folder_bucket,
    key_file,
    other_key_file,
    s3_bucket,
    stdlib,
)

__all__ = ["bucket", "folder_bucket", "key_file", "other_key_file", "s3_bucket", "stdlib"]


@pytest.fixture(params=["seaweedfs", "rclone_s3"])
def server_bucket(request: pytest.FixtureRequest) -> Iterator[ServerBucket]:
    server = request.getfixturevalue(request.param)
    assert isinstance(server, S3Server)
    with closing(ServerBucket(server)) as bucket:
        yield bucket


@pytest.fixture
def rclone_bucket(rclone_s3: S3Server) -> Iterator[ServerBucket]:
    with closing(ServerBucket(rclone_s3)) as bucket:
        yield bucket


@pytest.fixture
def seaweedfs_bucket(seaweedfs: S3Server) -> Iterator[ServerBucket]:
    with closing(ServerBucket(seaweedfs)) as bucket:
        yield bucket


@pytest.fixture
def released_0_3_0(oracle: Callable[[str], Path]) -> Oracle:
    return Oracle("0.3.0", oracle("0.3.0"))


@pytest.fixture
def released_0_4_0(oracle: Callable[[str], Path]) -> Oracle:
    return Oracle("0.4.0", oracle("0.4.0"))
