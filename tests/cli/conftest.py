"""Fixtures of this suite."""

from tests.support.fixtures import (
    bucket,
    folder_bucket,
    key_file,
    other_key_file,
    s3_bucket,
    stdlib,
)

__all__ = ["bucket", "folder_bucket", "key_file", "other_key_file", "s3_bucket", "stdlib"]
