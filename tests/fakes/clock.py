"""A clock that moves only when somebody sleeps on it or moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from s3duct.domain.ports.clock import Clock

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock(Clock):
    """Time as the test wants it; a sleep takes no real time. `naps` lists the delays slept, in order.

    `until` moves nothing: it waits for sleeps, and for the test.
    """

    def __init__(self, start: datetime = EPOCH) -> None:
        """Begin at `start`, at 0 steady seconds."""
        self._start = start
        self._elapsed_s = 0.0
        self._moved = asyncio.Event()
        self.naps: list[float] = []

    def now(self) -> datetime:
        """The start and what has passed since."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic_s(self) -> float:
        """What has passed since the start."""
        return self._elapsed_s

    async def sleep(self, delay_s: float) -> None:
        """Pass the time at once; other tasks get a turn."""
        self.naps.append(delay_s)
        self.advance(delay_s)
        await asyncio.sleep(0)

    async def until(self, moment_s: float) -> None:
        """Wait until others have moved the time so far."""
        while self._elapsed_s < moment_s:
            await self._moved.wait()

    def advance(self, delay_s: float) -> None:
        """Let time pass."""
        if delay_s < 0:
            raise ValueError("time never goes back")
        self._elapsed_s += delay_s
        self._moved.set()
        self._moved = asyncio.Event()
