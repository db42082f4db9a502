"""What a put has stored already: how its input is held against that, and when a new chunk may be stored and recorded.

A foreign input changes nothing: whatever could not be taken back waits until the stored chunks in front of it, or behind it,
have been recognised in the input.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.run_journal import RunJournal
from s3duct.domain.chain import ChainLink
from s3duct.domain.chunk import ChunkKeys, ChunkRecord
from s3duct.domain.digest import DualDigest
from s3duct.domain.errors import InputDiverged
from s3duct.domain.resume import ResumePlan, ResumeRecord, Verdict

# Makes the run another one, which carries on the records that it asks for when it writes them; returns where its chunks go.
Fork = Callable[[Callable[[], Sequence[ResumeRecord]]], Awaitable[ChunkKeys]]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be done with a chunk of the input, and what is on record under its index."""

    verdict: Verdict
    record: ResumeRecord | None

    @property
    def stored(self) -> ChunkRecord | None:
        """The chunk as it is stored, if that is the same; None if it is to be uploaded."""
        return self.record.chunk if self.record is not None and self.verdict is Verdict.STORED else None


class Continuation:
    """One run's stored part. Chunks are judged in order; they are stored and recorded in any.

    `strict` refuses an input that is shorter than the stored part. Without `fork`, one that is another is refused.
    """

    def __init__(
        self, plan: ResumePlan, keys: ChunkKeys, *, strict: bool = True, fork: Fork | None = None
    ) -> None:
        """Take what is stored, and where new chunks go."""
        self._plan = plan
        self._keys = keys
        self._strict = strict
        self._fork = fork
        # Index of the last stored chunk that was recognised in the input.
        self._recognised = Mark(-1)
        self._recorded_in_gaps: list[ResumeRecord] = []
        self.given_up_keys: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The stream's name."""
        return self._keys.name

    @property
    def may_differ(self) -> bool:
        """Whether another input than the recorded one is fine; the journal holds nothing of that then."""
        return self._plan.may_differ

    def may_be_new(self, index: int) -> bool:
        """Whether chunk `index` is not stored and may be uploaded before it is judged."""
        return self._plan.may_be_new(index)

    def nothing_waits_for(self, index: int) -> bool:
        """Whether no upload waits until chunk `index` is judged."""
        return index > self._plan.last_index

    def is_surely_new(self, index: int) -> bool:
        """Whether chunk `index` is uploaded without a wait, and none waits for it: all that is stored is recognised."""
        return self.may_be_new(index) and index > self._plan.last_index <= self._recognised.position

    async def judge(self, index: int, *, size_bytes: int, digest: DualDigest, link: ChainLink) -> Judged:
        """Decide over chunk `index` of the input; those in front of it have been judged. Raises `ResumeError`."""
        try:
            verdict = self._plan.judge(
                index, size_bytes=size_bytes, digest=digest, link=link, strict=self._strict
            )
        except InputDiverged:
            if self._fork is None:
                raise
            await self._go_on_as_another(index, self._fork)
            verdict = Verdict.UPLOAD
        return Judged(verdict, self._plan.records.get(index))

    def note_judged(self, judged: Judged) -> None:
        """Let go on what waits for that chunk."""
        if judged.record is not None:
            self._recognised.advance_to(judged.record.chunk.index)

    def judge_end(self, chunk_count: int) -> None:
        """Decide at the end of an input of `chunk_count` chunks; nothing waits any more. Raises `InputTooShort`."""
        self._plan.judge_end(chunk_count, strict=self._strict)
        self._recognised.finish()

    def fail(self, error: BaseException) -> None:
        """Make everything raise `error` that waits for a proof: it will not get it."""
        self._recognised.fail(error)

    def key_of(self, judged: Judged, index: int) -> str:
        """Relative key for chunk `index`, once it is judged to be uploaded."""
        is_free = judged.record is None or self._plan.may_differ
        return self._keys.of(index) if is_free else self._keys.replacing(index)

    async def key_when_due(self, index: int, before: asyncio.Future[ChainLink]) -> str:
        """Relative key for chunk `index`, which `may_be_new`, once the stored chunks in front have been recognised.

        `before` is the link of the chunk in front of it, there when that was judged.
        """
        if index > self._plan.last_index:
            await self._wait_until_recognised(self._plan.last_index)
        else:
            await asyncio.shield(before)
        return self._keys.of(index)

    async def record(self, record: ResumeRecord, journal: RunJournal) -> None:
        """Make the chunk count: durable in the journal.

        A chunk in a gap between stored ones is recorded only once the stored one behind it has been recognised, which
        proves that the gap is filled with what belongs there. Its buffer has been given back: nothing waits for that.

        The last chunk of a shorter input that was accepted contradicts what is on record. It is kept for the manifest alone:
        should that not be written, the record still tells the truth about the run before.

        Where the input may differ from what is stored, the journal holds nothing yet, and everything is recorded.
        """
        if self._plan.may_differ:
            await journal.append(record)
            return
        index = record.chunk.index
        await self._wait_until_recognised(self._plan.next_stored(index))
        behind = self._plan.next_stored(index)
        if index not in self._plan.records and self._recognised.position >= behind:
            if index < self._plan.last_index:
                self._recorded_in_gaps.append(record)
            await journal.append(record)

    async def _go_on_as_another(self, index: int, fork: Fork) -> None:
        """Chunk `index` is not the stored one: keep what is in front of it, and leave the rest to the run before.

        Chunks are judged in order, and none behind the last one recognised is on its way: nothing of the other input and of
        this one ever stands in one journal.
        """
        self._keys = await fork(lambda: (*self._plan.records_before(index), *self._recorded_in_gaps))
        self.given_up_keys = self._plan.give_up_from(index)
        self._recognised.finish()

    async def _wait_until_recognised(self, index: int) -> None:
        if self._recognised.position < index:
            await self._recognised.reaches(index)
