"""get: a stream, or a part of it, goes to an output, in order, and not one byte before its whole chunk is verified."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from s3duct.app.pipeline.attended import attended
from s3duct.app.pipeline.download import ChunkDownloader
from s3duct.app.pipeline.get_transfer import GetTransfer
from s3duct.app.pipeline.output_prefix import PrefixCheck
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.app.pipeline.workers import BlockingThread, Workers
from s3duct.app.usecases.get_request import GetRequest, GetSummary
from s3duct.app.usecases.opening import ReadPorts, buffer_pool, cipher_for, open_stream
from s3duct.domain.byte_range import ByteRange, Piece, pieces_of, whole_pieces
from s3duct.domain.events import (
    BytesMoved,
    ChunkFinished,
    Event,
    Listener,
    Notice,
    ResumeStarted,
    TransferStarted,
)
from s3duct.domain.manifest import Manifest
from s3duct.domain.ports.output import Output, OutputPart


async def get(
    request: GetRequest, *, output: Output, ports: ReadPorts, listener: Listener, stop: StopRequest
) -> GetSummary:
    """Write a stream to an output; go on from what an earlier run has left there of the same content.

    Raises:
        StreamNotFound, UnsupportedFormat: nothing was written.
        KeyRequired, WrongKey: no key, or not the right one; nothing was written.
        ManifestUnexpected, ManifestAltered, ManifestUnauthenticated, DowngradeRefused: see `ManifestTrust`; nothing was
            written.
        UsageError: the range begins beyond the end; nothing was written.
        OutputExists, RunInProgress: the output is there already, or another run writes it.
        IntegrityError: the stream is damaged; verified whole chunks before the damage were written, nothing else.
        SinkClosed, SinkError: the consumer has gone, or the output cannot be written.
        ConsumerFailed: the sink is a program, and it did not end well.
        StoreError, AccessDenied, LocalResourceError: as they come.
        Interrupted: `stop` was set.
    """
    hint = "what was written is verified, but it is not the whole stream"
    async with attended(output, stop=stop, listener=listener, hint=hint):
        return await stop.ends(_get(request, output, ports, listener), hint=hint)


async def _get(request: GetRequest, output: Output, ports: ReadPorts, listener: Listener) -> GetSummary:
    thread = BlockingThread("sink")
    try:
        return await _Get(request, output, ports, listener, thread).run()
    finally:
        thread.close()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the output shall hold: bytes from `start` to `stop` of the stream, or all of its chunks as they are sealed."""

    manifest: Manifest
    manifest_sha256: str
    accepted: str
    raw: bool
    start: int
    stop: int

    @property
    def pieces(self) -> Sequence[Piece]:
        chunks = self.manifest.chunks
        if (self.start, self.stop) == (0, self.manifest.total_bytes):
            return whole_pieces(chunks)
        return pieces_of(chunks, self.start, self.stop)

    @property
    def identity(self) -> str:
        """The same text for the same bytes, another one for any others: a replaced stream has another manifest."""
        return f"{self.manifest_sha256} {'sealed' if self.raw else 'plain'} {self.start}-{self.stop}"


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was verified where it lies: `pieces` of them, up to offset `stop` of the output."""

    pieces: int = 0
    size_bytes: int = 0


class _Get:
    def __init__(
        self,
        request: GetRequest,
        output: Output,
        ports: ReadPorts,
        listener: Listener,
        thread: BlockingThread,
    ) -> None:
        self._request = request
        self._output = output
        self._ports = ports
        self._listener = listener
        self._thread = thread
        self._has_content = False
        self._retrier = Retrier(
            ports.retry_policy, clock=ports.clock, entropy=ports.entropy, listener=listener
        )

    async def run(self) -> GetSummary:
        # 1. What can be refused without a look at the bucket.
        await self._thread.call(self._output.check)
        # 2. The manifest, whether the key in hand fits it, and what is wanted of it: before any chunk is fetched.
        wanted = await self._open()
        # 3. What an earlier run has left of exactly these bytes, or a new part.
        part = await self._thread.call(self._output.begin, wanted.identity)
        async with self._held(part):
            return await self._fill(part, wanted)

    async def _open(self) -> _Wanted:
        request, ports = self._request, self._ports
        opened = await open_stream(request.location, trust=request.trust, ports=ports, retrier=self._retrier)
        accepted = request.trust.check(opened, ports.cipher)
        if accepted:
            self._listener(Notice(accepted))
        manifest = opened.manifest
        raw = request.raw and manifest.encrypted
        if not raw:
            cipher_for(manifest, ports)  # no key is found out here, not with an empty part left behind
        start, stop = request.range.within(manifest.total_bytes)
        self._warn_of_a_cut(request.range, stop)
        return _Wanted(manifest, opened.sha256, accepted, raw, start, stop)

    async def _fill(self, part: OutputPart, wanted: _Wanted) -> GetSummary:
        pieces = wanted.pieces
        self._listener(TransferStarted(wanted.manifest.name, wanted.stop - wanted.start, len(pieces)))
        with Workers() as workers:
            transfer = self._transfer(part, wanted, workers)
            # 4. Read back what is there; none of it is believed unread. A first chunk that is wanted from its middle on has
            #    no digest for its piece, and is fetched again.
            cut = 1 if pieces and not pieces[0].whole else 0
            check = PrefixCheck(
                part, sealed=wanted.raw, hasher=self._ports.hasher, workers=workers, thread=self._thread
            )
            head_bytes = sum(piece.size_bytes for piece in pieces[:cut])
            kept = await self._verify(check, pieces[cut:], offset_bytes=head_bytes)
            # 5. Chunk after chunk, fetched ahead, verified, then written.
            if kept.pieces:
                await transfer.write(pieces[:cut])
                await self._thread.call(part.go_on_at, head_bytes + kept.size_bytes)
                await transfer.write(pieces[cut + kept.pieces :])
            else:
                await transfer.write(pieces)
        # 6. Only what is complete becomes the output.
        await self._thread.call(part.commit, transfer.bytes_written + kept.size_bytes)
        return GetSummary(
            wanted.manifest,
            wanted.manifest_sha256,
            wanted.start,
            wanted.stop,
            wanted.raw,
            bytes_written=transfer.bytes_written,
            chunks_downloaded=transfer.chunks_written,
            bytes_kept=kept.size_bytes,
            chunks_kept=kept.pieces,
            accepted=wanted.accepted,
        )

    def _transfer(self, part: OutputPart, wanted: _Wanted, workers: Workers) -> GetTransfer:
        ports, manifest = self._ports, wanted.manifest
        pool = buffer_pool(manifest, self._request.buffers, ports, self._listener)
        downloader = ChunkDownloader(
            store=ports.store,
            location=self._request.location,
            manifest=manifest,
            cipher=None if wanted.raw else cipher_for(manifest, ports),
            hasher=ports.hasher,
            workers=workers,
            retrier=self._retrier,
            memory_bytes=pool.limits().memory_bytes,
        )
        return GetTransfer(
            downloader=downloader,
            pool=pool,
            sink=part,
            thread=self._thread,
            listener=self._hear_of_chunks,
        )

    async def _verify(self, check: PrefixCheck, pieces: Sequence[Piece], *, offset_bytes: int) -> _Kept:
        kept = _Kept()
        if not check.possible:
            return kept
        async for piece, size_bytes in check.right_pieces(pieces, offset_bytes=offset_bytes):
            kept = _Kept(kept.pieces + 1, kept.size_bytes + size_bytes)
            self._has_content = True
            self._listener(BytesMoved(size_bytes))
            self._listener(ChunkFinished(piece.record.index, size_bytes, resumed=True))
        if kept.pieces:
            self._listener(ResumeStarted(kept.pieces, kept.size_bytes))
        return kept

    @asynccontextmanager
    async def _held(self, part: OutputPart) -> AsyncGenerator[None, None]:
        """Let go of the part at the end, and say where it stays if it does."""
        for name in await self._thread.call(lambda: part.others):
            self._listener(
                Notice(f"{name!r} is an unfinished restore of something else to the same file, and stays")
            )
        try:
            yield
        except asyncio.CancelledError:
            self._tell_what_stays(part)
            self._thread.post(part.close)  # behind a write that may be under way, and may never end
            raise
        except Exception:
            self._tell_what_stays(part)
            await self._thread.call(part.close)
            raise
        await self._thread.call(part.close)

    def _hear_of_chunks(self, event: Event) -> None:
        self._has_content = self._has_content or isinstance(event, ChunkFinished)
        self._listener(event)

    def _tell_what_stays(self, part: OutputPart) -> None:
        if part.name and self._has_content:
            self._listener(
                Notice(f"what is restored so far is in {part.name!r}: the same command goes on from it")
            )

    def _warn_of_a_cut(self, wanted: ByteRange, stop: int) -> None:
        if wanted.length_bytes is not None and stop < wanted.offset_bytes + wanted.length_bytes:
            self._listener(
                Notice(f"the stream ends at {stop} bytes: less than the length asked for is written")
            )
