"""Pieces of different chunks that are hashed in one call, because several at once cost little more than one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from s3duct.app.pipeline.workers import Workers, settled
from s3duct.domain.ports.hasher import Hasher, HashLane
from s3duct.domain.sizes import MIB

# Side by side, pieces go as far as the shortest of them, but not in steps that are smaller than this.
STEP_BYTES = MIB
# How long a piece that nobody is waiting for is held for others to come along: a fraction of the time in which a chunk is
# transferred, and never at a chunk's end.
_HOLD_S = 0.02


class Patience:
    """For how long nothing waits for a digest: its pieces may be held until then."""

    def __init__(self) -> None:
        """Begin; `end` has to be called some time."""
        self.is_over = False
        self._held_by: set[Callable[[], None]] = set()

    def end(self) -> None:
        """From now on the digest is wanted. Idempotent."""
        self.is_over = True
        while self._held_by:
            self._held_by.pop()()

    def hold(self, until_over: Callable[[], None]) -> None:
        """Have `until_over` called when it ends, once however often it is given."""
        self._held_by.add(until_over)


@dataclass(eq=False, slots=True)
class _Waiting:
    lane: HashLane
    piece: memoryview
    taken: asyncio.Future[int]
    patient: bool
    patience: Patience | None

    def may_wait(self, *, alone: bool) -> bool:
        if self.patience is not None:
            return not self.patience.is_over
        return self.patient and not alone


class Batches:
    """Calls `Hasher.update_together` for up to `at_once` lanes of one algorithm that wait at the same time.

    As many as go together go at once, however many calls are running. Fewer go while less than half of the processors (one
    at least) run a call: so a lane that is alone never waits for another one, and a few lanes use what processors there
    are. The other half is for the other algorithm.
    """

    def __init__(self, hasher: Hasher, workers: Workers, *, at_once: int) -> None:
        """Take the hasher and the threads it runs on."""
        self._hasher = hasher
        self._workers = workers
        self._at_once = at_once
        self._calls = max(1, workers.processors // 2)
        self._lanes = 0
        self._waiting: list[_Waiting] = []
        self._running: set[asyncio.Task[None]] = set()

    @contextmanager
    def taking_part(self) -> Iterator[None]:
        """Say that a lane is about to be updated, perhaps: nobody is held for others if there are none."""
        self._lanes += 1
        try:
            yield
        finally:
            self._lanes -= 1
            self._start_due()

    async def update(
        self, lane: HashLane, piece: memoryview, *, patient: bool = False, patience: Patience | None = None
    ) -> int:
        """Take the next bytes into `lane`; return how many of them were taken: not always all, but some.

        Cancelling waits until no thread uses the piece any more. `patient` says that nothing waits for this piece: more of
        its chunk is still to come. With `patience`, that decides, and the piece waits for others even if it is alone.
        """
        if self._at_once == 1:
            await self._workers.run(lane.update, piece)
            return len(piece)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(lane, piece, loop.create_future(), patient, patience)
        self._waiting.append(waiting)
        if patience is not None:
            patience.hold(self._start_due)
        self._start_due()
        timer = loop.call_later(_HOLD_S, self._hurry, waiting) if patient else None
        try:
            return await asyncio.shield(waiting.taken)
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                await settled(waiting.taken)
            raise
        finally:
            if timer is not None:
                timer.cancel()  # it would hold on to the piece

    def _hurry(self, waiting: _Waiting) -> None:
        waiting.patient = False
        self._start_due()

    def _start_due(self) -> None:
        while len(self._waiting) >= self._at_once:
            self._start(self._at_once)
        while (free := self._calls - len(self._running)) > 0 and self._is_one_due():
            self._start(-(-len(self._waiting) // free))

    def _is_one_due(self) -> bool:
        alone = self._lanes == 1
        return not all(waiting.may_wait(alone=alone) for waiting in self._waiting)

    def _start(self, count: int) -> None:
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        step = max(STEP_BYTES, min(len(waiting.piece) for waiting in batch))
        pieces = [waiting.piece[:step] for waiting in batch]
        task = asyncio.ensure_future(
            self._workers.run(self._hasher.update_together, [waiting.lane for waiting in batch], pieces)
        )
        self._running.add(task)
        task.add_done_callback(lambda done: self._end(done, batch, pieces))

    def _end(self, task: asyncio.Task[None], batch: list[_Waiting], pieces: list[memoryview]) -> None:
        for waiting, piece in zip(batch, pieces, strict=True):
            size = len(piece)
            piece.release()  # the thread lets go of it a moment later, and a buffer that is held is not used again
            if task.cancelled():
                waiting.taken.cancel()
            elif (error := task.exception()) is not None:
                waiting.taken.set_exception(error)
            else:
                waiting.taken.set_result(size)
        # Only then is the next one due: the lanes of this one come back first, to go along with those that wait already.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._forget, task)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start_due()
