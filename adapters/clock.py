"""Adapter of `ports.clock` over the system's clocks and asyncio."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from s3duct.domain.ports.clock import Clock


class SystemClock(Clock):
    """Real time."""

    def now(self) -> datetime:
        """Current time in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds since some fixed point."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(delay_s)

    async def until(self, moment_s: float) -> None:
        """Wait on the event loop, whose timer may fire a little early."""
        while (left_s := moment_s - self.monotonic_s()) > 0:  # noqa: ASYNC110 - no event tells the time
            await asyncio.sleep(left_s)
