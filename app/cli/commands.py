"""The commands: parse, call the use case, show what it did.

No `from __future__ import annotations` here: cyclopts reads the annotations.
"""

from typing import Annotated, Literal

from cyclopts import App, Parameter

from s3duct.app.api import (
    AsyncS3duct,
    KeyRing,
    OnDivergence,
    PutOptions,
    ResumeFrom,
    make_key,
    producer,
    source_of_descriptor,
)
from s3duct.app.cli import listing, pipe, running, summaries
from s3duct.app.cli.console import say, warn, write_result
from s3duct.app.cli.key_options import KEY, KeyOptions, RecipientOptions, TrustOptions
from s3duct.app.cli.options import (
    DEFAULT_RETRIES,
    OUTPUT,
    STREAM,
    Command,
    LimitOptions,
    Name,
    OutputOptions,
    RetryOptions,
    StoreOptions,
    settings_of,
)
from s3duct.app.cli.precedence import keys_to_use
from s3duct.app.cli.progress import ProgressListener
from s3duct.app.cli.restore_options import RestoreOptions
from s3duct.app.cli.trouble import Trouble
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.domain.chunk import parse_chunk_size
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import ExitCode, UsageError
from s3duct.domain.sizes import parse_size
from s3duct.domain.storage_class import parse_storage_class

_NO_OUTPUT = OutputOptions()
_NO_LIMITS = LimitOptions()
_NO_KEYS = KeyOptions()
_NO_RECIPIENTS = RecipientOptions()
_DEFAULT_TRUST = TrustOptions()
_ALL_TO_STDOUT = RestoreOptions()
_STDIN, _STDOUT = 0, 1


def put(
    *,
    store: StoreOptions,
    name: Name,
    keys: KeyOptions = _NO_KEYS,
    recipients: RecipientOptions = _NO_RECIPIENTS,
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
    limits: LimitOptions = _NO_LIMITS,
    retrying: RetryOptions = DEFAULT_RETRIES,
    output: OutputOptions = _NO_OUTPUT,
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
    warnings = _warn_about_keys(keys, output)
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


def get(
    *,
    store: StoreOptions,
    name: Name,
    keys: KeyOptions = _NO_KEYS,
    no_decrypt: Annotated[
        bool,
        Parameter(
            group=KEY, negative=(), help="Write the sealed chunks as they are stored, one after another."
        ),
    ] = False,
    trust: TrustOptions = _DEFAULT_TRUST,
    restore: RestoreOptions = _ALL_TO_STDOUT,
    limits: LimitOptions = _NO_LIMITS,
    retrying: RetryOptions = DEFAULT_RETRIES,
    output: OutputOptions = _NO_OUTPUT,
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
    keys, _ = keys_to_use(keys, _NO_RECIPIENTS)
    _warn_about_keys(keys, output)
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


def list_(
    *,
    store: StoreOptions,
    keys: KeyOptions = _NO_KEYS,
    retrying: RetryOptions = DEFAULT_RETRIES,
    json: Annotated[bool, Parameter(group=OUTPUT, negative=(), help="Write a JSON array.")] = False,
) -> int:
    """List the streams in a bucket.

    Streams with a sealed manifest show their details only to the key that opens them.

    Example: s3duct list --bucket b --prefix hosts/db1
    """
    keys, _ = keys_to_use(keys, _NO_RECIPIENTS)
    settings = settings_of(store, keys, retrying=retrying, data_descriptor=_STDOUT)
    ring = KeyRing(settings).read_to_open()

    async def work(stop: StopRequest) -> int:
        streams = AsyncS3duct(settings, listener=Trouble(), keys=ring).list()
        show = listing.show_as_json(streams) if json else listing.show_as_table(streams)
        await stop.ends(show, hint="")
        return ExitCode.OK

    return running.run(work)


def verify(
    *,
    store: StoreOptions,
    name: Name,
    keys: KeyOptions = _NO_KEYS,
    deep: Annotated[
        bool, Parameter(group=STREAM, negative=(), help="Download every chunk and check its content.")
    ] = False,
    trust: TrustOptions = _DEFAULT_TRUST,
    limits: LimitOptions = _NO_LIMITS,
    retrying: RetryOptions = DEFAULT_RETRIES,
    output: OutputOptions = _NO_OUTPUT,
) -> int:
    """Check that a stream is whole.

    By default, the presence, size and ETag of every chunk are looked up. With --deep, every chunk is downloaded and checked:
    with the key (or if the stream is plain) its content and the chain, without it the sealed bytes.

    Example: s3duct verify --bucket b --name data --deep --key file:data.key
    """
    keys, _ = keys_to_use(keys, _NO_RECIPIENTS)
    _warn_about_keys(keys, output)
    settings = settings_of(store, keys, limits=limits, retrying=retrying)
    demands, ring = trust.trust(), KeyRing(settings).read_to_open()

    async def work(stop: StopRequest) -> int:
        with ProgressListener(output) as listener:
            s3duct = AsyncS3duct(settings, buffers=limits.wishes(), listener=listener, keys=ring)
            summary = await s3duct.verify(name, deep=deep, trust=demands, stop=stop)
        summaries.show_verify(summary, output)
        return ExitCode.OK if summary.ok else ExitCode.INTEGRITY

    return running.run(work)


def keygen(
    kind: Annotated[Literal["aes", "age"], Parameter(help="aes: an AES-256 key; age: an age identity.")],
    path: Annotated[str, Parameter(help="The file to write; one that is there is never overwritten.")],
    *,
    pq: Annotated[
        bool,
        Parameter(
            negative=(), help="An age identity that is safe from quantum computers (ML-KEM-768, X25519)."
        ),
    ] = False,
) -> int:
    """Make a new key, in a file that only you can read.

    For age, the recipient is written to stdout: that is all that a machine needs to put streams which it cannot read.

    Example: s3duct keygen age --pq backup-identity.txt
    """
    method = EncryptionMethod.AGE if kind == "age" else EncryptionMethod.AES_256_GCM
    recipient = make_key(path, method, post_quantum=pq)
    say(f"wrote {path!r}: keep a copy somewhere safe, nothing that is sealed for it opens without it")
    if recipient is not None:
        write_result(recipient + "\n")
    return ExitCode.OK


def register(app: App) -> None:
    """Add all commands to the app."""
    app.command(put, name="put", usage="Usage: s3duct put --bucket BUCKET --name NAME [OPTIONS] [-- COMMAND]")
    app.command(get, name="get", usage="Usage: s3duct get --bucket BUCKET --name NAME [OPTIONS] [-- COMMAND]")
    app.command(list_, name="list")
    app.command(verify, name="verify")
    app.command(keygen, name="keygen")


def _tags(pairs: list[str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(f"not a tag: {pair!r}", hint="write it as --tag key=value")
        tags[key] = value
    return tags


def _warn_about_keys(keys: KeyOptions, output: OutputOptions) -> tuple[str, ...]:
    """Warn about keys that others can read; return the warnings."""
    warnings = tuple(keys.exposures())
    for warning in () if output.quiet else warnings:
        warn(warning)
    return warnings
