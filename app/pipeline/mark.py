"""A mark that moves forward over a buffer, and the lanes that follow it."""

from __future__ import annotations

import asyncio


class Mark:
    """How far a buffer is ready. One writer moves it, any number of lanes wait for it; all on one event loop."""

    def __init__(self, position: int = 0) -> None:
        """Begin at an offset into the buffer."""
        self.position = position
        self.complete = False
        self._failure: BaseException | None = None
        self._moved = asyncio.Event()

    def advance_to(self, position: int) -> None:
        """Move forward; waiting lanes go on."""
        self.position = position
        self._wake()

    def finish(self) -> None:
        """Say that nothing more will come."""
        self.complete = True
        self._wake()

    def fail(self, failure: BaseException) -> None:
        """Make every lane that waits, or will wait, raise `failure`."""
        self._failure = failure
        self._wake()

    async def completion(self) -> None:
        """Wait until nothing more will come."""
        while not self.complete:
            await self.beyond(self.position)

    async def beyond(self, position: int) -> int:
        """Wait until the mark is beyond `position` or complete; return where it is. Equal to `position`: it is the end."""
        return await self.reaches(position + 1)

    async def reaches(self, position: int) -> int:
        """Wait until the mark is at `position` at least, or complete; return where it is."""
        while self._failure is None and self.position < position and not self.complete:
            await self._moved.wait()
        if self._failure is not None:
            raise self._failure
        return self.position

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
