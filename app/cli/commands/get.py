"""get: parse, call the use case, show what it did.

No `from __future__ import annotations` here: cyclopts reads the annotations. What runs it is imported when it runs.
"""

from typing import Annotated

from cyclopts import Parameter

from s3duct.app.cli.key_options import KEY, KeyOptions, TrustOptions
from s3duct.app.cli.options import (
    DEFAULT_RETRIES,
    DEFAULT_TRUST,
    NO_KEYS,
    NO_LIMITS,
    NO_OUTPUT,
    NO_RECIPIENTS,
    Command,
    LimitOptions,
    Name,
    OutputOptions,
    RetryOptions,
    StoreOptions,
)
from s3duct.app.cli.precedence import keys_to_use
from s3duct.app.cli.restore_options import RestoreOptions

_ALL_TO_STDOUT = RestoreOptions()
_STDOUT = 1


def get(
    *,
    store: StoreOptions,
    name: Name,
    keys: KeyOptions = NO_KEYS,
    no_decrypt: Annotated[
        bool,
        Parameter(
            group=KEY, negative=(), help="Write the sealed chunks as they are stored, one after another."
        ),
    ] = False,
    trust: TrustOptions = DEFAULT_TRUST,
    restore: RestoreOptions = _ALL_TO_STDOUT,
    limits: LimitOptions = NO_LIMITS,
    retrying: RetryOptions = DEFAULT_RETRIES,
    output: OutputOptions = NO_OUTPUT,
    command: Command = (),
) -> int:
    """Write a stream to stdout, to a file, or to a command.

    Chunks are downloaded ahead; each is decrypted and checked against both digests and the chain before its first byte is
    written. If one is damaged, what was written before it is verified, and the exit code is 3.

    With --output, the file takes its name when it is complete. Interrupted, the same command verifies what is there and
    goes on from it.

    Behind --, write the command that takes the data: it sees the end of its input only if the stream is whole, and if it
    fails, get fails.

    Example: s3duct get --bucket b --name db --key file:db.key -- psql mydb

    Example: s3duct get --bucket b --name data --key file:data.key | tar x
    """
    from s3duct.app.api import AsyncS3duct, KeyRing, StopRequest
    from s3duct.app.cli import running, summaries
    from s3duct.app.cli.progress import ProgressListener
    from s3duct.app.cli.run_settings import settings_of, warn_about_keys
    from s3duct.domain.errors import ExitCode

    keys, _ = keys_to_use(keys, NO_RECIPIENTS)
    warn_about_keys(keys, output)
    data = _STDOUT if restore.to_stdout else None
    settings = settings_of(store, keys, limits=limits, retrying=retrying, data_descriptor=data)
    offset_bytes, length_bytes = restore.offset_bytes, restore.length_bytes
    demands, ring = trust.trust(), KeyRing(settings).read_to_open()
    to = restore.open() if not command else restore.hand_to(command)

    async def work(stop: StopRequest) -> int:
        with ProgressListener(output) as listener:
            s3duct = AsyncS3duct(settings, buffers=limits.wishes(), listener=listener, keys=ring)
            summary = await s3duct.get(
                name,
                to,
                raw=no_decrypt,
                offset_bytes=offset_bytes,
                length_bytes=length_bytes,
                trust=demands,
                stop=stop,
            )
        summaries.show_get(summary, output, path=restore.path, elapsed_s=listener.counters.elapsed_s)
        return ExitCode.OK

    return running.run(work)
