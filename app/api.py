"""The Python face: put, get, list and verify over the same use cases as the command.

Errors are those of `s3duct.domain.errors`, events those of `s3duct.domain.events`. `AsyncS3duct` is for callers with an
event loop, `S3duct` for the others. A store of your own (anything with the methods of the port
`s3duct.domain.ports.object_store.ObjectStore`) takes the place of a bucket: see `examples/swap_store.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from s3duct.app.container import Container
from s3duct.app.container.ciphers import KeyRing, halt_plugins
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.app.settings import Settings, tool_version
from s3duct.domain.backpressure import BufferWishes
from s3duct.domain.byte_range import ByteRange
from s3duct.domain.chunk import DEFAULT_CHUNK_BYTES, part_size_for
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.events import Listener, ignore_events
from s3duct.domain.manifest_trust import DEFAULT_TRUST, ManifestTrust
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.object_store import ObjectStore
from s3duct.domain.ports.output import Output
from s3duct.domain.ports.pipe import Sink, Source
from s3duct.domain.ports.process import Consumer, Producer
from s3duct.domain.resume import OnDivergence, ResumeFrom

if TYPE_CHECKING:
    from s3duct.app.usecases.get_request import GetSummary
    from s3duct.app.usecases.list_streams import ListedStream
    from s3duct.app.usecases.put_request import PutSummary
    from s3duct.app.usecases.verify import VerifySummary

__all__ = [
    "AsyncS3duct",
    "BufferWishes",
    "GetSummary",
    "KeyRing",
    "ListedStream",
    "ManifestTrust",
    "OnDivergence",
    "Output",
    "PutOptions",
    "PutSummary",
    "ResumeFrom",
    "S3duct",
    "Settings",
    "StopRequest",
    "VerifySummary",
    "consumer",
    "halt_plugins",
    "make_key",
    "output_at",
    "output_of_sink",
    "producer",
    "sink_of_descriptor",
    "source_of_descriptor",
]

# Each use case is imported by the call that needs it, and what it returns by whoever asks for the name (ADR 0022).
_RESULTS = {
    "GetSummary": "s3duct.app.usecases.get_request",
    "ListedStream": "s3duct.app.usecases.list_streams",
    "PutSummary": "s3duct.app.usecases.put_request",
    "VerifySummary": "s3duct.app.usecases.verify",
}

T = TypeVar("T")

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _RESULTS:
            return getattr(import_module(_RESULTS[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOptions:
    """How to put. Sizes in bytes; `storage_class` is one of S3's names, for chunks only.

    An input that is not of `expected_bytes`, or smaller than `min_bytes`, gets no manifest.
    """

    chunk_size_bytes: int = DEFAULT_CHUNK_BYTES
    storage_class: str | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    seal_manifest: bool = False
    clobber: bool = False
    resume: bool = True
    strict_resume: bool = True
    allow_empty: bool = False
    expected_bytes: int | None = None
    min_bytes: int = 0
    resume_from: ResumeFrom = ResumeFrom.AUTO
    takeover: bool = False
    on_divergence: OnDivergence = OnDivergence.FAIL


class AsyncS3duct:
    """Streams in one bucket, for callers with an event loop.

    Args:
        settings: where the bucket is, the key, the folders.
        store: a store to use in place of `settings.bucket`.
        buffers: limits of memory, scratch and chunks in flight.
        listener: hears every event, on the event loop's thread.
        keys: what the settings name, if it was read before (`KeyRing`): asking for a passphrase would hold up the loop.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: ObjectStore | None = None,
        buffers: BufferWishes | None = None,
        listener: Listener = ignore_events,
        keys: KeyRing | None = None,
    ) -> None:
        self._settings = settings
        self._container = Container(settings=settings)
        if keys is not None:
            self._container.keys.override(keys)
        self._own_store = store
        self._buffers = buffers or BufferWishes()
        self._listener = listener

    async def put(
        self,
        name: str,
        source: Source | BinaryIO,
        options: PutOptions | None = None,
        *,
        stop: StopRequest | None = None,
    ) -> PutSummary:
        """Store everything that `source` gives as the stream `name`. Raises as `s3duct.app.usecases.put.put` does."""
        from s3duct.app.usecases.put import put
        from s3duct.app.usecases.put_request import PutRequest

        options = options or PutOptions()
        request = PutRequest(
            location=self._location(name),
            destination=self._destination(),
            chunk_size_bytes=options.chunk_size_bytes,
            buffers=self._buffers,
            tool_version=tool_version(),
            storage_class=options.storage_class,
            description=options.description,
            tags=options.tags,
            seal_manifest=options.seal_manifest,
            clobber=options.clobber,
            resume=options.resume,
            strict_resume=options.strict_resume,
            allow_empty=options.allow_empty,
            expected_bytes=options.expected_bytes,
            min_bytes=options.min_bytes,
            resume_from=options.resume_from,
            takeover=options.takeover,
            on_divergence=options.on_divergence,
        )
        cipher = self._container.keys().sealing
        part_bytes = part_size_for(cipher.sealed_size_bytes(options.chunk_size_bytes))
        return await put(
            request,
            source=source if isinstance(source, Source) else self._container.file_source(source),
            ports=self._container.put_ports(
                store=self._store(create=True, part_bytes=part_bytes),
                uploads=None if self._own_store is not None else self._container.uploads(),
            ),
            listener=self._listener,
            stop=stop or StopRequest(),
        )

    async def get(
        self,
        name: str,
        to: Output | Sink | BinaryIO,
        *,
        raw: bool = False,
        offset_bytes: int = 0,
        length_bytes: int | None = None,
        trust: ManifestTrust = DEFAULT_TRUST,
        stop: StopRequest | None = None,
    ) -> GetSummary:
        """Write the stream `name`, or a part of it, verified chunk by chunk. Raises as `s3duct.app.usecases.get.get` does.

        `to` is a file object or a sink that takes the bytes as they come, or an output (`output_at`) that an interrupted
        run can go on from.
        """
        from s3duct.app.usecases.get import get
        from s3duct.app.usecases.get_request import GetRequest

        wanted = ByteRange(offset_bytes, length_bytes)
        return await get(
            GetRequest(self._location(name), self._buffers, raw=raw, trust=trust, range=wanted),
            output=self._output(to),
            ports=self._container.read_ports(store=self._store()),
            listener=self._listener,
            stop=stop or StopRequest(),
        )

    def list(self) -> AsyncGenerator[ListedStream, None]:
        """Yield the streams under the prefix in order. Raises as `s3duct.app.usecases.list_streams` does."""
        from s3duct.app.usecases.list_streams import list_streams

        ports = self._container.list_ports(store=self._store())
        return list_streams(self._settings.prefix, ports=ports, listener=self._listener)

    async def verify(
        self,
        name: str,
        *,
        deep: bool = False,
        trust: ManifestTrust = DEFAULT_TRUST,
        stop: StopRequest | None = None,
    ) -> VerifySummary:
        """Check the stream `name`. Raises as `s3duct.app.usecases.verify.verify` does."""
        from s3duct.app.usecases.verify import VerifyRequest, verify

        return await verify(
            VerifyRequest(self._location(name), self._buffers, deep=deep, trust=trust),
            ports=self._container.read_ports(store=self._store()),
            listener=self._listener,
            stop=stop or StopRequest(),
        )

    def _location(self, name: str) -> StreamLocation:
        return StreamLocation.parse(prefix=self._settings.prefix, name=name)

    def _output(self, to: Output | Sink | BinaryIO) -> Output:
        if isinstance(to, Output):
            return to
        return output_of_sink(to if isinstance(to, Sink) else self._container.file_sink(to))

    def _store(self, *, create: bool = False, part_bytes: int = 0) -> ObjectStore:
        if self._own_store is not None:
            return self._own_store
        return self._container.store(create=create, part_bytes=part_bytes)

    def _destination(self) -> str:
        if self._own_store is not None:
            return f"{type(self._own_store).__module__}.{type(self._own_store).__qualname__}:{self._settings.bucket}"
        return self._container.destination()


class S3duct:
    """Streams in one bucket, for callers without an event loop. Every call runs one of its own.

    Args: as `AsyncS3duct`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: ObjectStore | None = None,
        buffers: BufferWishes | None = None,
        listener: Listener = ignore_events,
    ) -> None:
        keys = KeyRing(settings)
        self._make: Callable[[], AsyncS3duct] = lambda: AsyncS3duct(
            settings, store=store, buffers=buffers, listener=listener, keys=keys
        )

    def put(self, name: str, source: Source | BinaryIO, options: PutOptions | None = None) -> PutSummary:
        """Store everything that `source` gives as the stream `name`. Raises as `s3duct.app.usecases.put.put` does."""
        return _run(self._make().put(name, source, options))

    def get(
        self,
        name: str,
        to: Output | Sink | BinaryIO,
        *,
        raw: bool = False,
        offset_bytes: int = 0,
        length_bytes: int | None = None,
        trust: ManifestTrust = DEFAULT_TRUST,
    ) -> GetSummary:
        """Write the stream `name`, or a part of it, as `AsyncS3duct.get` does."""
        return _run(
            self._make().get(
                name, to, raw=raw, offset_bytes=offset_bytes, length_bytes=length_bytes, trust=trust
            )
        )

    def list(self) -> list[ListedStream]:
        """Return the streams under the prefix in order. Raises as `s3duct.app.usecases.list_streams` does."""

        async def collect() -> list[ListedStream]:
            return [stream async for stream in self._make().list()]

        return _run(collect())

    def verify(self, name: str, *, deep: bool = False, trust: ManifestTrust = DEFAULT_TRUST) -> VerifySummary:
        """Check the stream `name`. Raises as `s3duct.app.usecases.verify.verify` does."""
        return _run(self._make().verify(name, deep=deep, trust=trust))


def make_key(path: str, method: EncryptionMethod, *, post_quantum: bool = False) -> str | None:
    """Write a new key file; return its recipient (age). Raises as `s3duct.app.usecases.keygen.keygen` does."""
    from s3duct.app.usecases.keygen import KeygenRequest, keygen

    return keygen(KeygenRequest(path, method, post_quantum), ports=Container.keygen_ports())


def source_of_descriptor(descriptor: int) -> Source:
    """Return a source over a file descriptor; a regular file is checked against its size. It is not closed."""
    return Container.descriptor_source(descriptor)


def sink_of_descriptor(descriptor: int) -> Sink:
    """Return a sink over a file descriptor. It is not closed."""
    return Container.descriptor_sink(descriptor)


def output_of_sink(sink: Sink) -> Output:
    """Return an output that writes to a sink as it comes: nothing is kept to go on from."""
    return Container.sink_output(sink)


def output_at(path: Path, *, replace: bool = False) -> Output:
    """Return an output at `path`: a file takes its name when it is complete, and an interrupted run is gone on from.

    A device or a named pipe is written to as it comes. `replace` allows to take the place of a file that is there.
    """
    return Container.output(path, replace=replace)


def producer(command: Sequence[str], *, stdin: int | None = None) -> Producer:
    """Return a source that runs `command` (the program and its arguments, no shell) and is whole only if that ends well.

    Args:
        command: looked up on PATH; started by the put, once nothing else stands in its way.
        stdin: descriptor of its standard input; None shares that of this process.

    Raises:
        UsageError: there is no such program.
    """
    return Container.producer(command, stdin=stdin)


def consumer(command: Sequence[str], *, stdout: int | None = None) -> Consumer:
    """Return a sink that runs `command` (the program and its arguments, no shell) and fails if that fails.

    Args:
        command: looked up on PATH; started by the get, once the stream is known to be there and readable.
        stdout: descriptor of its standard output; None shares that of this process.

    Raises:
        UsageError: there is no such program.
    """
    return Container.consumer(command, stdout=stdout)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    coroutine.close()
    raise RuntimeError("S3duct cannot be used inside a running event loop: use AsyncS3duct there")
