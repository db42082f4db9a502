"""get: a stream from the bucket goes to a sink, in order, and not one byte of it before its whole chunk is verified."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass

from s3duct.app.pipeline.buffer_pool import BufferPool
from s3duct.app.pipeline.download import ChunkDownloader
from s3duct.app.pipeline.prefetch import fetch_in_order
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.app.pipeline.workers import BlockingThread, Workers
from s3duct.app.usecases.opening import ReadPorts, buffer_limits, cipher_for, open_stream
from s3duct.domain.backpressure import BufferWishes
from s3duct.domain.events import BytesMoved, ChunkFinished, Listener, Notice, TransferStarted
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_trust import DEFAULT_TRUST, ManifestTrust
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.pipe import Sink


@dataclass(frozen=True, slots=True)
class GetRequest:
    """What to get. `raw` hands out the sealed bytes as they are stored; `trust` says what the manifest has to prove."""

    location: StreamLocation
    buffers: BufferWishes
    raw: bool = False
    trust: ManifestTrust = DEFAULT_TRUST


@dataclass(frozen=True, slots=True)
class GetSummary:
    """What a get did.

    `manifest_sha256` (hex) is the digest of the manifest object; `accepted` says what about it a flag made acceptable.
    """

    manifest: Manifest
    manifest_sha256: str
    bytes_written: int
    raw: bool
    accepted: str = ""


async def get(
    request: GetRequest, *, sink: Sink, ports: ReadPorts, listener: Listener, stop: StopRequest
) -> GetSummary:
    """Write a stream to a sink.

    Raises:
        StreamNotFound, UnsupportedFormat: nothing was written.
        KeyRequired, WrongKey: no key, or not the right one; nothing was written.
        ManifestUnexpected, ManifestAltered, ManifestUnauthenticated, DowngradeRefused: see `ManifestTrust`; nothing was
            written.
        IntegrityError: the stream is damaged; verified whole chunks before the damage were written, nothing else.
        SinkClosed, SinkError: the consumer has gone, or the output cannot be written.
        StoreError, AccessDenied, LocalResourceError: as they come.
        Interrupted: `stop` was set.
    """
    hint = "what was written is verified, but it is not the whole stream"
    return await stop.ends(_get(request, sink, ports, listener), hint=hint)


async def _get(request: GetRequest, sink: Sink, ports: ReadPorts, listener: Listener) -> GetSummary:
    location = request.location
    retrier = Retrier(ports.retry_policy, clock=ports.clock, entropy=ports.entropy, listener=listener)
    # 1. The manifest, and whether the key in hand fits it: before any chunk is fetched.
    opened = await open_stream(location, trust=request.trust, ports=ports, retrier=retrier)
    manifest = opened.manifest
    raw = request.raw and manifest.encrypted
    accepted = request.trust.check(opened, ports.cipher)
    if accepted:
        listener(Notice(accepted))
    cipher = None if raw else cipher_for(manifest, ports)
    limits = buffer_limits(manifest, request.buffers, ports)
    listener(TransferStarted(location.name, manifest.total_bytes, len(manifest.chunks)))
    # 2. Chunk after chunk, fetched ahead, verified, then written.
    written = 0
    writer = BlockingThread("sink")
    try:
        with Workers() as workers:
            downloader = ChunkDownloader(
                store=ports.store,
                location=location,
                manifest=manifest,
                cipher=cipher,
                hasher=ports.hasher,
                workers=workers,
                retrier=retrier,
                memory_bytes=limits.memory_bytes,
            )
            fetched = fetch_in_order(
                manifest.chunks,
                downloader=downloader,
                pool=BufferPool(ports.memory, ports.disk, limits, listener),
                listener=listener,
            )
            async with aclosing(fetched):
                async for chunk in fetched:
                    await writer.call(sink.write_all, chunk.view)
                    size_bytes = len(chunk.view)
                    chunk.view.release()
                    written += size_bytes
                    listener(BytesMoved(size_bytes))
                    listener(ChunkFinished(chunk.record.index, size_bytes))
    finally:
        writer.close()
    return GetSummary(manifest, opened.sha256, written, raw, accepted)
