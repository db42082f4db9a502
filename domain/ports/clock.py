"""Port: time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time, steady time, and waiting."""

    def now(self) -> datetime:
        """Current time, in UTC, with its zone set."""
        ...

    def monotonic_s(self) -> float:
        """Seconds from some fixed point; never goes back."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait that many seconds; cancellable."""
        ...

    async def until(self, moment_s: float) -> None:
        """Wait, in the background of other work, until `monotonic_s` has come that far; cancellable."""
        ...
