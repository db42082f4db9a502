"""Runs tests on an event loop that hides nothing: what a run leaves behind or fails to look at fails the test."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from s3duct.domain.errors import S3ductError

P = ParamSpec("P")
T = TypeVar("T")

# What was cancelled gets its turn to end in so many rounds of the loop.
_LAST_ROUNDS = 20
_JOIN_S = 10.0
# No test takes nearly as long: one that hangs fails, each time that Hypothesis tries it again as well.
PATIENCE_S = 30.0


def run(main: Coroutine[Any, Any, T], *, debug: bool = True) -> T:
    """Run `main`; fail if it leaves a task pending, an exception unlooked at, or a thread of the product alive."""
    complaints: list[str] = []

    def complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        complaints.append(f"{context['message']}: {context.get('exception')!r}")

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(complain)
        try:
            return await asyncio.wait_for(main, PATIENCE_S)
        except BaseException as error:
            forget_frames(error)
            raise
        finally:
            for _ in range(_LAST_ROUNDS):
                await asyncio.sleep(0)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                complaints.append(f"left pending: {task!r}")

    try:
        return asyncio.run(watched(), debug=debug)
    finally:
        gc.collect()  # "never retrieved" is said by the destructor
        complaints += _threads_left()
        assert not complaints, "\n".join(complaints)


def on_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a plain test of an asynchronous one; asyncio's debug mode watches it."""
    return _plain(test, debug=True)


def on_quick_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The same without the debug mode, for tests that run many times."""
    return _plain(test, debug=False)


def _plain(test: Callable[P, Coroutine[Any, Any, None]], *, debug: bool) -> Callable[P, None]:
    @functools.wraps(test)
    def run_test(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs), debug=debug)

    return run_test


async def failure_of(work: Awaitable[object]) -> S3ductError:
    """Wait for `work` to fail with an error of the domain, and return that."""
    try:
        result = await work
    except S3ductError as error:
        forget_frames(error)
        return error
    raise AssertionError(f"it did not fail, but gave a {type(result).__name__}")


async def turns(count: int = 20) -> None:
    """Give all other tasks so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], *, turns_at_most: int = 200_000) -> None:
    """Give other tasks and threads turns until `condition` holds."""
    for _ in range(turns_at_most):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


def forget_frames(error: BaseException) -> None:
    """Drop the locals that a caught error keeps alive: a task among them could not complain at its end."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            traceback.clear_frames(current.__traceback__)
            waiting += [current.__cause__, current.__context__]


def _threads_left() -> list[str]:
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("s3duct-")]
    for thread in threads:
        thread.join(_JOIN_S)
    return [f"left running: {thread!r}" for thread in threads if thread.is_alive()]
