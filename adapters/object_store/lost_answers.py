"""Ends waits for answers of obstore that are lost: it hands them over on threads of its own, and that takes memory.

Two things happen when there is none, and the future that stands for the answer stays as it is for ever:

- A thread cannot schedule the result on the event loop, since a frame of Python takes new memory there, and prints what
  stopped it. `PyErr_Print` leaves the exception in `sys.last_value` before anything else, without memory; a hook in Python
  would need what is missing.
- The thread that is to hand over the result cannot be started, and tokio keeps it for a later one, without a word. So
  obstore is asked for something it has at hand: with that answer comes whatever was kept, or none will come.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

import obstore
from obstore.store import MemoryStore

from s3duct.domain.errors import LocalResourceError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

T = TypeVar("T")
P_co = TypeVar("P_co", covariant=True)

_LOOK_S = 1.0
# Looks, not seconds: a process that was stopped, or a machine that slept, has missed nothing.
_GRACE_LOOKS = 8
_PROBE = "probe"


async def answered(answer: Awaitable[T]) -> T:
    """Wait for a future of obstore, but not for ever if memory has run out on the thread that was to bring its result.

    Cancelling cancels what obstore does, as without this.

    Raises:
        LocalResourceError: an answer was lost, and this one has not come within a few seconds after that.
        Exception: what the future holds.
    """
    future = cast("Future[T]", answer)  # the stubs speak of coroutines
    wait = _Wait(future)
    watch = _watch_of(asyncio.get_running_loop())
    watch.begin(wait)
    try:
        return await future
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not wait.given_up or (task is not None and task.cancelling()):
            raise
        raise LocalResourceError(
            "no memory is left: an answer of the store was lost",
            hint="lower --memory-limit, --buffer-chunks or --chunk-size",
        ) from None
    finally:
        watch.end(wait)


class _Stream(Protocol[P_co]):
    def __anext__(self) -> Awaitable[P_co]: ...


class Answers(AsyncIterator[P_co]):
    """What an asynchronous iterator of obstore gives, each item `answered`."""

    def __init__(self, stream: _Stream[P_co]) -> None:
        """Take the iterator."""
        self._stream = stream

    def __aiter__(self) -> Answers[P_co]:
        return self

    async def __anext__(self) -> P_co:
        return await answered(self._stream.__anext__())


class _Wait:
    __slots__ = ("future", "given_up", "is_old", "is_suspect")

    def __init__(self, future: Future[Any]) -> None:
        self.future = future
        self.is_old = False
        self.is_suspect = False
        self.given_up = False

    def give_up(self) -> None:
        """Cancel, so that obstore stops if it is slow rather than done: which of them is lost cannot be told."""
        self.given_up = self.future.cancel()


class _Watch:
    """The waits of one event loop, and one timer for all of them while there are any."""

    def __init__(self) -> None:
        self._waits: set[_Wait] = set()
        self._losses = 0
        self._is_looking = False
        # Suspects are given up after as many looks, unless one of the probes is answered before that.
        self._looks_left = 0
        self._probes: list[Future[Any]] = []
        self._at_hand = MemoryStore()
        obstore.put(self._at_hand, _PROBE, b"")

    def begin(self, wait: _Wait) -> None:
        if not self._is_looking:
            self._losses = _losses()
            self._look_later()
        self._waits.add(wait)

    def end(self, wait: _Wait) -> None:
        self._waits.discard(wait)

    def _look_later(self) -> None:
        self._is_looking = False
        asyncio.get_running_loop().call_later(_LOOK_S, self._look)
        self._is_looking = True

    def _look(self) -> None:
        if not self._waits:
            self._is_looking = False
            self._looks_left = 0
            self._probes.clear()
            return
        try:
            self._look_later()
            self._judge()
        except MemoryError:  # nobody would look again
            self._give_up(self._waits)

    def _judge(self) -> None:
        losses = _losses()
        if losses != self._losses:
            self._losses = losses
            self._probes.clear()  # what is lost stays lost, whatever is answered after it
            self._suspect()
        elif self._looks_left:
            self._looks_left -= 1
            if any(map(_is_answered, self._probes)):
                self._probes.clear()
                self._looks_left = 0
            elif not self._looks_left:
                self._give_up(wait for wait in self._waits if wait.is_suspect)
            elif self._probes:
                self._ask()  # again: each tries to start the thread that answers all of them
        elif any(wait.is_old for wait in self._waits):
            self._ask()
            self._suspect()
        for wait in self._waits:
            wait.is_old = True

    def _ask(self) -> None:
        probe = obstore.head_async(self._at_hand, _PROBE)
        self._probes.append(cast("Future[Any]", probe))

    def _suspect(self) -> None:
        self._looks_left = self._looks_left or _GRACE_LOOKS
        for wait in self._waits:
            wait.is_suspect = True

    def _give_up(self, waits: Iterable[_Wait]) -> None:
        for wait in waits:  # those who wait go on after this, not during it
            wait.give_up()


def _is_answered(probe: Future[Any]) -> bool:
    return probe.done() and not probe.cancelled() and probe.exception() is None


_watches: WeakKeyDictionary[AbstractEventLoop, _Watch] = WeakKeyDictionary()
_seen = 0


def _watch_of(loop: AbstractEventLoop) -> _Watch:
    watch = _watches.get(loop)
    if watch is None:
        # Now, since a new entry may take memory then.
        sys.__dict__.setdefault("last_value", None)
        watch = _watches[loop] = _Watch()
    return watch


def _losses() -> int:
    """How often threads have been found to have run out of memory, in this process so far."""
    global _seen  # noqa: PLW0603 - as many as there are interpreters
    if isinstance(sys.last_value, MemoryError):
        # Not kept to be compared with: when memory is short, Python raises the very same object again.
        sys.last_value = None
        _seen += 1
    return _seen
