"""Records that come while the disk is busy are written together; each counts only when it is on the disk."""

from __future__ import annotations

import asyncio
import threading

from s3duct.app.pipeline.async_journal import AsyncJournal
from s3duct.domain.chain import ChainLink
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.digest import dual_digest
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import LocalResourceError
from s3duct.domain.resume import JournalHeader, ResumeRecord, RunBinding
from tests.fakes.journal import FakeJournalStore
from tests.unit.saying import run

BINDING = RunBinding("there", "", "x", 1 << 20, EncryptionMethod.NONE)
HEADER = JournalHeader(BINDING, "00ff00ff", "0a1b2c3d", "2026-01-01T00:00:00+00:00")


def record(index: int) -> ResumeRecord:
    digest = dual_digest(b"%d" % index)
    return ResumeRecord(ChunkRecord(index, f"x/chunk-{index:06d}", 1, digest, ""), ChainLink(bytes(32)), "")


class BusyDisk:
    """Journals whose first append takes until it is told to go on. `calls` are those after `start`."""

    def __init__(self) -> None:
        self.store = FakeJournalStore()
        self.calls: list[str] = []
        self.go_on = threading.Event()
        self.entered = threading.Event()
        self.failure: LocalResourceError | None = None

    async def journal(self) -> AsyncJournal:
        journal = await AsyncJournal.open(self.store, BINDING)
        await journal.start(HEADER)
        self.store.on_call = self._on_call
        return journal

    async def is_busy(self) -> None:
        await asyncio.to_thread(self.entered.wait)

    def _on_call(self, method: str) -> None:
        self.calls.append(method)
        self.entered.set()
        if self.calls == ["append"]:
            self.go_on.wait()
        elif self.failure is not None and method == "append":
            raise self.failure


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_comes_while_the_disk_is_busy_is_written_by_one_call() -> None:
    async def scene() -> None:
        disk = BusyDisk()
        journal = await disk.journal()
        tasks = []
        for index in range(6):
            tasks.append(asyncio.ensure_future(journal.append(record(index))))
            await disk.is_busy()  # the first one is under way before the others come
        await turns()
        assert not any(task.done() for task in tasks)
        disk.go_on.set()
        await asyncio.gather(*tasks)
        assert disk.calls == ["append", "append"]
        assert disk.store.recorded() == [0, 1, 2, 3, 4, 5]
        await journal.close()

    run(scene())


def test_a_journal_that_begins_anew_keeps_the_records_that_come_after_that() -> None:
    """And none of those before: they are of what it takes the place of."""

    async def scene() -> None:
        disk = BusyDisk()
        journal = await disk.journal()
        first = asyncio.ensure_future(journal.append(record(0)))
        await disk.is_busy()
        before = asyncio.ensure_future(journal.append(record(1)))
        await turns()
        anew = asyncio.ensure_future(journal.start(HEADER))
        await turns()
        after = asyncio.ensure_future(journal.append(record(2)))
        await turns()
        disk.go_on.set()
        await asyncio.gather(first, before, anew, after)
        assert disk.calls == ["append", "append", "start", "append"]
        assert disk.store.recorded() == [2]
        await journal.close()

    run(scene())


def test_none_of_those_that_are_written_together_counts_if_the_disk_fails() -> None:
    async def scene() -> None:
        disk = BusyDisk()
        journal = await disk.journal()
        first = asyncio.ensure_future(journal.append(record(0)))
        await disk.is_busy()
        disk.failure = LocalResourceError("the disk is full")
        others = [asyncio.ensure_future(journal.append(record(index))) for index in (1, 2, 3)]
        await turns()
        disk.go_on.set()
        await first
        assert await asyncio.gather(*others, return_exceptions=True) == [disk.failure] * 3
        assert disk.store.recorded() == [0]
        await journal.close()

    run(scene())


def test_a_record_that_nobody_waits_for_any_more_is_written_with_the_others() -> None:
    async def scene() -> None:
        disk = BusyDisk()
        journal = await disk.journal()
        tasks = [asyncio.ensure_future(journal.append(record(0)))]
        await disk.is_busy()
        tasks += [asyncio.ensure_future(journal.append(record(index))) for index in (1, 2)]
        await turns()
        tasks[1].cancel()
        disk.go_on.set()
        await asyncio.gather(tasks[0], tasks[2])
        await journal.close()
        assert disk.store.recorded() == [0, 1, 2]

    run(scene())
