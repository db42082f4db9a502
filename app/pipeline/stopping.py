"""The request to stop: set by a signal or an embedder, looked at by use cases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from s3duct.app.pipeline.parallel import cancel_all
from s3duct.domain.errors import Interrupted

T = TypeVar("T")


class StopRequest:
    """Asks a run to end soon with what is done kept. Safe to set more than once."""

    def __init__(self) -> None:
        """Not set."""
        self._event = asyncio.Event()
        self._signal_number = 0
        self._last_acts: list[Callable[[], None]] = []

    def set(self, signal_number: int) -> None:
        """Ask; `signal_number` goes into the exit code. Call it on the event loop's thread."""
        self._signal_number = self._signal_number or signal_number
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether the run was asked to stop."""
        return self._event.is_set()

    @property
    def signal_number(self) -> int:
        """The signal that was the reason, 0 before."""
        return self._signal_number

    def before_leaving(self, act: Callable[[], None]) -> None:
        """Have `act` called if the process is about to leave without waiting for the run. It must be quick."""
        self._last_acts.append(act)

    def leave_now(self) -> None:
        """Do what has to be done before the process leaves without waiting for the run."""
        for act in self._last_acts:
            act()

    async def wait(self) -> None:
        """Wait until asked."""
        await self._event.wait()

    def as_error(self, hint: str) -> Interrupted:
        """The error with which a stopped run ends."""
        return Interrupted("stopped by a signal", signal_number=self._signal_number, hint=hint)

    async def ends(self, work: Coroutine[Any, Any, T], *, hint: str) -> T:
        """Run `work`; when asked to stop, cancel it, wait until it has ended, and raise `Interrupted` with `hint`."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._event.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise self.as_error(hint)
            return working.result()
        finally:
            await cancel_all((working, stopping))
