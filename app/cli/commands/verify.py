"""verify: parse, call the use case, show what it found.

No `from __future__ import annotations` here: cyclopts reads the annotations. What runs it is imported when it runs.
"""

from typing import Annotated

from cyclopts import Parameter

from s3duct.app.cli.key_options import KeyOptions, TrustOptions
from s3duct.app.cli.options import (
    DEFAULT_RETRIES,
    DEFAULT_TRUST,
    NO_KEYS,
    NO_LIMITS,
    NO_OUTPUT,
    NO_RECIPIENTS,
    STREAM,
    LimitOptions,
    Name,
    OutputOptions,
    RetryOptions,
    StoreOptions,
)
from s3duct.app.cli.precedence import keys_to_use


def verify(
    *,
    store: StoreOptions,
    name: Name,
    keys: KeyOptions = NO_KEYS,
    deep: Annotated[
        bool, Parameter(group=STREAM, negative=(), help="Download every chunk and check its content.")
    ] = False,
    trust: TrustOptions = DEFAULT_TRUST,
    limits: LimitOptions = NO_LIMITS,
    retrying: RetryOptions = DEFAULT_RETRIES,
    output: OutputOptions = NO_OUTPUT,
) -> int:
    """Check that a stream is whole.

    By default, the presence, size and ETag of every chunk are looked up. With --deep, every chunk is downloaded and checked:
    with the key (or if the stream is plain) its content and the chain, without it the sealed bytes.

    Example: s3duct verify --bucket b --name data --deep --key file:data.key
    """
    from s3duct.app.api import AsyncS3duct, KeyRing, StopRequest
    from s3duct.app.cli import running, summaries
    from s3duct.app.cli.progress import ProgressListener
    from s3duct.app.cli.run_settings import settings_of, warn_about_keys
    from s3duct.domain.errors import ExitCode

    keys, _ = keys_to_use(keys, NO_RECIPIENTS)
    warn_about_keys(keys, output)
    settings = settings_of(store, keys, limits=limits, retrying=retrying)
    demands, ring = trust.trust(), KeyRing(settings).read_to_open()

    async def work(stop: StopRequest) -> int:
        with ProgressListener(output) as listener:
            s3duct = AsyncS3duct(settings, buffers=limits.wishes(), listener=listener, keys=ring)
            summary = await s3duct.verify(name, deep=deep, trust=demands, stop=stop)
        summaries.show_verify(summary, output)
        return ExitCode.OK if summary.ok else ExitCode.INTEGRITY

    return running.run(work)
