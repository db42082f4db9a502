"""Fetches chunks ahead, several at once, and hands them out verified and in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass

from s3duct.app.pipeline.buffer_pool import BufferPool, Lease
from s3duct.app.pipeline.download import ChunkDownloader, Span
from s3duct.app.pipeline.parallel import cancel_all
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.errors import S3ductError
from s3duct.domain.events import ChunkStarted, Listener


@dataclass(frozen=True, slots=True)
class FetchedChunk:
    """A verified chunk; `view` is valid until the next one is asked for (release it before, and its memory is reused)."""

    record: ChunkRecord
    view: memoryview


@dataclass(frozen=True, slots=True)
class _Pending:
    record: ChunkRecord
    lease: Lease
    task: asyncio.Task[Span]


async def fetch_in_order(
    records: Iterable[ChunkRecord],
    *,
    downloader: ChunkDownloader,
    pool: BufferPool,
    listener: Listener,
) -> AsyncGenerator[FetchedChunk, None]:
    """Yield every chunk of `records` in order, verified.

    Buffers come back only when a chunk has been handed out and used, so a slow consumer holds back the start of later
    downloads, never one that is under way. A chunk's error is raised in its turn: all chunks before it come first.

    Args:
        records: what to fetch.
        downloader: fetches and verifies one.
        pool: bounds how many are ahead.
        listener: hears of starts.
    """
    pending: deque[_Pending] = deque()
    waiting = iter(records)
    upcoming = next(waiting, None)
    failure: S3ductError | None = None
    try:
        while upcoming is not None or pending:
            while upcoming is not None:
                try:
                    started = await _start(upcoming, downloader, pool, alone=not pending)
                except S3ductError as error:
                    failure, upcoming = error, None
                    break
                if started is None:
                    break
                listener(ChunkStarted(upcoming.index))
                pending.append(started)
                upcoming = next(waiting, None)
            if not pending:
                break
            first = pending[0]
            span = await first.task
            pending.popleft()
            # Left early (a stop, a consumer that has gone), the region is not released: its view may still be in use.
            yield FetchedChunk(first.record, first.lease.region.view[span.start : span.stop])
            pool.release(first.lease)
        if failure is not None:
            raise failure
    finally:
        await cancel_all(entry.task for entry in pending)


async def _start(
    record: ChunkRecord, downloader: ChunkDownloader, pool: BufferPool, *, alone: bool
) -> _Pending | None:
    """Start a download if its buffer is admitted now; wait for that only if nothing else is under way."""
    size_bytes = await downloader.stored_size_bytes(record)
    lease = await pool.acquire(size_bytes) if alone else pool.try_acquire(size_bytes)
    if lease is None:
        return None
    fetching = asyncio.ensure_future(downloader.fetch(record, lease.region, size_bytes))
    fetching.add_done_callback(lambda _: pool.filled(lease))
    return _Pending(record, lease, fetching)
