"""What `--bucket` names: an S3 bucket or a local folder."""

from __future__ import annotations

import re
from dataclasses import dataclass

from s3duct.domain.errors import UsageError

# Wider than AWS's own rule: S3-compatible servers allow capitals, underscores and short names.
_BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


_FILE_HINT = "write it with three slashes, like file:///srv/backup"
_KINDS_HINT = "write it as name, s3://name or file:///path"
_PERCENT_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")  # RFC 3986, 2.1


@dataclass(frozen=True, slots=True)
class S3Bucket:
    """A bucket of an S3-compatible service."""

    name: str


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on this machine; `path` is absolute."""

    path: str


def parse_bucket(text: str) -> S3Bucket | LocalFolder:
    """Parse `name`, `s3://name` or `file:///path`.

    Raises:
        UsageError: none of them.
    """
    if text.startswith("file:"):
        return _local_folder(text)
    if text.startswith(("/", "./", "../", "~")):
        raise UsageError(f"the bucket {text!r} is a path", hint=_FILE_HINT)
    name = text.removeprefix("s3://").rstrip("/")
    if "://" in name:
        raise UsageError(f"not a bucket: {text!r}", hint=_KINDS_HINT)
    if "/" in name:
        raise UsageError(f"the bucket {text!r} holds a path", hint="give the path as --prefix")
    if not _BUCKET_NAME.fullmatch(name):
        raise UsageError(f"not a bucket: {text!r}", hint=_KINDS_HINT)
    return S3Bucket(name)


def _local_folder(text: str) -> LocalFolder:
    path = text.removeprefix("file://localhost" if text.startswith("file://localhost/") else "file://")
    if not path.startswith("/"):
        raise UsageError(f"not an absolute file URL: {text!r}", hint=_FILE_HINT)
    try:
        # What the shell hands over as bytes that are no UTF-8 arrives as lone surrogates, and goes back the same way.
        encoded = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UsageError(f"not a path: {text!r}", hint=_FILE_HINT) from None
    decoded = _PERCENT_ENCODED.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), encoded)
    if b"\0" in decoded:
        raise UsageError(f"not a path: {text!r}", hint=_FILE_HINT)
    return LocalFolder(decoded.decode("utf-8", "surrogateescape"))
