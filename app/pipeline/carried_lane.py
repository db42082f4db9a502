"""A digest of bytes that other work reads anyway: taken along with it, they are fetched from memory once."""

from __future__ import annotations

import asyncio

from s3duct.domain.ports.hasher import HashLane


class CarriedLane:
    """A hash lane that the first attempt at sealing a chunk takes along. Let go of, it is for its follower to go on with."""

    def __init__(self, lane: HashLane) -> None:
        """Take a lane that has taken in nothing yet."""
        self.lane = lane
        self.position = 0
        self._is_in_use = False
        self._is_wanted = False
        self._is_free = asyncio.Event()

    def begin(self, position: int) -> bool:
        """Take the lane along from `position` on, until `end`; False if it is elsewhere, or let go of."""
        if self._is_in_use or self._is_wanted or self.position != position:
            return False
        self._is_in_use = True
        return True

    def end(self) -> None:
        """The lane has taken in what is in front of `position`, which whoever takes it along moves, on any thread."""
        self._is_in_use = False
        if self._is_wanted:
            self._is_free.set()

    def let_go(self) -> None:
        """Leave the rest to the follower as soon as the lane is not in use. Idempotent."""
        self._is_wanted = True
        if not self._is_in_use:
            self._is_free.set()

    async def until_let_go(self) -> int:
        """Wait until the lane is the follower's; return where it is."""
        await self._is_free.wait()
        return self.position
