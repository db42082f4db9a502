"""Puts that are under way at once in one event loop, each of which goes on by single operations when it is told to."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter, deque
from collections.abc import Coroutine
from typing import Any, NamedTuple, TypeVar

from s3duct.domain.errors import ObjectNotFound, S3ductError
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import ErrorFactory
from tests.usecases.loop import PATIENCE_S, forget_frames, turns, until
from tests.usecases.world import World

T = TypeVar("T")

_SOON_S = 15.0


class _Parked(NamedTuple):
    operation: Operation
    phase: Phase
    turn: asyncio.Future[None]


class Gate:
    """A hook that parks every operation twice: before it is sent, and when it has taken effect.

    `arrivals` counts what was parked so far.
    """

    def __init__(self) -> None:
        self.parked: deque[_Parked] = deque()
        self.arrivals: Counter[tuple[int, Phase]] = Counter()
        self.fault: tuple[Phase, ErrorFactory] | None = None
        self._is_open = False

    async def __call__(self, operation: Operation, phase: Phase) -> None:
        if phase is Phase.MIDWAY:
            return
        if not self._is_open:
            parked = _Parked(operation, phase, asyncio.get_running_loop().create_future())
            self.parked.append(parked)
            self.arrivals[operation.number, phase] += 1
            await parked.turn
        if self.fault is not None and self.fault[0] is phase:
            (_, error), self.fault = self.fault, None
            raise error()

    async def let_one_pass(self, task: asyncio.Task[object]) -> None:
        """Let the operation of `task` go on that has waited longest; one that changes the bucket to where that is done."""
        while self.parked and self.parked[0].turn.done():  # its run has given it up
            self.parked.popleft()
        if not self.parked:
            return
        operation, phase, turn = self.parked.popleft()
        before = self.arrivals.total()
        will_fail = self.fault is not None and self.fault[0] is phase
        turn.set_result(None)
        if phase is Phase.AFTER or will_fail or operation.method not in ("put", "delete"):
            await turns()
            return

        def is_done() -> bool:
            # One that was refused because the key is taken has no other side; its run does nothing else meanwhile.
            refused = operation.create_only and self.arrivals.total() > before
            return bool(self.arrivals[operation.number, Phase.AFTER]) or refused or task.done()

        await until(is_done)

    def open(self) -> None:
        """Let everything pass from now on."""
        self._is_open = True
        while self.parked:
            turn = self.parked.popleft().turn
            if not turn.done():
                turn.set_result(None)


class LiveRun:
    """One put in the hands of a test. It never sends again what its own journal has on record (`_check_journal`)."""

    def __init__(self, world: World, data: bytes, options: dict[str, Any]) -> None:
        """Begin; must be called inside the loop."""
        # For the test: since when it is under way, and which chunks it must not send.
        self.began_at = 0
        self.owed: set[int] = set()
        self.world = world
        self.data = data
        self.options = options
        self.gate = Gate()
        self.had_fault = False
        world.store.hooks += [self._check_journal, self.gate, self._check_manifest]
        self.task: asyncio.Task[object] = asyncio.ensure_future(world.put(data, **options))

    async def go_on(self, operations: int) -> None:
        """Let so many halves of operations happen, or as many as there are."""
        for _ in range(operations):
            await until(lambda: self.task.done() or bool(self.gate.parked))
            if self.task.done():
                return
            await self.gate.let_one_pass(self.task)

    def fail_next(self, phase: Phase, error: ErrorFactory) -> None:
        """Let the next operation that gets so far fail."""
        self.had_fault = True
        self.gate.fault = (phase, error)

    async def end(self) -> S3ductError | None:
        """Let it run to its end; return what it failed with."""
        self.gate.open()
        await asyncio.wait({self.task}, timeout=_SOON_S)
        assert self.task.done(), "it hangs"
        error = self.task.exception()
        if error is None:
            return None
        assert isinstance(error, S3ductError), repr(error)
        forget_frames(error)
        return error

    async def die(self) -> None:
        """Never go on: what is parked was never sent, or its reply never arrives."""
        self.task.cancel()
        await asyncio.wait({self.task}, timeout=_SOON_S)
        assert self.task.done(), "it cannot be cancelled"
        if not self.task.cancelled() and (error := self.task.exception()) is not None:
            assert isinstance(error, S3ductError), repr(error)
            forget_frames(error)

    async def _check_manifest(self, operation: Operation, phase: Phase) -> None:
        """See that a chunk that is visible is not written, were it with the same bytes."""
        if phase is Phase.BEFORE and _writes_chunk(operation):
            assert operation.key not in await self.world.named_keys(), f"{operation.key} is visible already"

    async def _check_journal(self, operation: Operation, phase: Phase) -> None:
        if phase is not Phase.BEFORE or not _writes_chunk(operation):
            return
        journal = self.world.journals.journal()
        for record in () if journal is None else journal.records:
            if record.chunk.index != int(operation.key[-6:]):
                continue
            try:
                await self.world.bucket.head(self.world.location.full_key(record.chunk.key))
            except ObjectNotFound:
                continue  # somebody has deleted it meanwhile
            # The last chunk of a shorter input that was accepted goes beside the longer one that is on record.
            accepted_short = not self.options.get("strict_resume", True) and operation.key.endswith(
                f"chunk-{(len(self.data) - 1) // self.world.chunk_bytes:06d}"
            )
            assert accepted_short, f"{operation.key} is sent again although it is on record"


def _writes_chunk(operation: Operation) -> bool:
    return operation.writes and "chunk-" in operation.key


class LongLoop:
    """An event loop that lasts over many calls, and tells at its end what they left behind."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(debug=False)
        self._complaints: list[str] = []
        self._runner.get_loop().set_exception_handler(self._complain)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work`; other tasks of the loop go on meanwhile."""
        return self._runner.run(asyncio.wait_for(work, PATIENCE_S))

    def close(self) -> None:
        """End it; fail if a task is left pending, or an exception was not looked at."""
        self._runner.run(self._look_around())
        gc.collect()  # "never retrieved" is said by the destructor
        self._runner.close()
        assert not self._complaints, "\n".join(self._complaints)

    async def _look_around(self) -> None:
        await turns()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        self._complaints += [f"left pending: {task!r}" for task in left]

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._complaints.append(f"{context['message']}: {context.get('exception')!r}")
