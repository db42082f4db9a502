"""put: parse, call the use case, show what it did.

No `from __future__ import annotations` here: cyclopts reads the annotations. What runs it is imported when it runs.
"""

from typing import Annotated, Literal

from cyclopts import Parameter

from s3duct.app.cli.console import warn
from s3duct.app.cli.key_options import KEY, KeyOptions, RecipientOptions
from s3duct.app.cli.options import (
    DEFAULT_RETRIES,
    NO_KEYS,
    NO_LIMITS,
    NO_OUTPUT,
    NO_RECIPIENTS,
    STREAM,
    Command,
    LimitOptions,
    Name,
    OutputOptions,
    RetryOptions,
    StoreOptions,
)
from s3duct.app.cli.precedence import keys_to_use
from s3duct.domain.errors import UsageError

_STDIN = 0


def put(
    *,
    store: StoreOptions,
    name: Name,
    keys: KeyOptions = NO_KEYS,
    recipients: RecipientOptions = NO_RECIPIENTS,
    no_encrypt: Annotated[
        bool, Parameter(group=KEY, negative=(), help="Store plain bytes, even if a key is configured.")
    ] = False,
    encrypt_manifest: Annotated[
        bool,
        Parameter(group=KEY, help="Seal the manifest as well, with the same key or for the same recipients."),
    ] = False,
    chunk_size: Annotated[
        str, Parameter(group=STREAM, help="Size of a chunk, like 256M, 64MiB or 1G.")
    ] = "512M",
    tag: Annotated[
        list[str] | None,
        Parameter(group=STREAM, negative=(), help="KEY=VALUE for the manifest; may be repeated."),
    ] = None,
    description: Annotated[str, Parameter(group=STREAM, help="Text for the manifest.")] = "",
    storage_class: Annotated[
        str | None,
        Parameter(group=STREAM, help="S3 storage class of the chunks (the manifest is always STANDARD)."),
    ] = None,
    clobber: Annotated[
        bool,
        Parameter(
            group=STREAM, negative=(), help="Replace a stream of that name once the new one is stored whole."
        ),
    ] = False,
    resume: Annotated[
        bool,
        Parameter(
            group=STREAM, help="Continue an unfinished put of that name, or leave it aside and start over."
        ),
    ] = True,
    resume_from: Annotated[
        Literal["auto", "local", "bucket"],
        Parameter(
            group=STREAM,
            help="Where the record of an unfinished put is: on this machine, or in the bucket (another machine's). "
            "auto: wherever there is one.",
        ),
    ] = "auto",
    takeover: Annotated[
        bool,
        Parameter(
            group=STREAM,
            negative=(),
            help="Take the name over from an unfinished put of another machine at once, even if it seems to be running.",
        ),
    ] = False,
    on_divergence: Annotated[
        Literal["fail", "restart", "keep-partial"],
        Parameter(
            group=STREAM,
            help="If the input is another one than what is stored of an unfinished put: change nothing; store this one and "
            "remove that; or store this one and leave that in the bucket.",
        ),
    ] = "fail",
    strict_resume: Annotated[
        bool,
        Parameter(group=STREAM, help="Fail if the input ends before all of the stored part was seen again."),
    ] = True,
    allow_empty: Annotated[
        bool, Parameter(group=STREAM, negative=(), help="Store an empty input as an empty stream.")
    ] = False,
    expected_size: Annotated[
        str | None,
        Parameter(group=STREAM, help="Fail unless the input is exactly that large, like 1G or 1048576."),
    ] = None,
    min_size: Annotated[str, Parameter(group=STREAM, help="Fail if the input is smaller than that.")] = "0",
    limits: LimitOptions = NO_LIMITS,
    retrying: RetryOptions = DEFAULT_RETRIES,
    output: OutputOptions = NO_OUTPUT,
    command: Command = (),
) -> int:
    """Store what is piped in, or what a command writes, as a stream.

    The input is cut into chunks; several are hashed, sealed and uploaded at once, and each is on record the moment it is
    stored. Interrupted, the same command with the same input goes on from there.

    Behind --, write the command that makes the data: s3duct runs it, and stores no stream if it fails. In a pipe, use
    "set -o pipefail": an input that ends early looks like one that has ended.

    Example: s3duct put --bucket b --name db --key file:db.key -- pg_dump mydb

    Example: tar c /data | s3duct put --bucket b --name data --key file:data.key
    """
    from s3duct.app.api import (
        AsyncS3duct,
        KeyRing,
        OnDivergence,
        PutOptions,
        ResumeFrom,
        StopRequest,
        producer,
        source_of_descriptor,
    )
    from s3duct.app.cli import pipe, running, summaries
    from s3duct.app.cli.progress import ProgressListener
    from s3duct.app.cli.run_settings import settings_of, warn_about_keys
    from s3duct.domain.chunk import parse_chunk_size
    from s3duct.domain.errors import ExitCode
    from s3duct.domain.sizes import parse_size
    from s3duct.domain.storage_class import parse_storage_class

    options = PutOptions(
        chunk_size_bytes=parse_chunk_size(chunk_size),
        storage_class=None if storage_class is None else parse_storage_class(storage_class).value,
        description=description,
        tags=_tags(tag or []),
        seal_manifest=encrypt_manifest,
        clobber=clobber,
        resume=resume,
        strict_resume=strict_resume,
        allow_empty=allow_empty,
        resume_from=ResumeFrom(resume_from),
        takeover=takeover,
        on_divergence=OnDivergence(on_divergence),
        expected_bytes=None if expected_size is None else parse_size(expected_size),
        min_bytes=parse_size(min_size),
    )
    keys, recipients = keys_to_use(keys, recipients, no_encrypt=no_encrypt)
    warnings = warn_about_keys(keys, output)
    if not (no_encrypt or keys.given or recipients.given):
        warnings += ("no key: the stream is stored unencrypted (--no-encrypt says that this is meant)",)
        warn(warnings[-1])
    settings = settings_of(
        store,
        keys,
        recipients=recipients,
        limits=limits,
        retrying=retrying,
        data_descriptor=None if command else _STDIN,
    )
    ring = KeyRing(settings).read_to_seal()
    source = (
        producer(command, stdin=pipe.lend_stdin()) if command else source_of_descriptor(pipe.take_stdin())
    )

    async def work(stop: StopRequest) -> int:
        with ProgressListener(output) as listener:
            s3duct = AsyncS3duct(settings, buffers=limits.wishes(), listener=listener, keys=ring)
            summary = await s3duct.put(name, source, options, stop=stop)
        summaries.show_put(summary, output, elapsed_s=listener.counters.elapsed_s, warnings=warnings)
        return ExitCode.OK

    return running.run(work)


def _tags(pairs: list[str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(f"not a tag: {pair!r}", hint="write it as --tag key=value")
        tags[key] = value
    return tags
