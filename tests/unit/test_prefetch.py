from __future__ import annotations

import asyncio
from contextlib import aclosing

from s3duct.app.pipeline.buffer_pool import BufferPool
from s3duct.app.pipeline.download import ChunkDownloader, Span
from s3duct.app.pipeline.host import Host
from s3duct.app.pipeline.prefetch import fetch_in_order
from s3duct.domain.backpressure import MEMORY_RESERVE_BYTES, MIN_MEMORY_BYTES, BufferWishes
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.digest import DualDigest
from s3duct.domain.events import ignore_events
from s3duct.domain.ports.chunk_memory import Region
from tests.fakes.chunk_memory import FakeChunkMemory
from tests.fakes.clock import FakeClock
from tests.fakes.probes import FakeDisk, FakeMemory, FakeProcessors
from tests.unit.saying import run, settle

SIZE = 1000
DIGEST = DualDigest(sha256=bytes(32), sha3_256=bytes(32))


class GatedDownloader(ChunkDownloader):
    """A chunk arrives when its gate is opened."""

    def __init__(self) -> None:
        self.gates = [asyncio.Event() for _ in range(6)]

    async def stored_size_bytes(self, record: ChunkRecord) -> int:
        return SIZE

    async def fetch(self, record: ChunkRecord, region: Region, stored_bytes: int) -> Span:
        await self.gates[record.index].wait()
        return Span(0, stored_bytes)


def test_a_chunk_that_has_arrived_is_seen_by_the_machine_and_not_counted_twice() -> None:
    """Memory for two that have not arrived and for half of another one."""

    async def scene() -> list[int]:
        pool = BufferPool(
            Host(
                FakeChunkMemory(),
                FakeDisk(0),
                FakeMemory(MEMORY_RESERVE_BYTES + 2 * SIZE + SIZE // 2),
                FakeProcessors(),
            ),
            BufferWishes(memory_bytes=MIN_MEMORY_BYTES, max_chunks=5),
            cost_bytes=SIZE,
            clock=FakeClock(),
            listener=ignore_events,
        )
        downloader = GatedDownloader()
        records = [ChunkRecord(index, f"chunk-{index}", SIZE, DIGEST, "") for index in range(6)]
        chunks = fetch_in_order(records, downloader=downloader, pool=pool, listener=ignore_events)
        async with aclosing(chunks):
            first = asyncio.ensure_future(anext(chunks))
            in_use = []
            for gate in (*downloader.gates[1:], downloader.gates[0]):
                await settle()
                in_use.append(pool.in_use)
                gate.set()
            (await first).view.release()
            async for chunk in chunks:
                chunk.view.release()
        return in_use

    assert run(scene()) == [2, 3, 4, 5, 5, 5]
