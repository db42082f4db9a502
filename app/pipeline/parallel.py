"""Coroutines side by side, with one rule: the first error ends all of them and is raised as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def side_by_side(first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """Run both at once and return both results; if one fails, cancel the other and wait for it."""
    tasks = asyncio.ensure_future(first), asyncio.ensure_future(second)
    await _all_done(tasks)
    return tasks[0].result(), tasks[1].result()


async def for_each(items: Iterable[A], work: Callable[[A], Awaitable[None]], *, at_once: int) -> None:
    """Run `work` over every item, at most `at_once` at a time; if one fails, cancel the others and wait for them."""
    waiting = iter(items)

    async def take_turns() -> None:
        for item in waiting:
            await work(item)

    await _all_done([asyncio.ensure_future(take_turns()) for _ in range(at_once)])


async def _all_done(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Wait for all; at the first error cancel the others, wait for them, and raise it.

    `gather` would lose a cancellation that comes when a task has failed and it has not heard of that yet.
    """
    pending: Collection[asyncio.Future[Any]] = tasks
    try:
        while pending:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
    except BaseException:
        await cancel_all(tasks)
        raise


async def cancel_all(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what still runs and wait until all have ended, however they end."""
    running = list(tasks)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
