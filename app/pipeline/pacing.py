"""Gives the operations of a run their turns: as many at once as the domain's pace admits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from s3duct.domain.errors import StoreThrottled
from s3duct.domain.events import Listener, PaceChanged
from s3duct.domain.pacing import Pace


class Pacer:
    """One for all operations of a run. No operation may wait for another one while it has its turn."""

    def __init__(self, listener: Listener) -> None:
        """Begin without a limit."""
        self._listener = listener
        self._pace = Pace()
        self._under_way = 0
        self._begun = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it; how the body ends makes the pace slower (`StoreThrottled`) or faster."""
        while not self._pace.admits(self._under_way):
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting
        self._under_way += 1
        self._begun += 1
        number = self._begun
        try:
            yield
            self._follow(self._pace.succeeded())
        except StoreThrottled:
            self._follow(self._pace.throttled(number=number, begun=self._begun, under_way=self._under_way))
            raise
        finally:
            self._under_way -= 1
            self._wake_all()

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
