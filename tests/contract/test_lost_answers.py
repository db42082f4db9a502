"""An answer of obstore that gets lost for lack of memory ends the wait for it; nothing else does."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextvars import Context
from enum import Enum, auto
from typing import Any, TypeVarTuple

import pytest

from s3duct.adapters.object_store import lost_answers
from s3duct.adapters.object_store.lost_answers import answered
from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.domain.errors import LocalResourceError
from s3duct.domain.ports.object_store import Bytes, ObjectStore
from tests.contract.object_stores import PART_BYTES, keys_under, read_all

Ts = TypeVarTuple("Ts")

KEY = "the/key"
LOOK_S = 0.01
FOREVER_S = 20.0


class Loses(Enum):
    """What becomes of what threads that are not Python's own bring."""

    NOTHING = auto()
    LOUDLY = auto()  # no memory for a frame of the interpreter
    SILENTLY = auto()  # no memory for the thread: it is kept until there is a thread for what comes next


class ForgetfulLoop(asyncio.SelectorEventLoop):
    """Loses answers of obstore, as it is told."""

    loses = Loses.NOTHING

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Callable[[], object]] = []
        self.has_kept = threading.Event()

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule it, or not."""

        def schedule() -> asyncio.Handle:
            return super(ForgetfulLoop, self).call_soon_threadsafe(callback, *args, context=context)

        # Without a context come results; what obstore asks of iterators in Python has one.
        if not threading.current_thread().name.startswith("Dummy") or context is not None:
            return schedule()
        if self.loses is Loses.LOUDLY:
            raise MemoryError
        if self.loses is Loses.SILENTLY:
            self.kept.append(schedule)
            self.has_kept.set()
            return asyncio.Handle(callback, args, self)
        for one in self.kept:
            one()
        self.kept.clear()
        return schedule()


async def ending(loop: ForgetfulLoop) -> AsyncIterator[Bytes]:
    yield b"x"
    loop.loses = Loses.LOUDLY


CALLS: dict[str, Callable[[ObjectStore], Coroutine[Any, Any, object]]] = {
    "put": lambda store: store.put(KEY, b"x"),
    "create": lambda store: store.put("another", b"x", create_only=True),
    "get": lambda store: read_all(store, KEY),
    "head": lambda store: store.head(KEY),
    "list": lambda store: keys_under(store, "the/"),
    "delete": lambda store: store.delete(KEY),
}


@pytest.fixture(autouse=True)
def looks_come_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_answers, "_LOOK_S", LOOK_S)


def on_forgetful_loop(scenario: Callable[[ForgetfulLoop], Coroutine[Any, Any, None]]) -> None:
    loop = ForgetfulLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(asyncio.wait_for(scenario(loop), FOREVER_S))


@pytest.mark.parametrize("how", [Loses.LOUDLY, Loses.SILENTLY], ids=lambda how: how.name.lower())
@pytest.mark.parametrize("call", CALLS)
def test_an_operation_whose_answer_is_lost_ends(call: str, how: Loses) -> None:
    async def scenario(loop: ForgetfulLoop) -> None:
        store = MemoryObjectStore()
        await store.put(KEY, b"x")
        loop.loses = how
        with pytest.raises(LocalResourceError, match="no memory") as raised:
            await CALLS[call](store)
        assert "--memory-limit" in raised.value.hint
        loop.loses = Loses.NOTHING
        assert (await store.put("after", b"x")).size_bytes == 1

    on_forgetful_loop(scenario)


def test_an_answer_that_is_only_kept_comes_when_there_is_memory_again() -> None:
    async def scenario(loop: ForgetfulLoop) -> None:
        store = MemoryObjectStore()
        await store.put(KEY, b"x")
        loop.loses = Loses.SILENTLY
        waiting = asyncio.ensure_future(store.head(KEY))
        await asyncio.to_thread(loop.has_kept.wait, FOREVER_S)
        loop.loses = Loses.NOTHING
        # Nobody but the watch asks obstore for anything now.
        assert (await waiting).size_bytes == 1

    on_forgetful_loop(scenario)


def test_an_upload_in_parts_whose_end_is_lost_ends() -> None:
    async def scenario(loop: ForgetfulLoop) -> None:
        with pytest.raises(LocalResourceError, match="no memory"):
            await MemoryObjectStore().put_parts(KEY, ending(loop), part_bytes=PART_BYTES)

    on_forgetful_loop(scenario)


def test_an_answer_that_takes_its_time_is_waited_for() -> None:
    async def scenario(loop: ForgetfulLoop) -> None:
        future: asyncio.Future[int] = loop.create_future()
        waiting = asyncio.ensure_future(answered(future))
        await asyncio.sleep(LOOK_S * 100)
        assert not waiting.done()
        future.set_result(7)
        assert await waiting == 7

    on_forgetful_loop(scenario)


def test_what_begins_after_a_loss_is_waited_for() -> None:
    async def scenario(loop: ForgetfulLoop) -> None:
        lost, later = loop.create_future(), loop.create_future()
        waiting = asyncio.ensure_future(answered(lost))
        await asyncio.sleep(0)
        sys.last_value = MemoryError()
        await asyncio.sleep(LOOK_S * 3)
        waiting_later = asyncio.ensure_future(answered(later))
        with pytest.raises(LocalResourceError):
            await waiting
        await asyncio.sleep(LOOK_S * 30)
        later.set_result(7)
        assert await waiting_later == 7

    on_forgetful_loop(scenario)


def test_cancelling_cancels_what_is_waited_for() -> None:
    async def scenario(loop: ForgetfulLoop) -> None:
        future: asyncio.Future[int] = loop.create_future()
        waiting = asyncio.ensure_future(answered(future))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert future.cancelled()

    on_forgetful_loop(scenario)
