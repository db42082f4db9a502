"""The bucket's copy of one run's journal, in segments of bounded size, written by one task (ADR 0017).

Records that wait while a write is under way go together into the next one, and a run of many chunks gathers them for a
moment: not every small chunk costs a request. Only the last segment is ever written again, so the work is linear in the
number of chunks. The claim is looked at every few seconds, and before the manifest: a run that has lost it stops. Until then
it writes to keys of its own alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from s3duct.app.pipeline.bucket_journal_reader import BucketJournalReader
from s3duct.app.pipeline.manifest_sealing import seal_message
from s3duct.app.pipeline.parallel import cancel_all
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.workers import run_apart
from s3duct.domain.claim import (
    LOOK_EVERY_S,
    REFRESH_EVERY_S,
    SEGMENT_RECORDS,
    Claim,
    decode_claim,
    encode_claim,
)
from s3duct.domain.errors import RunInProgress
from s3duct.domain.journal_codec import encode_header, encode_record_line
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.object_store import ObjectStore
from s3duct.domain.resume import JournalHeader, ManifestRecord, ResumeRecord

Record = ResumeRecord | ManifestRecord

# How long records gather behind the first segment; up to there, a run is short, and waits for nothing.
_GATHERED_FOR_S = 0.05


class BucketJournal:
    """The copy of the run that holds `claim`. Begin it, append to it, and either remove it or close it."""

    def __init__(
        self,
        claim: Claim,
        *,
        store: ObjectStore,
        location: StreamLocation,
        cipher: Cipher,
        reader: BucketJournalReader,
        retrier: Retrier,
        clock: Clock,
    ) -> None:
        """Take what writing needs."""
        self._claim = claim
        self._store = store
        self._location = location
        self._cipher = cipher
        self._reader = reader
        self._retrier = retrier
        self._clock = clock
        self._sealed = False
        self._head = b""
        self._number = 0
        self._tail: list[bytes] = []
        self._waiting: list[tuple[Record, asyncio.Future[None]]] = []
        self._work = asyncio.Event()
        self._writing = asyncio.Lock()
        self._written_at_s = 0.0
        self._looked_at_s = float("-inf")
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def write(
        self, header: JournalHeader, records: Sequence[Record], *, present: Mapping[int, bytes] | None = None
    ) -> None:
        """Write a whole journal; segments that are `present` as they should be are left alone."""
        self._sealed = header.binding.sealed_manifest
        self._head = encode_header(header, in_bucket=True)
        lines = [encode_record_line(record) for record in records]
        for number, start in enumerate(range(0, max(1, len(lines)), SEGMENT_RECORDS)):
            self._number, self._tail = number, lines[start : start + SEGMENT_RECORDS]
            if present is None or present.get(number) != self._segment():
                await self._write_segment()

    def begin(self) -> None:
        """Take records from now on, and show the others that this run lives. The claim has just been looked at."""
        self._written_at_s = self._looked_at_s = self._clock.monotonic_s()
        self._tasks = [
            asyncio.ensure_future(self._guarded(self._keep_writing)),
            asyncio.ensure_future(self._guarded(self._keep_fresh)),
        ]

    async def append(self, record: Record) -> None:
        """Add a record; acknowledged by the bucket when it returns.

        Raises:
            RunInProgress: another run has taken over the name.
            StoreError, AccessDenied: as they come, and from then on again for every record.
        """
        if self._failure.done():
            self._failure.result()
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, written))
        self._work.set()
        await written

    @asynccontextmanager
    async def as_another_run(self, claim: Claim) -> AsyncIterator[None]:
        """Go on under `claim`; inside, its journal is to be written, then the claim.

        Records that wait meanwhile are added to the new journal.
        """
        async with self._writing:
            await self.check_claim()
            self._claim = claim
            yield

    async def failed(self) -> None:
        """Wait until writing fails for good, and raise why."""
        await asyncio.shield(self._failure)

    async def is_ours(self) -> bool:
        """Whether the name is still claimed by this run."""
        content = await self._reader.claim(of_run=self._claim.run_id)
        return content is not None and decode_claim(content).run_id == self._claim.run_id

    async def check_claim(self) -> None:
        """Check that the claim is as this process wrote it. Raises `RunInProgress`."""
        if await self._reader.claim(of_run=self._claim.run_id) != encode_claim(self._claim):
            raise RunInProgress(
                f"the put of {self._location.name!r} was taken over by another one, which has its claim now",
                hint="nothing more was changed; wait for the other one to end, or use another name",
            )
        self._looked_at_s = self._clock.monotonic_s()

    async def remove(self) -> None:
        """Remove everything that this run and those before it have of journals, the claim last; it must be `is_ours`."""
        await self.close()
        keys = sorted((entry.key for entry in await self._reader.entries()), reverse=True)
        claim_key = self._location.claim_key
        for key in [*(key for key in keys if key != claim_key), claim_key]:
            await self._retrier.run("removal of the bucket's journal", partial(self._store.delete, key))

    async def release(self) -> None:
        """Say that this process of the run has stopped, so that another machine need not wait before it goes on.

        Tried once. Another claim of the same run makes it void: nobody need be allowed to delete it.
        """
        if self._tasks and not self._failure.done():
            await self._store.put(self._location.released_key(self._claim.run_id), encode_claim(self._claim))

    async def close(self) -> None:
        """Stop writing; what is written stays. Idempotent."""
        tasks, self._tasks = self._tasks, []
        await cancel_all(tasks)
        if self._failure.done():
            self._failure.exception()  # seen

    async def _keep_writing(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting or self._is_due():
                await self._gather()
                async with self._writing:
                    await self._write_what_waits()

    async def _gather(self) -> None:
        """Let records come for a moment, unless they fill the segment, or one of them is the last of the run."""
        due_s = self._written_at_s + _GATHERED_FOR_S
        while self._number and self._clock.monotonic_s() < due_s and not self._is_enough():
            await self._clock.sleep(_GATHERED_FOR_S / 5)

    def _is_enough(self) -> bool:
        room = SEGMENT_RECORDS - len(self._tail) % SEGMENT_RECORDS
        return len(self._waiting) >= room or any(
            isinstance(record, ManifestRecord) for record, _ in self._waiting
        )

    async def _write_what_waits(self) -> None:
        if len(self._tail) == SEGMENT_RECORDS and self._waiting:
            self._number, self._tail = self._number + 1, []
        room = SEGMENT_RECORDS - len(self._tail)
        together, self._waiting = self._waiting[:room], self._waiting[room:]
        try:
            self._tail += [encode_record_line(record) for record, _ in together]
            if self._clock.monotonic_s() >= self._looked_at_s + LOOK_EVERY_S:
                await self.check_claim()
            await self._write_segment()
        except BaseException:
            self._waiting = together + self._waiting
            raise
        for _, written in together:
            if not written.done():
                written.set_result(None)

    async def _keep_fresh(self) -> None:
        asked_at_s = self._written_at_s
        while True:
            await self._clock.until(max(asked_at_s, self._written_at_s) + REFRESH_EVERY_S)
            asked_at_s = self._clock.monotonic_s()
            self._work.set()

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - handed over to whoever waits for a record
            if not self._failure.done():
                self._failure.set_exception(error)
            waiting, self._waiting = self._waiting, []
            for _, written in waiting:
                if not written.done():
                    written.set_exception(error)

    def _is_due(self) -> bool:
        return self._clock.monotonic_s() >= self._written_at_s + REFRESH_EVERY_S

    async def _write_segment(self) -> None:
        content = self._segment()
        if self._sealed:
            content = await run_apart("journal-sealing", seal_message, self._cipher, content)
        key = self._location.segment_key(self._claim.run_id, self._number)
        await self._retrier.run("write of the bucket's journal", lambda: self._store.put(key, content))
        self._written_at_s = self._clock.monotonic_s()

    def _segment(self) -> bytes:
        return (b"" if self._number else self._head) + b"".join(self._tail)
