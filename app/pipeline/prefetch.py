"""Fetches chunks ahead, several at once, and hands them out verified and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass

from s3duct.app.pipeline.buffer_pool import BufferPool, Lease
from s3duct.app.pipeline.download import ChunkDownloader, Span
from s3duct.app.pipeline.parallel import cancel_all
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.events import ChunkStarted, Listener


@dataclass(frozen=True, slots=True)
class FetchedChunk:
    """A verified chunk; `view` is valid until the next one is asked for (release it before, and its memory is reused)."""

    record: ChunkRecord
    view: memoryview


@dataclass(frozen=True, slots=True)
class _Started:
    record: ChunkRecord
    lease: Lease
    fetching: asyncio.Task[Span]


async def fetch_in_order(
    records: Iterable[ChunkRecord],
    *,
    downloader: ChunkDownloader,
    pool: BufferPool,
    listener: Listener,
) -> AsyncGenerator[FetchedChunk, None]:
    """Yield every chunk of `records` in order, verified.

    Downloads start as buffers come back, whatever the consumer, or the chunk whose turn it is, takes. Buffers come back only
    when a chunk has been handed out and used, so a slow consumer holds back the start of later downloads, never one that is
    under way. A chunk's error is raised in its turn: all chunks before it come first.

    Args:
        records: what to fetch.
        downloader: fetches and verifies one.
        pool: bounds how many are ahead.
        listener: hears of starts.
    """
    starter = _Starter(downloader, pool, listener)
    starting = asyncio.ensure_future(starter.start_all(records))
    try:
        while (first := await starter.started.get()) is not None:
            span = await first.fetching
            # Left early (a stop, a consumer that has gone), the region is not released: its view may still be in use.
            yield FetchedChunk(first.record, first.lease.region.view[span.start : span.stop])
            starter.fetching.discard(first.fetching)
            pool.release(first.lease)
        await starting
    finally:
        await cancel_all((starting,))
        await cancel_all(starter.fetching)


class _Starter:
    """Starts downloads in order. `started` holds those whose turn is to come, and None behind the last."""

    def __init__(self, downloader: ChunkDownloader, pool: BufferPool, listener: Listener) -> None:
        self._downloader = downloader
        self._pool = pool
        self._listener = listener
        self.started: asyncio.Queue[_Started | None] = asyncio.Queue()
        self.fetching: set[asyncio.Task[Span]] = set()

    async def start_all(self, records: Iterable[ChunkRecord]) -> None:
        try:
            for record in records:
                await self._start(record)
        finally:
            self.started.put_nowait(None)

    async def _start(self, record: ChunkRecord) -> None:
        size_bytes = await self._downloader.stored_size_bytes(record)
        lease = await self._pool.acquire(size_bytes)
        fetching = asyncio.ensure_future(self._downloader.fetch(record, lease.region, size_bytes))
        fetching.add_done_callback(lambda _: self._pool.filled(lease))
        self.fetching.add(fetching)
        self.started.put_nowait(_Started(record, lease, fetching))
        self._listener(ChunkStarted(record.index))
