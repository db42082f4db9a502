"""Flags that several commands share, grouped as `--help` shows them.

No `from __future__ import annotations` here: cyclopts reads the annotations.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from s3duct.app.api import BufferWishes
from s3duct.app.cli.key_options import KeyOptions, RecipientOptions
from s3duct.app.cli.terminal import TerminalUser
from s3duct.app.settings import Settings, default_scratch_dir
from s3duct.domain.durations import parse_duration
from s3duct.domain.retry import RetryPolicy, parse_retry_policy
from s3duct.domain.sizes import parse_size

STORE = Group("Where the stream is", sort_key=1)
STREAM = Group("The stream", sort_key=4)
LIMITS = Group("Limits of this machine", sort_key=5)
TROUBLE = Group("When the store fails", sort_key=6)
OUTPUT = Group("Output", sort_key=7)

ProgressMode = Literal["auto", "rich", "plain", "none"]
SummaryMode = Literal["text", "json", "none"]


@Parameter(name="*", group=STORE)
@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """Where the bucket is."""

    bucket: Annotated[str, Parameter(help="A bucket (NAME or s3://NAME) or a local folder (file:///PATH).")]
    prefix: Annotated[str, Parameter(help="Key prefix inside the bucket.")] = ""
    region: Annotated[str | None, Parameter(help="AWS region (default: from the AWS configuration).")] = None
    endpoint_url: Annotated[
        str | None, Parameter(help="Endpoint of an S3-compatible service; http is allowed.")
    ] = None
    addressing_style: Annotated[
        Literal["auto", "path", "virtual"],
        Parameter(help="Bucket in the path or in the host name; auto: path for custom endpoints."),
    ] = "auto"
    profile: Annotated[str | None, Parameter(help="Profile of the AWS configuration.")] = None


@Parameter(name="*", group=LIMITS)
@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """What chunks in flight may take."""

    memory_limit: Annotated[
        str | None,
        Parameter(help="Memory for chunks in flight, like 256M (default: a quarter of what is free)."),
    ] = None
    diskspace_limit: Annotated[
        str | None,
        Parameter(help="Scratch space for chunks in flight, like 2G (default: half of what is free)."),
    ] = None
    buffer_chunks: Annotated[
        int | None, Parameter(help="How many chunks may be in flight (default: 2 to 10, by memory).")
    ] = None
    scratch_dir: Annotated[
        Path | None, Parameter(help="Folder for chunks that do not fit into memory; nothing stays there.")
    ] = None

    def wishes(self) -> BufferWishes:
        """As the use cases take them. Raises `UsageError`."""
        return BufferWishes(
            memory_bytes=None if self.memory_limit is None else parse_size(self.memory_limit),
            scratch_bytes=None if self.diskspace_limit is None else parse_size(self.diskspace_limit),
            max_chunks=self.buffer_chunks,
        )


@Parameter(name="*", group=TROUBLE)
@dataclass(frozen=True, kw_only=True)
class RetryOptions:
    """How long to go on trying."""

    retry_for: Annotated[
        str | None,
        Parameter(
            help="How long an operation that fails is tried again, like 90s, 30m, 6h or 2d (default: 6h, or no limit with"
            " --retries). Counts from its first failure, anew after anything has succeeded."
        ),
    ] = None
    retries: Annotated[
        int | None, Parameter(help="How often an operation that fails is tried again (default: no limit).")
    ] = None

    def policy(self) -> RetryPolicy:
        """As the use cases take it. Raises `UsageError`."""
        return parse_retry_policy(
            retry_for_s=None if self.retry_for is None else parse_duration(self.retry_for),
            max_retries=self.retries,
        )


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What is said on stderr."""

    summary: Annotated[SummaryMode, Parameter(help="Form of the summary on stderr.")] = "text"
    progress: Annotated[
        ProgressMode,
        Parameter(help="Progress on stderr; auto: a live line on terminals, plain lines elsewhere."),
    ] = "auto"
    quiet: Annotated[bool, Parameter(alias="-q", negative=(), help="Say nothing but errors.")] = False
    verbose: Annotated[bool, Parameter(alias="-v", negative=(), help="Report every chunk.")] = False


Name = Annotated[str, Parameter(group=STORE, help="Name of the stream; may hold '/'.")]
# What stands behind `--`. The command line is cut there before it is parsed: see `s3duct.app.cli`.
Command = Annotated[tuple[str, ...], Parameter(parse=False)]
_NO_LIMITS = LimitOptions()
DEFAULT_RETRIES = RetryOptions()


def settings_of(
    store: StoreOptions,
    keys: KeyOptions | None,
    *,
    recipients: RecipientOptions | None = None,
    limits: LimitOptions = _NO_LIMITS,
    retrying: RetryOptions = DEFAULT_RETRIES,
    data_descriptor: int | None = None,
) -> Settings:
    """Gather the settings of a run; `data_descriptor` is the one whose data no passphrase may eat."""
    keys = keys or KeyOptions()
    recipients = recipients or RecipientOptions()
    return Settings(
        bucket=store.bucket,
        prefix=store.prefix,
        region=store.region,
        endpoint_url=store.endpoint_url,
        profile=store.profile,
        addressing_style=store.addressing_style,
        key=keys.key,
        age_identities=keys.identities(),
        age_recipients=tuple(recipients.age_recipient or ()),
        age_recipients_files=tuple(recipients.age_recipients_file or ()),
        ask_passphrase=keys.passphrases(data_descriptor=data_descriptor),
        user=TerminalUser(),
        scratch_dir=limits.scratch_dir or default_scratch_dir(),
        retry_policy=retrying.policy(),
    )
