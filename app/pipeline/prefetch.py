"""Fetches chunks ahead, several at once, and hands them out verified and in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from s3duct.app.pipeline.buffer_pool import BufferPool, Lease
from s3duct.app.pipeline.download import ChunkDownloader, Span
from s3duct.app.pipeline.parallel import cancel_all
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.events import ChunkStarted, Listener


@dataclass(frozen=True, slots=True)
class FetchedChunk:
    """A verified chunk; `view` is valid until the next one is asked for."""

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
    size_of: Callable[[ChunkRecord], Awaitable[int]],
    downloader: ChunkDownloader,
    pool: BufferPool,
    listener: Listener,
) -> AsyncGenerator[FetchedChunk, None]:
    """Yield every chunk of `records` in order, verified.

    Buffers come back only when a chunk has been handed out and used, so a slow consumer holds back the start of later
    downloads, never one that is under way. A chunk's error is raised in its turn: all chunks before it come first.

    Args:
        records: what to fetch.
        size_of: returns a chunk's size in the store, in bytes.
        downloader: fetches and verifies one.
        pool: bounds how many are ahead.
        listener: hears of starts.
    """
    pending: deque[_Pending] = deque()
    waiting = iter(records)
    upcoming = next(waiting, None)
    try:
        while upcoming is not None or pending:
            while upcoming is not None:
                size_bytes = await size_of(upcoming)
                lease = pool.try_acquire(size_bytes) if pending else await pool.acquire(size_bytes)
                if lease is None:
                    break
                listener(ChunkStarted(upcoming.index))
                fetch = downloader.fetch(upcoming, lease.region, size_bytes)
                pending.append(_Pending(upcoming, lease, asyncio.ensure_future(fetch)))
                upcoming = next(waiting, None)
            first = pending[0]
            span = await first.task
            pending.popleft()
            with first.lease.region.view[span.start : span.stop] as view:
                yield FetchedChunk(first.record, view)
            pool.release(first.lease)
    finally:
        await cancel_all(entry.task for entry in pending)
