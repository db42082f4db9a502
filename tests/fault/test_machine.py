"""Any sequence of puts, crashes, resumes, replacements and gets: what is visible is always one whole stream."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from s3duct.domain.errors import (
    InputDiverged,
    InputTooShort,
    JournalMismatch,
    RunInProgress,
    S3ductError,
    SourceError,
    StreamExists,
    StreamNotFound,
)
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import Crash, refused
from tests.fault.invariant import check, watched
from tests.usecases.loop import forget_frames, run
from tests.usecases.world import CHUNK, World, aes, content

# Inputs that are beginnings of one another, mostly, and a few that are not.
SIZES = [5, CHUNK, CHUNK + 5, 2 * CHUNK, 3 * CHUNK, 3 * CHUNK + 5]
INPUTS = [content(size, seed) for seed in (0, 0, 0, 1) for size in SIZES] + [b""]
OPTIONS = st.fixed_dictionaries(
    {
        "clobber": st.sampled_from([False, False, True]),
        "resume": st.sampled_from([True, True, True, False]),
        "strict_resume": st.booleans(),
        "allow_empty": st.booleans(),
        "takeover": st.booleans(),
    }
)
ELSEWHERE = st.fixed_dictionaries(
    {
        "clobber": st.booleans(),
        "resume": st.booleans(),
        "takeover": st.booleans(),
        "allow_empty": st.just(True),
    }
)
NUMBERS = st.integers(3, 30)
PHASES = st.sampled_from([Phase.BEFORE, Phase.AFTER])


class Streams(RuleBasedStateMachine):
    """One name, one machine that fails in every way, and others that finish streams of the same name in between."""

    def __init__(self) -> None:
        super().__init__()
        self.content: bytes | None = None
        self.seed = 10
        # Whether a claim or a journal of an unfinished run may be in the bucket.
        self.claimed = False

    @initialize(sealed=st.booleans(), max_chunks=st.sampled_from([1, 3]))
    def begin(self, sealed: bool, max_chunks: int) -> None:
        self.world = World(cipher=aes() if sealed else None, max_chunks=max_chunks)

    @rule(data=st.sampled_from(INPUTS), options=OPTIONS)
    def put(self, data: bytes, options: dict[str, Any]) -> None:
        """Nothing goes wrong: it is stored, or refused for a reason that there is."""
        had_journal = bool(self.world.journals.contents) or self.claimed
        world = self._next_run()

        async def steps() -> None:
            try:
                await world.put(data, **options)
            except StreamExists as error:
                forget_frames(error)
                assert self.content is not None
                assert not options["clobber"]
            except (InputDiverged, InputTooShort, JournalMismatch) as error:
                forget_frames(error)
                assert had_journal
                assert options["resume"]
            except RunInProgress as error:
                forget_frames(error)
                assert self.claimed
            except SourceError as error:
                forget_frames(error)
                assert not data
                assert not options["allow_empty"]
            else:
                self.content = data
                assert world.journals.contents == {}
                assert await world.resume_keys() == []
                self.claimed = False

        run(steps(), debug=False)

    @rule(data=st.sampled_from(INPUTS), options=OPTIONS, number=NUMBERS, phase=PHASES)
    def put_that_dies(self, data: bytes, options: dict[str, Any], number: int, phase: Phase) -> None:
        self._dies(self._next_run(), data, options, number, phase)

    def _dies(self, world: World, data: bytes, options: dict[str, Any], number: int, phase: Phase) -> None:
        self.claimed = True

        async def steps() -> None:
            crash = Crash(number, phase)
            world.store.hooks.append(crash)
            putting = asyncio.ensure_future(world.put(data, **options))
            happened = asyncio.ensure_future(crash.happened.wait())
            await asyncio.wait({putting, happened}, return_when=asyncio.FIRST_COMPLETED)
            happened.cancel()
            putting.cancel()
            await asyncio.wait({putting}, timeout=15)
            if not putting.cancelled() and (error := putting.exception()) is not None:
                forget_frames(error)
            await self._was_or_is(data)

        run(steps(), debug=False)

    @rule(data=st.sampled_from(INPUTS), options=OPTIONS, number=NUMBERS, phase=PHASES)
    def put_that_fails(self, data: bytes, options: dict[str, Any], number: int, phase: Phase) -> None:
        world = self._next_run()
        self.claimed = True

        async def steps() -> None:
            async def hook(operation: Operation, now: Phase) -> None:
                if now is phase and operation.number >= number:
                    raise refused()

            world.store.hooks.append(hook)
            try:
                await world.put(data, **options)
            except S3ductError as error:
                forget_frames(error)
            await self._was_or_is(data)

        run(steps(), debug=False)

    @rule(data=st.sampled_from(INPUTS), options=ELSEWHERE, waits=st.booleans())
    def another_machine_puts(self, data: bytes, options: dict[str, Any], waits: bool) -> None:
        """It finds the name free, continues what it finds in the bucket, or is refused for a reason that there is."""
        world = self._another_machine(waits)

        async def steps() -> None:
            try:
                await world.put(data, **options)
            except StreamExists as error:
                forget_frames(error)
                assert self.content is not None
                assert not options["clobber"]
            except RunInProgress as error:
                forget_frames(error)
                assert self.claimed
                assert not options["takeover"]
                assert not waits
            except (InputDiverged, InputTooShort) as error:
                forget_frames(error)
                assert self.claimed
                assert options["resume"]
            else:
                self.content = data
                assert await world.resume_keys() == []
                self.claimed = False

        run(steps(), debug=False)

    @rule(data=st.sampled_from(INPUTS), options=ELSEWHERE, waits=st.booleans(), number=NUMBERS, phase=PHASES)
    def another_machine_dies(
        self, data: bytes, options: dict[str, Any], waits: bool, number: int, phase: Phase
    ) -> None:
        """And never comes back."""
        self._dies(self._another_machine(waits), data, options, number, phase)

    @rule()
    def get(self) -> None:
        assert self._visible() == self.content

    @invariant()
    def what_is_visible_is_whole(self) -> None:
        if hasattr(self, "world"):
            run(check(self.world), debug=False)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            assert self._visible() == self.content

    def _next_run(self) -> World:
        """The machine as it comes up again, with other randomness."""
        self.seed += 1
        self.world = watched(self.world.restarted(seed=self.seed))
        return self.world

    def _another_machine(self, waits: bool) -> World:
        self.seed += 1
        world = watched(self.world.elsewhere(seed=self.seed))
        if waits:
            world.let_claims_go_stale()
        return world

    async def _was_or_is(self, data: bytes) -> None:
        """After trouble, the stream is what it was, or what was put."""
        try:
            now = await self.world.elsewhere().restored()
        except StreamNotFound as error:
            forget_frames(error)
            assert self.content is None
            return
        assert now in {self.content, data}
        self.content = now

    def _visible(self) -> bytes | None:
        async def steps() -> bytes | None:
            try:
                return await self.world.elsewhere().restored()
            except StreamNotFound as error:
                forget_frames(error)
                return None

        return run(steps(), debug=False)


TestStreams = Streams.TestCase
TestStreams.settings = settings(
    max_examples=60,
    stateful_step_count=6,
    suppress_health_check=[HealthCheck.too_slow],
    # Six steps are short enough to read; to shorten them takes minutes.
    phases=[Stage.explicit, Stage.reuse, Stage.generate],
    report_multiple_bugs=False,
)
