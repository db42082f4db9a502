"""Fixtures of this suite."""

import os
from collections.abc import Iterator

import pytest

from tests.support.fixtures import (
    bucket,
    folder_bucket,
    key_file,
    other_key_file,
    s3_bucket,
    stdlib,
)

__all__ = ["bucket", "folder_bucket", "key_file", "other_key_file", "private_files", "s3_bucket", "stdlib"]


@pytest.fixture
def private_files() -> Iterator[None]:
    """Let others read no file that is made: a key file that they can read is warned about before anything else is said."""
    before = os.umask(0o077)
    yield
    os.umask(before)
