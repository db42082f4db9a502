"""Gives the operations of a run their turns: as many at once as the domain's pace admits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from s3duct.app.pipeline.mark import Mark
from s3duct.domain.errors import StoreThrottled
from s3duct.domain.events import Listener, PaceChanged
from s3duct.domain.pacing import Pace


class Pacer:
    """Operations that a store is asked for at once. None may wait for another one while it has its turn."""

    def __init__(self, listener: Listener) -> None:
        """Begin without a limit."""
        self._listener = listener
        self._pace = Pace()
        self._under_way: dict[int, Mark | None] = {}
        self._begun = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(
        self,
        arriving: Mark | None = None,
        *,
        most_wait: Callable[[], Coroutine[Any, Any, object]] | None = None,
    ) -> AsyncIterator[None]:
        """Wait for a turn and hold it; how the body ends makes the pace slower (`StoreThrottled`) or faster.

        An operation whose bytes are still `arriving` waits for the producer, perhaps for hours, and must not keep others
        from their turn meanwhile: at a slow pace it begins when they are all there, and one that had begun before is not
        counted until then. One that may not wait for long waits until `most_wait` is over, and goes without a turn.
        """
        if not self._may_begin(arriving):
            await self._until_it_may_begin(arriving, most_wait)
        self._begun += 1
        number = self._begun
        self._under_way[number] = arriving
        try:
            yield
            self._follow(self._pace.succeeded())
        except StoreThrottled:
            under_way = len(self._under_way)
            self._follow(self._pace.throttled(number=number, begun=self._begun, under_way=under_way))
            raise
        finally:
            del self._under_way[number]
            self._wake_all()

    def _may_begin(self, arriving: Mark | None) -> bool:
        if self._pace.at_once is None:
            return True
        return _is_there(arriving) and self._pace.admits(sum(map(_is_there, self._under_way.values())))

    async def _until_it_may_begin(
        self, arriving: Mark | None, most_wait: Callable[[], Coroutine[Any, Any, object]] | None
    ) -> None:
        over = asyncio.ensure_future(most_wait() if most_wait else asyncio.get_running_loop().create_future())
        there = asyncio.ensure_future(arriving.completion()) if arriving is not None else None
        try:
            while not self._may_begin(arriving) and not over.done():
                waiting = asyncio.get_running_loop().create_future()
                self._waiting.append(waiting)
                events = {waiting, over} if there is None or there.done() else {waiting, over, there}
                try:
                    await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if waiting in self._waiting:
                        self._waiting.remove(waiting)
                if there is not None and there.done():
                    there.result()
        finally:
            # Not waited for: whoever had a turn then would take the one that is free now.
            over.cancel()
            if there is not None:
                there.cancel()

    def _follow(self, pace: Pace) -> None:
        before, self._pace = self._pace.at_once, pace
        if pace.at_once != before:
            self._listener(PaceChanged(pace.at_once))

    def _wake_all(self) -> None:
        """Whoever is woken looks again: a turn that was meant for one that is cancelled meanwhile is not lost."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)


def _is_there(arriving: Mark | None) -> bool:
    return arriving is None or arriving.complete
