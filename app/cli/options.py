"""Flags that several commands share, grouped as `--help` shows them.

No `from __future__ import annotations` here: cyclopts reads the annotations.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from s3duct.app.cli.key_options import KeyOptions, RecipientOptions, TrustOptions

if TYPE_CHECKING:
    from s3duct.domain.backpressure import BufferWishes
    from s3duct.domain.retry import RetryPolicy

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

    def wishes(self) -> "BufferWishes":
        """As the use cases take them. Raises `UsageError`."""
        from s3duct.domain.backpressure import BufferWishes
        from s3duct.domain.sizes import parse_size

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

    def policy(self) -> "RetryPolicy":
        """As the use cases take it. Raises `UsageError`."""
        from s3duct.domain.durations import parse_duration
        from s3duct.domain.retry import parse_retry_policy

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

# The defaults of these groups of flags.
NO_KEYS = KeyOptions()
NO_RECIPIENTS = RecipientOptions()
DEFAULT_TRUST = TrustOptions()
NO_LIMITS = LimitOptions()
NO_OUTPUT = OutputOptions()
DEFAULT_RETRIES = RetryOptions()
