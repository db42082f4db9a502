"""A journal for the event loop: its blocking calls run on one thread of their own, in the order they were made.

Records that come while the disk is busy are written together, with one fsync for all of them (group commit).
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from s3duct.app.pipeline.workers import BlockingThread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from s3duct.domain.ports.journal import JournalFile, JournalStore
    from s3duct.domain.resume import Journal, JournalHeader, ManifestRecord, ResumeRecord, RunBinding

    Record = ResumeRecord | ManifestRecord


class AsyncJournal:
    """The journal of one run, held from `open` to `close`. Errors are those of `ports.journal`."""

    def __init__(self, journals: JournalStore, file: JournalFile, thread: BlockingThread) -> None:
        """Use `open`."""
        self._journals = journals
        self._file = file
        self._thread = thread
        self._last: _Together | None = None

    @classmethod
    async def open(cls, journals: JournalStore, binding: RunBinding) -> Self:
        """Take hold of the journal for `binding`."""
        thread = BlockingThread("journal")
        opened: list[JournalFile] = []
        try:
            await thread.call(lambda: opened.append(journals.open(binding)))
        except BaseException:
            # Cancelled, the call still goes on: what it opens is closed right after.
            thread.post(lambda: _close(opened))
            thread.close()
            raise
        return cls(journals, opened[0], thread)

    async def read(self) -> Journal | None:
        """Return what is on record."""
        self._last = None
        return await self._thread.call(self._file.read)

    async def start(self, header: JournalHeader, records: Sequence[Record] = ()) -> None:
        """Begin anew; durable when it returns."""
        self._last = None
        await self._thread.call(self._file.start, header, records)

    async def append(self, record: Record) -> None:
        """Add a record; durable when it returns. Cancelled, it is written all the same."""
        # Joined only if nothing was called since: what begins the journal anew must not come in front of older records.
        together = self._last
        if together is None or not together.take_in(record):
            together = self._last = _Together(record)
            together.written = self._thread.submit(lambda: self._file.append(*together.complete()))
            together.written.add_done_callback(_see)
        await asyncio.shield(together.written)

    async def discard(self) -> None:
        """Remove the journal."""
        self._last = None
        await self._thread.call(self._file.discard)

    async def unfinished_elsewhere(self, binding: RunBinding) -> list[str]:
        """Return the other destinations at which a stream of that name has an unfinished run."""
        return await self._thread.call(self._journals.unfinished_elsewhere, binding)

    async def close(self) -> None:
        """Let go of it, after every call made before."""
        self._last = None
        await self._thread.call(self._file.close)
        self._thread.close()


class _Together:
    """Records that are written by one call: whatever comes before the thread gets to it."""

    written: asyncio.Future[None]

    def __init__(self, record: Record) -> None:
        self._records = [record]
        self._is_complete = False
        self._lock = threading.Lock()

    def take_in(self, record: Record) -> bool:
        """Add a record; False if it is too late for that."""
        with self._lock:
            if not self._is_complete:
                self._records.append(record)
            return not self._is_complete

    def complete(self) -> list[Record]:
        """Return the records; no other one comes in any more."""
        with self._lock:
            self._is_complete = True
            return self._records


def _see(written: asyncio.Future[None]) -> None:
    """See an error that nobody waits for any more."""
    if not written.cancelled():
        written.exception()


def _close(files: list[JournalFile]) -> None:
    for file in files:
        file.close()
