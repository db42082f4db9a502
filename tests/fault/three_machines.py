"""Three machines that put streams of one name into one bucket, all in one event loop, and what must be true of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from s3duct.app.pipeline.bucket_journal_reader import BucketJournalReader
from s3duct.app.pipeline.retrying import Retrier
from s3duct.domain.errors import (
    InputDiverged,
    InputTooShort,
    JournalMismatch,
    RunInProgress,
    S3ductError,
    SourceError,
    StoreError,
    StoreUnavailable,
    StreamExists,
    StreamNotFound,
)
from s3duct.domain.events import ChunkFinished, TransferStarted
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.journal import FakeJournalStore
from tests.fault.invariant import check, watched
from tests.fault.live_runs import LiveRun, LongLoop
from tests.usecases.loop import forget_frames
from tests.usecases.world import World, aes

# What two runs that are in each other's way say, and what says that the input is not the one on record.
_REASONS = (RunInProgress, StreamExists, InputDiverged, InputTooShort, JournalMismatch, SourceError)


class ThreeMachines:
    """`live` are the runs under way by machine, `disks` what is on the machines' disks.

    `seen` is everything that could be got, in order: what was put must be among it when its put has ended well.
    """

    def __init__(self, *, sealed: bool, max_chunks: int, conditions: bool, counts: Counter[str]) -> None:
        """Set up a bucket; without `conditions` it ignores that a write was to create only."""
        self.counts = counts
        self.loop = LongLoop()
        self.live: dict[str, LiveRun] = {}
        self.disks = {machine: FakeJournalStore() for machine in "abc"}
        self.seen: list[bytes | None] = [None]
        self.first = World(cipher=aes() if sealed else None, max_chunks=max_chunks)
        self._options = {"allow_empty": True, "seal_manifest": sealed}
        self._seed = 10
        if not conditions:
            self._ignore_conditions()

    def _ignore_conditions(self) -> None:
        put = self.first.bucket.put

        async def unconditional(key: str, data: Any, **options: Any) -> Any:
            return await put(key, data, **{**options, "create_only": False})

        self.first.bucket.put = unconditional  # type: ignore[method-assign]

    def _world(self, machine: str) -> World:
        self._seed += 1
        world = watched(self.first.elsewhere(seed=self._seed, journals=self.disks[machine]))
        world.store.hooks.append(self._note_what_is_visible)
        return world

    async def _note_what_is_visible(self, operation: Operation, phase: Phase) -> None:
        if (
            phase is Phase.AFTER
            and operation.method == "put"
            and operation.key == self.first.location.manifest_key
        ):
            self.seen.append(await self._got())

    def busy(self, which: int) -> str:
        """Some machine with a run under way."""
        return sorted(self.live)[which % len(self.live)]

    def start(self, machine: str, data: bytes, options: dict[str, Any]) -> None:
        """Begin; where nothing is finished and nobody else at work, what is on record must not be sent again."""
        owed: set[int] = set()
        if not self.live and self.seen[-1] is None and options["resume"] and options.get("strict_resume"):
            owed = self.loop.run(self._on_record(machine))
        run = self.loop.run(self._started(machine, data, options))
        run.began_at, run.owed = len(self.seen), owed
        self.live[machine] = run

    async def _started(self, machine: str, data: bytes, options: dict[str, Any]) -> LiveRun:
        return LiveRun(self._world(machine), data, {**self._options, **options})

    def run_beside(self, machine: str, options: dict[str, Any]) -> S3ductError | None:
        """Let a second put run on a machine that has one; return what it failed with."""

        async def run() -> S3ductError | None:
            return await (await self._started(machine, b"", options)).end()

        return self.loop.run(run())

    def go_on(self, machine: str, steps: int) -> None:
        """Let it do so many halves of operations."""
        for name, other in self.live.items():
            if name != machine and not other.world.heard(TransferStarted):
                other.owed = set()  # what is on record may change before it looks
        self.loop.run(self.live[machine].go_on(steps))

    def end(self, machine: str) -> S3ductError | None:
        """Let a run end; see that it has done what it says, or had a reason."""
        self.go_on(machine, 0)
        run = self.live.pop(machine)
        error = self.loop.run(run.end())
        self.counts[f"runs that ended {'well' if error is None else 'with ' + type(error).__name__}"] += 1
        if error is not None:
            faulty = (StoreError, StoreUnavailable) if run.had_fault else ()
            assert isinstance(error, (*_REASONS, *faulty)), repr(error)
            return error
        assert run.data in self.seen[run.began_at - 1 :], "it ended well, but was never there"
        stored = {event.index for event in run.world.heard(ChunkFinished) if not event.resumed}
        self.counts["chunks on record, and not sent again"] += len(run.owed)
        assert not stored & run.owed, f"sent again although on record: {stored & run.owed}"
        return None

    def free(self, order: Sequence[str]) -> str:
        """The first machine in that order that has none."""
        return next(machine for machine in order if machine not in self.live)

    def kill(self, machine: str) -> None:
        """End a run for ever; what is on its machine's disk stays."""
        self.counts["kills"] += 1
        self.loop.run(self.live.pop(machine).die())
        self.disks[machine] = self.disks[machine].survived()

    def delete(self, everything: bool) -> None:
        """Delete the stream with the tools of the store: the manifest and what it names, or all there is."""
        self.loop.run(self._delete(everything))
        self.seen.append(None)

    async def _delete(self, everything: bool) -> None:
        keys = await self.first.named_keys()
        await self.first.bucket.delete(self.first.location.manifest_key)
        if everything:
            keys = {entry.key async for entry in self.first.bucket.list("")}
        for key in sorted(keys):
            await self.first.bucket.delete(key)

    async def _on_record(self, machine: str) -> set[int]:
        """Indices of chunks that are in the bucket, and in the journal of this machine or of the run with the claim."""
        world = self.first.elsewhere(journals=self.disks[machine])
        retrier = Retrier(world.retry_policy, clock=world.clock, entropy=world.entropy, listener=world.hear)
        reader = BucketJournalReader(
            store=world.bucket,
            location=world.location,
            cipher=world.cipher,
            destination="memory",
            retrier=retrier,
        )
        found = await reader.find()
        journals = [world.journals.journal(), (await reader.read(found)).journal if found else None]
        stored = {entry.key async for entry in world.bucket.list("")}
        return {
            record.chunk.index
            for journal in journals
            if journal is not None
            for record in journal.records
            if world.location.full_key(record.chunk.key) in stored
        }

    def visible(self) -> bytes | None:
        """What can be got."""
        return self.loop.run(self._got())

    async def _got(self) -> bytes | None:
        reader = self.first.elsewhere()
        try:
            await check(reader)
            return await reader.restored()
        except StreamNotFound as error:
            forget_frames(error)
            return None
