"""A journal for the event loop: its blocking calls run on one thread of their own, in the order they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from s3duct.app.pipeline.workers import BlockingThread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from s3duct.domain.ports.journal import JournalFile, JournalStore
    from s3duct.domain.resume import Journal, JournalHeader, ManifestRecord, ResumeRecord, RunBinding


class AsyncJournal:
    """The journal of one run, held from `open` to `close`. Errors are those of `ports.journal`."""

    def __init__(self, journals: JournalStore, file: JournalFile, thread: BlockingThread) -> None:
        """Use `open`."""
        self._journals = journals
        self._file = file
        self._thread = thread

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
        return await self._thread.call(self._file.read)

    async def start(
        self, header: JournalHeader, records: Sequence[ResumeRecord | ManifestRecord] = ()
    ) -> None:
        """Begin anew; durable when it returns."""
        await self._thread.call(self._file.start, header, records)

    async def append(self, record: ResumeRecord | ManifestRecord) -> None:
        """Add a record; durable when it returns."""
        await self._thread.call(self._file.append, record)

    async def discard(self) -> None:
        """Remove the journal."""
        await self._thread.call(self._file.discard)

    async def unfinished_elsewhere(self, binding: RunBinding) -> list[str]:
        """Return the other destinations at which a stream of that name has an unfinished run."""
        return await self._thread.call(self._journals.unfinished_elsewhere, binding)

    async def close(self) -> None:
        """Let go of it, after every call made before."""
        await self._thread.call(self._file.close)
        self._thread.close()


def _close(files: list[JournalFile]) -> None:
    for file in files:
        file.close()
