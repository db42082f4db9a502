"""What a run is configured with, as text and numbers; the container turns it into ports."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s3duct.domain.ports.user import User
from s3duct.domain.retry import RetryPolicy

_NAME = "s3duct"


def tool_version() -> str:
    """Version of this installation."""
    from importlib import metadata

    return metadata.version(_NAME)


def default_state_dir() -> Path:
    """Where journals of unfinished runs lie: `S3DUCT_STATE_DIR`, or this user's state folder."""
    import platformdirs

    return Path(os.environ.get("S3DUCT_STATE_DIR") or platformdirs.user_state_path(_NAME))


def default_scratch_dir() -> Path:
    """Where scratch files lie: `S3DUCT_SCRATCH_DIR`, or this user's cache folder."""
    import platformdirs

    return Path(os.environ.get("S3DUCT_SCRATCH_DIR") or platformdirs.user_cache_path(_NAME) / "scratch")


def default_native_hashing() -> bool:
    """Whether the compiled extension may hash: not if `S3DUCT_NATIVE` is 0."""
    return os.environ.get("S3DUCT_NATIVE") != "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the bucket is and how to reach it, the key, and where this machine keeps things.

    `bucket` is `name`, `s3://name` or `file:///path`. What is None is left to the AWS configuration (`region`,
    `endpoint_url`, `profile`).

    `key` is the spec of an AES key (`hex:…`, `file:…`, `env:…`). In its place, age: files of identities (to open with; put
    seals for their owners), recipients (`age1…`, `age1pq1…`, `ssh-…`) and files of recipients. `ask_passphrase` is called
    with a description of an identity file that is protected by a passphrase, and returns that; without it such files are
    refused. `user` is whom age plugins turn to (for a PIN, or to touch a key).
    """

    bucket: str
    prefix: str = ""
    region: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None
    addressing_style: str = "auto"
    key: str | None = field(default=None, repr=False)
    age_identities: Sequence[str | Path] = ()
    age_recipients: Sequence[str] = ()
    age_recipients_files: Sequence[str | Path] = ()
    ask_passphrase: Callable[[str], str] | None = None
    user: User | None = None
    scratch_dir: Path = field(default_factory=default_scratch_dir)
    state_dir: Path = field(default_factory=default_state_dir)
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    native_hashing: bool = field(default_factory=default_native_hashing)
