"""Reads the source chunk by chunk and stores the chunks, several at once, each recorded the moment it is stored.

The order that keeps a put safe is kept here: a chunk's object is acknowledged by the store, then its record is durable in
the journal, then it counts. Chunks complete in any order; their chain links are computed in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from s3duct.app.pipeline.async_journal import AsyncJournal
from s3duct.app.pipeline.buffer_pool import BufferPool, Lease
from s3duct.app.pipeline.lanes import PIECE_BYTES, HashLanes
from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.parallel import cancel_all
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.app.pipeline.upload import ChunkUploader, UploadedChunk
from s3duct.app.pipeline.workers import BlockingThread
from s3duct.domain.chain import ChainLink
from s3duct.domain.chunk import ChunkKeys, ChunkRecord
from s3duct.domain.digest import DualDigest
from s3duct.domain.events import BytesMoved, ChunkFinished, ChunkStarted, Listener
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.pipe import Source
from s3duct.domain.resume import ResumePlan, ResumeRecord, Verdict

T = TypeVar("T")

# How long chunks that are read whole may still take to be stored after a request to stop.
_STOP_GRACE_S = 10.0
# A pipe hands out 64 KiB at most by default: so many reads at once, then the lanes get to see what has come.
_READS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Transferred:
    """What a transfer stored: all chunk records in order, the end of the chain, and the sums."""

    records: tuple[ChunkRecord, ...]
    final_link: ChainLink
    total_bytes: int
    resumed_chunks: int


class PutTransfer:
    """One run over one source. Use it once."""

    def __init__(
        self,
        *,
        keys: ChunkKeys,
        chunk_size_bytes: int,
        plan: ResumePlan,
        strict: bool,
        source: Source,
        journal: AsyncJournal,
        pool: BufferPool,
        lanes: HashLanes,
        uploader: ChunkUploader,
        clock: Clock,
        listener: Listener,
        stop: StopRequest,
    ) -> None:
        """Take everything the run needs."""
        self._keys = keys
        self._chunk_size_bytes = chunk_size_bytes
        self._plan = plan
        self._strict = strict
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
        self._stored_part_seen: asyncio.Future[None] = loop.create_future()
        self._records: dict[int, ChunkRecord] = {}
        self._resumed_chunks = 0
        self._total_bytes = 0
        self._last_stored = max(plan.records, default=-1)
        if not plan.records:
            self._stored_part_seen.set_result(None)

    async def run(self) -> Transferred:
        """Store the whole source.

        Raises:
            ResumeError: the source does not continue the run on record.
            SourceError, StoreError, AccessDenied, LocalResourceError: as they come.
            Interrupted: a stop was requested; chunks that were read whole are stored.
        """
        reader = BlockingThread("source")
        try:
            final_link = await self._read_all(reader)
            while self._tasks:
                await self._unless_over(asyncio.wait(set(self._tasks)))
            link = await final_link
        except _StopRequested:
            await self._wind_down()
            raise self._stop.as_error("run the same command again to go on from what is stored") from None
        finally:
            reader.close()
            await cancel_all(self._tasks)
            if self._failure.done():
                self._failure.exception()  # seen, however the run ended
        records = tuple(self._records[index] for index in range(len(self._records)))
        return Transferred(records, link, self._total_bytes, self._resumed_chunks)

    async def _read_all(self, reader: BlockingThread) -> asyncio.Future[ChainLink]:
        """Start a task for every chunk; return the future of the last link."""
        loop = asyncio.get_running_loop()
        link: asyncio.Future[ChainLink] = loop.create_future()
        link.set_result(ChainLink())
        index = 0
        more = True
        while more:
            acquired = self._pool.acquire(
                self._chunk_size_bytes, overhead_bytes=self._uploader.overhead_bytes
            )
            lease = await self._unless_over(acquired)
            mark = Mark()
            more = await self._read_piece(reader, lease, mark)
            if not mark.position:
                self._pool.release(lease)
                return link
            before, link = link, loop.create_future()
            task = self._start(self._store_chunk(index, lease, mark, before, link))
            try:
                while more and mark.position < self._chunk_size_bytes:
                    more = await self._read_piece(reader, lease, mark)
            except _StopRequested:
                # Half a chunk is of no use: only whole ones can be recognised by the next run.
                await cancel_all((task,))
                raise
            mark.finish()
            index += 1
        return link

    async def _read_piece(self, reader: BlockingThread, lease: Lease, mark: Mark) -> bool:
        """Read on into the buffer; return False at the end of the source."""
        stop = min(mark.position + PIECE_BYTES, self._chunk_size_bytes)
        view = lease.region.view[mark.position : stop]
        size, ended = await self._unless_over(reader.call(_read_some, self._source, view))
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
        """Hash, judge, upload and record one chunk while it is still being read."""
        self._listener(ChunkStarted(index))
        hashing = asyncio.ensure_future(self._lanes.digest(lease.region, mark, start=0))
        uploading: asyncio.Task[UploadedChunk] | None = None
        if index not in self._plan.records:
            uploading = asyncio.ensure_future(self._upload_when_due(index, lease, mark, before))
            uploading.add_done_callback(self._note_failure)
        try:
            digest = await hashing
            own_link = (await asyncio.shield(before)).extend(digest)
            verdict = self._plan.judge(
                index, size_bytes=mark.position, digest=digest, link=own_link, strict=self._strict
            )
            link.set_result(own_link)
            if index == self._last_stored:
                self._stored_part_seen.set_result(None)
            if verdict is Verdict.STORED:
                self._resumed_chunks += 1
                self._records[index] = self._plan.records[index].chunk
            else:
                uploaded = await (uploading or self._upload(index, lease, mark))
                await self._record(index, mark.position, digest, own_link, uploaded)
        except BaseException:
            await cancel_all(task for task in (hashing, uploading) if task is not None)
            raise
        size_bytes = mark.position
        self._pool.release(lease)
        self._listener(ChunkFinished(index, size_bytes, resumed=verdict is Verdict.STORED))

    async def _upload_when_due(
        self, index: int, lease: Lease, mark: Mark, before: asyncio.Future[ChainLink]
    ) -> UploadedChunk:
        """Upload once every stored chunk that must be recognised first has been: a foreign input changes nothing."""
        await asyncio.shield(self._stored_part_seen if index > self._last_stored else before)
        return await self._upload(index, lease, mark)

    async def _upload(self, index: int, lease: Lease, mark: Mark) -> UploadedChunk:
        return await self._uploader.upload(self._keys.of(index), lease.region, mark)

    async def _record(
        self, index: int, size_bytes: int, digest: DualDigest, link: ChainLink, uploaded: UploadedChunk
    ) -> None:
        """Make the chunk count: durable in the journal."""
        chunk = ChunkRecord(
            index=index,
            key=self._keys.of(index),
            size_bytes=size_bytes,
            digest=digest,
            etag=uploaded.etag,
            sealed_size_bytes=uploaded.sealed_size_bytes,
            sealed_sha256=uploaded.sealed_sha256,
        )
        record = ResumeRecord(chunk, link, self._clock.now().isoformat())
        await self._journal.append(record)
        self._records[index] = chunk

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
        """Wait for `awaitable`, but raise at once when a chunk fails or a stop is requested."""
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
            stopping.cancel()
            wanted.cancel()

    async def _wind_down(self) -> None:
        """Let chunks that were read whole finish, for a while."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_STOP_GRACE_S)


class _StopRequested(Exception):
    pass


def _read_some(source: Source, view: memoryview) -> tuple[int, bool]:
    """Read until `view` is full, the source has ended, or enough small reads were made; say whether it has ended."""
    size = 0
    for _ in range(_READS_AT_ONCE):
        got = source.read_into(view[size:])
        size += got
        if not got:
            return size, True
        if size == len(view):
            break
    return size, False
