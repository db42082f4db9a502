"""The request to stop: set by a signal or an embedder, looked at by use cases."""

from __future__ import annotations

import asyncio

from s3duct.domain.errors import Interrupted


class StopRequest:
    """Asks a run to end soon with what is done kept. Safe to set more than once."""

    def __init__(self) -> None:
        """Not set."""
        self._event = asyncio.Event()
        self._signal_number = 0

    def set(self, signal_number: int) -> None:
        """Ask; `signal_number` goes into the exit code. Call it on the event loop's thread."""
        self._signal_number = self._signal_number or signal_number
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether the run was asked to stop."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Wait until asked."""
        await self._event.wait()

    def as_error(self, hint: str) -> Interrupted:
        """The error with which a stopped run ends."""
        return Interrupted("stopped by a signal", signal_number=self._signal_number, hint=hint)
