"""The Python API over a test's bucket: for what would cost a process each."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from s3duct.app.api import S3duct, Settings
from s3duct.domain.errors import ExitCode, S3ductError
from tests.support.buckets import Bucket


def connect(
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    *,
    key_file: Path | None = None,
    age_identity: Path | None = None,
    prefix: str = "",
) -> S3duct:
    """Return the API with the settings that `bucket`'s flags stand for."""
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    flags = dict(zip(bucket.flags[::2], bucket.flags[1::2], strict=True))
    return S3duct(
        Settings(
            bucket=flags["--bucket"],
            endpoint_url=flags.get("--endpoint-url"),
            prefix=prefix,
            key=None if key_file is None else f"file:{key_file}",
            age_identities=() if age_identity is None else (str(age_identity),),
        )
    )


def get_outcome(s3duct: S3duct, name: str) -> tuple[ExitCode, bytes]:
    """Restore a stream; return the exit code that the command would have, and what was written."""
    sink = io.BytesIO()
    try:
        s3duct.get(name, sink)
    except S3ductError as error:
        return error.exit_code, sink.getvalue()
    return ExitCode.OK, sink.getvalue()
