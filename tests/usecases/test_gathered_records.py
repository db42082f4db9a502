"""Behind the first segment of the bucket's journal, records gather for a moment before they cost a request."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.adapters.plain import PlainCipher
from s3duct.app.pipeline.bucket_journal import BucketJournal
from s3duct.app.pipeline.bucket_journal_reader import BucketJournalReader
from s3duct.app.pipeline.retrying import Retrier
from s3duct.domain.chain import ChainLink
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.claim import SEGMENT_RECORDS, Claim
from s3duct.domain.digest import dual_digest
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.events import ignore_events
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.object_store import Bytes, StoredObject
from s3duct.domain.resume import JournalHeader, ManifestRecord, ResumeRecord, RunBinding
from s3duct.domain.retry import RetryPolicy
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.usecases.loop import on_loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

BINDING = RunBinding("there", "", "x", 1 << 20, EncryptionMethod.NONE)
HEADER = JournalHeader(BINDING, "00ff00ff", "0a1b2c3d", "2026-01-01T00:00:00+00:00")


class CountingStore(MemoryObjectStore):
    """`lines` are those of each write."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        self.lines.append(bytes(data).count(b"\n"))
        return await super().put(key, data, create_only=create_only, storage_class=storage_class)


class Bench:
    def __init__(self) -> None:
        self.store = CountingStore()
        self.clock = FakeClock()
        retrier = Retrier(RetryPolicy(), clock=self.clock, entropy=FakeEntropy(), listener=ignore_events)
        location, cipher = StreamLocation("", "x"), PlainCipher()
        self.journal = BucketJournal(
            Claim(HEADER.run_id, "me"),
            store=self.store,
            location=location,
            cipher=cipher,
            reader=BucketJournalReader(
                store=self.store, location=location, cipher=cipher, destination="there", retrier=retrier
            ),
            retrier=retrier,
            clock=self.clock,
        )

    @asynccontextmanager
    async def after(self, records: int) -> AsyncGenerator[BucketJournal, None]:
        await self.journal.write(HEADER, [record(index) for index in range(records)])
        self.store.lines.clear()
        self.journal.begin()
        yield self.journal
        await self.journal.close()


def record(index: int) -> ResumeRecord:
    digest = dual_digest(b"%d" % index)
    return ResumeRecord(ChunkRecord(index, f"x/chunk-{index:06d}", 1, digest, ""), ChainLink(bytes(32)), "")


async def one_after_another(*appends: Awaitable[None]) -> None:
    """Each a turn of the loop after the one before, none waiting for another."""
    tasks = []
    for append in appends:
        tasks.append(asyncio.ensure_future(append))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)


@on_loop
async def test_records_behind_the_first_segment_are_written_together() -> None:
    bench = Bench()
    async with bench.after(SEGMENT_RECORDS + 1) as journal:
        await one_after_another(*(journal.append(record(index)) for index in range(65, 70)))
    assert bench.store.lines == [1 + 5]


@on_loop
async def test_a_short_run_waits_for_nothing() -> None:
    bench = Bench()
    async with bench.after(0) as journal:
        await journal.append(record(0))
        await journal.append(record(1))
    assert bench.store.lines == [1 + 1, 1 + 2]
    assert bench.clock.naps == []


@on_loop
async def test_what_fills_the_segment_waits_for_nothing() -> None:
    bench = Bench()
    async with bench.after(2 * SEGMENT_RECORDS - 2) as journal:
        await asyncio.gather(journal.append(record(126)), journal.append(record(127)))
    assert bench.store.lines == [SEGMENT_RECORDS]
    assert bench.clock.naps == []


@on_loop
async def test_the_last_record_of_a_run_waits_for_nothing() -> None:
    bench = Bench()
    async with bench.after(SEGMENT_RECORDS + 1) as journal:
        await journal.append(ManifestRecord("ab" * 32))
    assert bench.store.lines == [1 + 1]
    assert bench.clock.naps == []
