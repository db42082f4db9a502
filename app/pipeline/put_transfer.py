"""Reads the source chunk by chunk and stores the chunks, several at once, each recorded the moment it is stored.

The order that keeps a put safe is kept here: a chunk's object is acknowledged by the store, then its record is durable in
the journal, then it counts. Chunks complete in any order; their chain links are computed in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from s3duct.app.pipeline.buffer_pool import BufferPool, Lease
from s3duct.app.pipeline.carried_lane import CarriedLane
from s3duct.app.pipeline.continuation import Continuation
from s3duct.app.pipeline.held_hashes import HeldHashes
from s3duct.app.pipeline.lanes import PIECE_BYTES, HashLanes, is_tiny
from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.parallel import cancel_all
from s3duct.app.pipeline.run_journal import RunJournal
from s3duct.app.pipeline.source_reader import SourceReader
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.app.pipeline.upload import ChunkUploader, UploadedChunk
from s3duct.domain.chain import ChainLink
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.chunk_records import ChunkRecords, GatheredRecords
from s3duct.domain.errors import LocalResourceError, SourceError, StoreError, UsageError
from s3duct.domain.events import BytesMoved, ChunkFinished, ChunkStarted, Listener
from s3duct.domain.manifest_codec import max_chunks
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.pipe import Source
from s3duct.domain.resume import ResumeRecord

T = TypeVar("T")

# How long chunks that are read whole may still take to be stored after a request to stop, or when the source has failed.
_STOP_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class Transferred:
    """What a transfer stored: all chunk records in order, the end of the chain, and the sums.

    `given_up_keys` are relative keys of chunks on record which hold another input. `has_failed_uploads` says that an upload
    in parts has failed before it went well.
    """

    records: ChunkRecords
    final_link: ChainLink
    total_bytes: int
    resumed_chunks: int
    given_up_keys: frozenset[str] = frozenset()
    has_failed_uploads: bool = False


class PutTransfer:
    """One run over one source. Use it once."""

    def __init__(
        self,
        *,
        chunk_size_bytes: int,
        continuation: Continuation,
        source: Source,
        journal: RunJournal,
        pool: BufferPool,
        lanes: HashLanes,
        uploader: ChunkUploader,
        clock: Clock,
        listener: Listener,
        stop: StopRequest,
    ) -> None:
        """Take everything the run needs."""
        self._chunk_size_bytes = chunk_size_bytes
        self._continuation = continuation
        self._max_chunks = max_chunks(continuation.name)
        self._source = source
        self._journal = journal
        self._pool = pool
        self._lanes = lanes
        self._uploader = uploader
        self._clock = clock
        self._listener = listener
        self._stop = stop
        loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: asyncio.Future[None] = loop.create_future()
        self._records = GatheredRecords()
        self._held_hashes = HeldHashes()
        self._resumed_chunks = 0
        self._total_bytes = 0

    async def run(self) -> Transferred:
        """Store the whole source.

        Raises:
            UsageError: there are more chunks than a manifest has room for.
            ResumeError: the source does not continue the run on record.
            SourceError: as it comes; chunks that were read whole are stored, what is behind them is not: it need not be the
                end of the stream.
            LocalResourceError: there is no room for the next chunk; as above. Or the journal cannot be written.
            StoreError, AccessDenied: as they come.
            Interrupted: a stop was requested; chunks that were read whole are stored.
        """
        reader = SourceReader(self._source, chunk_size_bytes=self._chunk_size_bytes)
        watching = asyncio.ensure_future(self._journal.failed())
        watching.add_done_callback(self._note_failure)
        try:
            link_to_come, chunk_count = await self._unless_over(self._read_all(reader))
            self._held_hashes.expect_no_others()
            link = await self._unless_over(_result_of(link_to_come))
            self._continuation.judge_end(chunk_count)
            while self._tasks:
                await self._unless_over(asyncio.wait(set(self._tasks)))
            if self._failure.done():
                self._failure.result()
        except _StopRequested:
            await self._wind_down()
            raise self._stop.as_error("run the same command again to go on from what is stored") from None
        except (SourceError, LocalResourceError):
            # A journal that fails ends the run at once; a buffer that fits nowhere does not.
            if not self._failure.done():
                await self._wind_down()
            raise
        finally:
            reader.close()
            await cancel_all((*self._tasks, watching))
            if self._failure.done():
                self._failure.exception()  # seen, however the run ended
        missing = chunk_count - self._records.count()
        if missing:
            # A store that ends an upload as cancelled, unasked, raises nothing that a task would report.
            raise StoreError(f"{missing} chunks were read, but not stored")
        return Transferred(
            self._records.in_order(),
            link,
            self._total_bytes,
            self._resumed_chunks,
            self._continuation.given_up_keys,
            self._uploader.has_failed,
        )

    async def _read_all(self, reader: SourceReader) -> tuple[asyncio.Future[ChainLink], int]:
        """Start a task for every chunk; return the future of the last link, and how many chunks there are."""
        loop = asyncio.get_running_loop()
        link: asyncio.Future[ChainLink] = loop.create_future()
        link.set_result(ChainLink())
        index = 0
        more = True
        while more:
            lease = await self._pool.acquire(
                self._chunk_size_bytes, overhead_bytes=self._uploader.overhead_bytes
            )
            mark = Mark()
            more = await self._read_piece(reader, lease, mark)
            if not mark.position:
                self._pool.release(lease)
                return link, index
            before, link = link, loop.create_future()
            if index == self._max_chunks:
                raise UsageError(
                    f"the input has more than {index} chunks, for which a manifest has no room",
                    hint="choose a larger --chunk-size",
                )
            self._listener(ChunkStarted(index))
            task = self._start(self._store_chunk(index, lease, mark, before, link))
            try:
                while more and mark.position < self._chunk_size_bytes:
                    more = await self._read_piece(reader, lease, mark)
            except (asyncio.CancelledError, SourceError):
                # Half a chunk is of no use: only whole ones can be recognised by the next run.
                await cancel_all((task,))
                raise
            mark.finish()
            self._pool.filled(lease)
            index += 1
        return link, index

    async def _read_piece(self, reader: SourceReader, lease: Lease, mark: Mark) -> bool:
        """Read on into the buffer; return False at the end of the source."""
        stop = min(mark.position + PIECE_BYTES, self._chunk_size_bytes)
        view = lease.region.view[mark.position : stop]
        size, ended = await reader.read_into(view)
        if size:
            self._total_bytes += size
            mark.advance_to(mark.position + size)
            self._listener(BytesMoved(size))
        return not ended

    async def _store_chunk(
        self,
        index: int,
        lease: Lease,
        mark: Mark,
        before: asyncio.Future[ChainLink],
        link: asyncio.Future[ChainLink],
    ) -> None:
        """Hash, judge, upload and record one chunk while it is still being read.

        A tiny one is uploaded when it is judged: there is nothing to gain by a task of its own.
        """
        uploading: asyncio.Task[UploadedChunk] | None = None
        carried: CarriedLane | None = None
        if not is_tiny(self._chunk_size_bytes) and self._continuation.may_be_new(index):
            carried = self._carried_lane(index)
            uploading = asyncio.ensure_future(self._upload_when_due(index, lease, mark, before, carried))
            uploading.add_done_callback(self._note_failure)
        patience = None
        if uploading is not None and self._continuation.nothing_waits_for(index):
            patience = self._held_hashes.hold(index, carried)
            uploading.add_done_callback(lambda _: self._held_hashes.want(index))
        try:
            digest = await self._lanes.digest(lease.region, mark, start=0, patience=patience, sha256=carried)
            own_link = (await asyncio.shield(before)).extend(digest)
            size_bytes = mark.position
            judged = await self._continuation.judge(
                index, size_bytes=size_bytes, digest=digest, link=own_link
            )
            link.set_result(own_link)
            self._continuation.note_judged(judged)
            if (stored := judged.stored) is not None:
                self._pool.release(lease)
                self._resumed_chunks += 1
                if self._continuation.may_differ:
                    await self._record(stored, own_link)
                self._records.add(stored)
            else:
                key = self._continuation.key_of(judged, index)
                uploaded = await (uploading or self._uploader.upload(key, lease.region, mark))
                self._pool.release(lease)
                await self._record(ChunkRecord(index, key, size_bytes, digest, *uploaded), own_link)
        except BaseException:
            if uploading is not None:
                await cancel_all((uploading,))
            raise
        self._listener(ChunkFinished(index, size_bytes, resumed=judged.stored is not None))

    def _carried_lane(self, index: int) -> CarriedLane | None:
        """Have a chunk hashed as it is sealed, unless its upload has to wait for what digests show."""
        if not self._uploader.encrypts or not self._continuation.is_surely_new(index):
            return None
        return self._lanes.carried_sha256()

    async def _upload_when_due(
        self,
        index: int,
        lease: Lease,
        mark: Mark,
        before: asyncio.Future[ChainLink],
        carried: CarriedLane | None,
    ) -> UploadedChunk:
        try:
            key = await self._continuation.key_when_due(index, before)
            return await self._uploader.upload(key, lease.region, mark, carried)
        finally:
            if carried is not None:
                carried.let_go()

    async def _record(self, chunk: ChunkRecord, link: ChainLink) -> None:
        record = ResumeRecord(chunk, link, self._clock.now().isoformat())
        await self._continuation.record(record, self._journal)
        self._records.add(chunk)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._note_failure(task)

    def _note_failure(self, task: asyncio.Task[Any]) -> None:
        """End the run now: the rest of the chunk, still being read, could not mend it."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def _unless_over(self, awaitable: Coroutine[Any, Any, T]) -> T:
        """Wait for `awaitable`, but cancel it and raise when a chunk fails or a stop is requested."""
        wanted = asyncio.ensure_future(awaitable)
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            over: set[asyncio.Future[Any]] = {wanted, stopping, self._failure}
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                self._failure.result()
            if self._stop.is_set:
                raise _StopRequested
            return wanted.result()
        finally:
            await cancel_all((wanted, stopping))

    async def _wind_down(self) -> None:
        """Let chunks that were read whole finish, for a while; those that still wait for a proof will not get it."""
        self._continuation.fail(_StopRequested())
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_STOP_GRACE_S)


async def _result_of(future: asyncio.Future[T]) -> T:
    """Wait for a future that others wait for too: cancelling this wait leaves it alone."""
    return await asyncio.shield(future)


class _StopRequested(Exception):
    pass
