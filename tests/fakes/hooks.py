"""Hooks for `HookedStore`: what goes wrong, where, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from s3duct.domain.errors import S3ductError, StoreError, StoreUnavailable
from tests.fakes.hooked_store import Hook, Operation, Phase

ErrorFactory = Callable[[], S3ductError]


def unavailable() -> S3ductError:
    """A failure that a retry may mend."""
    return StoreUnavailable("the store is not available (a fault of the test)")


def refused() -> S3ductError:
    """A failure that no retry mends."""
    return StoreError("the store refuses (a fault of the test)")


def on_key(key: str) -> Callable[[Operation], bool]:
    """Match the operations on one key."""
    return lambda operation: operation.key == key


def fails_at(number: int, phase: Phase, error: ErrorFactory) -> Hook:
    """Fail the operation with that number, in that phase."""

    async def hook(operation: Operation, now: Phase) -> None:
        if operation.number == number and now is phase:
            raise error()

    return hook


def fails_for(
    matches: Callable[[Operation], bool],
    *,
    error: ErrorFactory = unavailable,
    phase: Phase = Phase.BEFORE,
    times: int = 1 << 30,
) -> Hook:
    """Fail the first `times` operations that match, in that phase."""
    left = times

    async def hook(operation: Operation, now: Phase) -> None:
        nonlocal left
        if now is phase and left and matches(operation):
            left -= 1
            raise error()

    return hook


class Crash:
    """A hook: from the operation with that number on, in that phase, nothing ever returns. `happened` is set then."""

    def __init__(self, number: int, phase: Phase) -> None:
        """Choose the moment."""
        self._number = number
        self._phase = phase
        self.happened = asyncio.Event()

    async def __call__(self, operation: Operation, phase: Phase) -> None:
        """Hang if it is time, or past it."""
        if operation.number == self._number and phase is self._phase:
            self.happened.set()
        if self.happened.is_set():
            await asyncio.Event().wait()
