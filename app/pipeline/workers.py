"""Threads: a pool for work on the processor, and single threads for calls that may block for ever."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Hashing, sealing and opening release the interpreter lock: one thread a core, and two so that short pieces never queue
# behind long ones.
_EXTRA_THREADS = 2
# Until a result is handed over again, when there was no memory for that.
_NO_MEMORY_PAUSE_S = 0.05


class Workers:
    """A pool for short pieces of work on the processor. Use as a context manager."""

    def __init__(self, *, processors: int | None = None) -> None:
        """Start no thread yet; there are as many `processors` as the machine has, unless it is said."""
        self.processors = processors or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self.processors + _EXTRA_THREADS, thread_name_prefix="s3duct-worker")

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what has not begun; pieces that have begun end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on a thread of the pool and return what it returns.

        Cancelling waits until the function has returned: it may be writing into a buffer that is used again next.
        """
        future = asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await settled(future)
            raise


class BlockingThread:
    """A daemon thread that makes blocking calls one after another: reads of a source, writes to a sink.

    A call that never returns (a producer that hangs) holds up neither the event loop nor the end of the process, which a
    thread of a pool would.
    """

    def __init__(self, name: str) -> None:
        """Start the thread."""
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name=f"s3duct-{name}", daemon=True).start()

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on the thread. Cancelling gives up waiting; the call itself goes on until it returns."""
        return await self.submit(lambda: function(*args, **kwargs))

    def submit(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Have `function` run on the thread after the calls made before; return the future of its result."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._calls.put(_Call(function, loop, future))
        return future

    def post(self, function: Callable[[], object]) -> None:
        """Run `function` on the thread after the calls made before; nobody hears how it ends."""

        def quietly() -> None:
            with contextlib.suppress(Exception):
                function()

        loop = asyncio.get_running_loop()
        self._calls.put(_Call(quietly, loop, loop.create_future()))

    def close(self) -> None:
        """Let the thread end after the calls made before."""
        self._calls.put(None)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call.serve()
            del call  # until the next one comes it would hold on to a buffer, which could not be used again


async def run_apart(name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one call that may take long, or wait for a human, on a `BlockingThread` of its own."""
    thread = BlockingThread(name)
    try:
        return await thread.call(function, *args, **kwargs)
    finally:
        thread.close()


async def settled(future: asyncio.Future[Any]) -> None:
    """Wait until `future` is done, whatever its outcome, and however often that wait is cancelled."""
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({future})
    if not future.cancelled():
        future.exception()


class _Call:
    def __init__(
        self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]
    ) -> None:
        self._function = function
        self._loop = loop
        self._future = future

    def serve(self) -> None:
        error: BaseException | None
        try:
            result, error = self._function(), None
        except StopIteration as raised:  # no future can carry it
            result, error = None, RuntimeError(f"unexpected StopIteration: {raised}")
        except BaseException as raised:  # noqa: BLE001 - handed over to whoever waits for the call
            result, error = None, raised
        self._hand_over(result, error)

    def _hand_over(self, result: Any, error: BaseException | None) -> None:
        while True:
            try:
                self._loop.call_soon_threadsafe(self._deliver, result, error)
            except MemoryError:  # lost, it would be waited for for ever
                time.sleep(_NO_MEMORY_PAUSE_S)
            except RuntimeError:  # the loop has ended: nobody waits any more
                return
            else:
                return

    def _deliver(self, result: Any, error: BaseException | None) -> None:
        if self._future.done():
            return
        if error is None:
            self._future.set_result(result)
        else:
            self._future.set_exception(error)
