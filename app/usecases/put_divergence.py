"""What a put does when its input turns out to be another one than what is stored: `--on-divergence` (ADR 0021)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s3duct.app.usecases.put_claim import Claimer
from s3duct.app.usecases.put_start import PutStart, PutStarter, keys_of
from s3duct.domain.chunk import ChunkKeys
from s3duct.domain.events import Listener, Notice
from s3duct.domain.resume import OnDivergence, ResumeRecord, RunBinding


class Forker:
    """Makes a run another one from the first chunk on that differs. Chunks in front of it are those of both inputs."""

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
        header = self._starter.header_after(self._start.header, self._binding)
        await self._claimer.go_on_as(header, records)
        return keys_of(header)
