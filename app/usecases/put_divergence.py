"""What a put does when its input turns out to be another one than what is stored: `--on-divergence` (ADR 0021)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from s3duct.app.usecases.put_claim import Claimer
from s3duct.app.usecases.put_judgement import keys_of
from s3duct.app.usecases.put_start import PutStart, PutStarter
from s3duct.domain.chunk import ChunkKeys
from s3duct.domain.events import Listener, Notice
from s3duct.domain.resume import OnDivergence, ResumeRecord, RunBinding
from s3duct.domain.strays import merge_ranges, ranges_over


class Forker:
    """Makes a run another one from the first chunk on that differs. Chunks in front of it are those of both inputs.

    `generations` are those of every key that the run has written so far, or may write.
    """

    def __init__(
        self,
        policy: OnDivergence,
        start: PutStart,
        *,
        binding: RunBinding,
        starter: PutStarter,
        claimer: Claimer,
        listener: Listener,
    ) -> None:
        """Take the run as it started."""
        self._policy = policy
        self._start = start
        self._binding = binding
        self._starter = starter
        self._claimer = claimer
        self._listener = listener
        self.generations = start.header.generations

    async def __call__(self, records: Callable[[], Sequence[ResumeRecord]]) -> ChunkKeys:
        """Go on as another run, with both journals; return where its chunks go.

        Raises:
            RunInProgress: another put has taken over the name.
        """
        stored = self._start.plan.records
        same = stored.keys() & {record.chunk.index for record in records()}
        fate = (
            "stay in the bucket"
            if self._policy is OnDivergence.KEEP_PARTIAL
            else "go when this one is stored"
        )
        self._listener(
            Notice(
                f"the input is another one than what is stored of an unfinished put: {len(same)} chunks are the same, "
                f"{len(stored) - len(same)} others {fate}"
            )
        )
        header = replace(
            self._starter.header_after(self._start.header, self._binding), over=self._start.header.over
        )
        if self._policy is OnDivergence.RESTART:
            given_up = (record.chunk.key for index, record in stored.items() if index not in same)
            ranges = (*header.replaces, *ranges_over(given_up, name=self._binding.name))
            header = replace(header, replaces=merge_ranges(ranges))
        await self._claimer.go_on_as(header, records)
        self.generations = header.generations
        return keys_of(header)
