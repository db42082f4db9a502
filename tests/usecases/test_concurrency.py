"""Suspicions about tasks, threads and buffers, each with the test that would show it.

All of them run under `loop.run`, which fails on tasks left pending, exceptions never looked at, and threads left alive.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.adapters.pipe_ends import DescriptorSink
from s3duct.app.pipeline import download
from s3duct.app.pipeline.workers import BlockingThread, Workers
from s3duct.domain.errors import (
    Interrupted,
    LocalResourceError,
    SourceError,
    StoreError,
    StoreUnavailable,
)
from s3duct.domain.ports.cipher import Cipher, Opener
from s3duct.domain.ports.object_store import Bytes, StoredObject
from s3duct.domain.sizes import MIB
from tests.fakes.hooked_store import HookedStore, Operation, Phase
from tests.fakes.hooks import fails_for, refused
from tests.fakes.pipe import FailingSource, FakeSource, HangingSink, HangingSource
from tests.fakes.strict_memory import StrictChunkMemory
from tests.usecases.loop import failure_of, on_loop, run, turns, until
from tests.usecases.world import CHUNK, KEY, PLAIN_KEYS, World, aes, content

DATA = content(6 * CHUNK)
SOON_S = 15

pytestmark = pytest.mark.usefixtures("by_lanes")


async def cancelled(task: asyncio.Task[object], *, times: int = 1) -> None:
    """Cancel, perhaps again and again, and see that the task ends soon, as cancelled."""
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, SOON_S)


# --- errors in the same moment ------------------------------------------------------------------------------


class FailingInTheMomentOf(FakeSource):
    """Fails behind `size` bytes, in the same turn of the event loop in which `event` happens."""

    def __init__(self, size: int, event: Callable[[], object]) -> None:
        super().__init__(DATA[:size], reads=[CHUNK // 2])
        self._loop = asyncio.get_running_loop()
        self._event = event
        self._fails = threading.Event()

    def read_into(self, view: memoryview) -> int:
        size = super().read_into(view)
        if not size:
            self._loop.call_soon_threadsafe(self._happen)
            self._fails.set()
            raise SourceError("torn")
        return size

    def _happen(self) -> None:
        """Hold the loop up until the source has failed, so that it learns of both at once."""
        assert self._fails.wait(SOON_S)
        self._event()


@on_loop
async def test_a_source_that_fails_in_the_moment_of_a_stop() -> None:
    for size in (0, CHUNK // 2, CHUNK, 2 * CHUNK + 1) * 3:
        world = World()
        source = FailingInTheMomentOf(size, partial(world.stop.set, signal.SIGINT))
        error = await failure_of(world.put(source))
        assert isinstance(error, Interrupted | SourceError)


@on_loop
async def test_a_source_that_fails_in_the_moment_of_a_failing_upload() -> None:
    for size in (CHUNK, 2 * CHUNK, 2 * CHUNK + 1) * 3:
        world = World()
        failing = asyncio.Event()

        async def hook(operation: Operation, phase: Phase, failing: asyncio.Event = failing) -> None:
            if operation.writes and phase is Phase.BEFORE:
                await failing.wait()
                raise refused()

        world.store.hooks.append(hook)
        source = FailingInTheMomentOf(size, failing.set)
        assert isinstance(await failure_of(world.put(source)), StoreError | SourceError)


@on_loop
async def test_all_chunks_fail_at_once() -> None:
    world = World()
    gate = asyncio.Event()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.writes and phase is Phase.BEFORE:
            await gate.wait()
            raise refused()

    world.store.hooks.append(hook)
    putting = asyncio.ensure_future(world.put(DATA))
    await until(lambda: sum(world.store.writes.values()) == 6)
    gate.set()
    await failure_of(putting)


@on_loop
async def test_all_downloads_fail_at_once() -> None:
    world = World()
    await world.put(DATA)
    gate = asyncio.Event()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.key in PLAIN_KEYS and phase is Phase.MIDWAY:
            await gate.wait()
            raise refused()

    world.store.hooks.append(hook)
    for run_now in (world.get(), world.verify(deep=True)):
        gate.clear()
        before = len(world.store.keys("get"))
        running: asyncio.Future[object] = asyncio.ensure_future(run_now)
        await until(lambda before=before: len(world.store.keys("get")) == before + 7)  # type: ignore[misc]
        gate.set()
        await failure_of(running)


# --- errors that are not of the domain ----------------------------------------------------------------------


@pytest.mark.parametrize("error", [StopIteration("x"), ZeroDivisionError("x"), StopAsyncIteration("x")])
@pytest.mark.parametrize("size", [0, CHUNK + 3])
@on_loop
async def test_a_source_with_a_bug_of_its_own_ends_the_put(size: int, error: Exception) -> None:
    """No future can carry a StopIteration: it must not vanish in a callback and leave the put hanging."""
    world = World()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it becomes
        await asyncio.wait_for(world.put(FailingSource(DATA[:size], error)), SOON_S)
    assert not isinstance(caught.value, TimeoutError)
    assert await world.manifest() is None
    assert not world.journals.held


@pytest.mark.parametrize("error", [StopIteration("x"), ZeroDivisionError("x")])
@on_loop
async def test_a_sink_with_a_bug_of_its_own_ends_the_get(error: Exception) -> None:
    world = World()
    await world.put(DATA)

    class Buggy:
        def write_all(self, view: memoryview) -> None:
            raise error

    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it becomes
        await asyncio.wait_for(world.get(sink=Buggy()), SOON_S)
    assert not isinstance(caught.value, TimeoutError)


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), asyncio.CancelledError()])
@pytest.mark.parametrize("key", [PLAIN_KEYS[0], PLAIN_KEYS[3], PLAIN_KEYS[5]])
@on_loop
async def test_a_store_with_a_bug_of_its_own_never_makes_a_stream(key: str, error: BaseException) -> None:
    """Not even one that lets a cancellation of its own escape: a chunk that just is not there must not be left out."""
    world = World()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.key == key and phase is Phase.BEFORE:
            raise error

    world.store.hooks.append(hook)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever it becomes
        await asyncio.wait_for(world.put(DATA), SOON_S)
    assert not isinstance(caught.value, TimeoutError)
    assert await world.manifest() is None
    assert not world.journals.held


# --- cancellation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2, 5])
@on_loop
async def test_a_put_that_is_cancelled_while_it_uploads(times: int) -> None:
    world = World()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.writes and phase is Phase.BEFORE:
            await asyncio.Event().wait()

    world.store.hooks.append(hook)
    putting = asyncio.ensure_future(world.put(DATA))
    await until(lambda: sum(world.store.writes.values()) == 6)
    await cancelled(putting, times=times)
    await until(lambda: not world.journals.held)
    assert await world.manifest() is None


@pytest.mark.parametrize("times", [1, 3])
def test_a_put_that_is_cancelled_in_the_middle_of_parts_leaves_no_object(times: int) -> None:
    async def scenario() -> None:
        world = World(chunk_bytes=20 * MIB, cipher=aes())
        source = HangingSource(content(13 * MIB))
        putting = asyncio.ensure_future(world.put(source))
        await until(source.hangs.is_set)
        await until(lambda: world.store.keys("put_parts") == [PLAIN_KEYS[0]])
        await cancelled(putting, times=times)
        source.release.set()
        await until(lambda: not world.journals.held)
        await turns()
        assert await world.objects() == {}

    run(scenario(), debug=False)


@pytest.mark.parametrize("cipher", [None, aes()], ids=["plain", "aes"])
@pytest.mark.parametrize("chunk_bytes", [CHUNK, 20 * MIB], ids=["one request", "parts"])
def test_a_store_that_cancels_an_upload_unasked_fails_the_put(
    chunk_bytes: int, cipher: Cipher | None
) -> None:
    async def scenario() -> None:
        world = World(chunk_bytes=chunk_bytes, cipher=cipher, max_chunks=2)

        async def hook(operation: Operation, phase: Phase) -> None:
            if operation.writes and "/chunk-" in operation.key and phase is Phase.BEFORE:
                raise asyncio.CancelledError

        world.store.hooks.append(hook)
        error = await failure_of(
            asyncio.wait_for(world.put(content(5 * chunk_bytes // 4 + 4 * CHUNK)), SOON_S)
        )
        assert type(error) is StoreError
        assert await world.manifest() is None

    run(scenario(), debug=False)


@pytest.mark.parametrize("times", [1, 2])
@on_loop
async def test_a_put_that_is_cancelled_while_the_source_hangs(times: int) -> None:
    world = World()
    source = HangingSource(DATA[: CHUNK + 7])
    putting = asyncio.ensure_future(world.put(source))
    await until(source.hangs.is_set)
    await cancelled(putting, times=times)
    source.release.set()
    await until(lambda: not world.journals.held)


@pytest.mark.parametrize("call", ["open", "read", "start", "append", "discard"])
@pytest.mark.parametrize("times", [1, 2])
@on_loop
async def test_a_put_that_is_cancelled_while_the_disk_is_slow_lets_go_of_its_journal(
    call: str, times: int
) -> None:
    """The call goes on in its thread; what it takes hold of must be let go of, or no later put gets it."""
    world = World()
    busy, release = threading.Event(), threading.Event()

    def slow(method: str) -> None:
        if method == call:
            busy.set()
            assert release.wait(SOON_S)

    world.journals.on_call = slow
    putting = asyncio.ensure_future(world.put(DATA))
    await until(busy.is_set)
    for _ in range(times):
        putting.cancel()
        await turns(3)
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(putting, SOON_S)
    await until(lambda: not world.journals.held)
    world.journals.on_call = lambda method: None
    if call == "discard":
        assert await world.restored() == DATA
    else:
        await world.put(DATA)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("deep", [None, False, True])
@on_loop
async def test_a_read_that_is_cancelled_while_it_downloads(deep: bool | None, times: int) -> None:
    world = World(cipher=aes())
    await world.put(DATA)
    waiting = 0

    async def hook(operation: Operation, phase: Phase) -> None:
        nonlocal waiting
        if operation.key in PLAIN_KEYS and phase is (Phase.BEFORE if deep is False else Phase.MIDWAY):
            waiting += 1
            await asyncio.Event().wait()

    world.store.hooks.append(hook)
    running: asyncio.Task[object] = asyncio.ensure_future(
        world.get() if deep is None else world.verify(deep=deep)
    )
    await until(lambda: waiting == 6)
    await cancelled(running, times=times)
    assert world.sink.data == b""


@pytest.mark.parametrize("stop", [False, True])
@on_loop
async def test_a_get_that_ends_while_the_consumer_is_busy(stop: bool) -> None:
    """The consumer still holds the buffer: nobody may take that for an error, or hide the end behind it."""
    world = World()
    await world.put(DATA)
    sink = HangingSink()
    getting = asyncio.ensure_future(world.get(sink=sink))
    await until(sink.hangs.is_set)
    if stop:
        world.stop.set(signal.SIGINT)
        assert isinstance(await failure_of(asyncio.wait_for(getting, SOON_S)), Interrupted)
    else:
        await cancelled(getting)
    sink.release.set()
    await turns()


def test_a_get_that_is_stopped_while_a_real_pipe_is_full() -> None:
    async def scenario() -> None:
        world = World(chunk_bytes=MIB)
        await world.put(content(2 * MIB))
        reading, writing = os.pipe()
        try:
            getting = asyncio.ensure_future(world.get(sink=DescriptorSink(writing)))
            await until(lambda: bool(select.select([reading], [], [], 0)[0]))
            first = os.read(reading, 10)
            world.stop.set(signal.SIGINT)
            assert isinstance(await failure_of(asyncio.wait_for(getting, SOON_S)), Interrupted)
            assert first == content(2 * MIB)[:10]
        finally:
            os.close(reading)
            # The write that hangs ends with that; its thread must have seen it before the descriptor is reused.
            for thread in threading.enumerate():
                if thread.name == "s3duct-sink":
                    thread.join(SOON_S)
            os.close(writing)

    run(scenario())


# --- buffers ------------------------------------------------------------------------------------------------


class GatedOpener:
    """Stays inside its first `advance` until it is let go, as a thread that does not get the processor would."""

    def __init__(self, inner: Opener, owner: GatedCipher) -> None:
        self._inner = inner
        self._owner = owner

    @property
    def start(self) -> int:
        return self._inner.start

    def advance(self, buffer: memoryview, filled: int) -> int:
        if not self._owner.entered.is_set():
            self._owner.entered.set()
            # Long enough for the event loop to do what it must not do: the loop says so by `go_on`.
            self._owner.go_on.wait(0.3)
            done = self._inner.advance(buffer, filled)
            self._owner.left.set()
            return done
        return self._inner.advance(buffer, filled)

    def finish(self, buffer: memoryview, filled: int) -> int:
        return self._inner.finish(buffer, filled)


class GatedCipher(AesGcmCipher):
    """AES whose first message takes its time to be opened."""

    def __init__(self) -> None:
        super().__init__(KEY)
        self.entered = threading.Event()
        self.left = threading.Event()
        self.go_on = threading.Event()

    def opener(self) -> Opener:
        return GatedOpener(super().opener(), self)


@pytest.mark.parametrize("deep", [None, True])
@on_loop
async def test_a_second_attempt_waits_until_the_first_one_is_out_of_the_buffer(
    deep: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening works in place, on a thread that cancelling does not stop: it would decrypt what arrives next."""
    monkeypatch.setattr(download, "PIECE_BYTES", 100)
    writer = World(cipher=aes())
    await writer.put(content(CHUNK))
    cipher = GatedCipher()
    world = writer.elsewhere(cipher=cipher)
    early = False

    async def hook(operation: Operation, phase: Phase) -> None:
        nonlocal early
        if operation.key != PLAIN_KEYS[0]:
            return
        attempt = world.store.keys("get").count(PLAIN_KEYS[0])
        if attempt == 1 and phase is Phase.MIDWAY:
            await until(cipher.entered.is_set)
            raise StoreUnavailable("broken off")
        if attempt == 2 and phase is Phase.BEFORE:
            early = not cipher.left.is_set()
            cipher.go_on.set()

    world.store.hooks.append(hook)
    if deep is None:
        assert await world.restored() == content(CHUNK)
    else:
        assert (await world.verify(deep=True)).ok
    assert not early


@on_loop
async def test_a_worker_that_is_cancelled_has_left_when_the_wait_is_over() -> None:
    entered, go_on, left = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        entered.set()
        go_on.wait(0.2)
        left.set()

    with Workers() as workers:
        working = asyncio.ensure_future(workers.run(work))
        await until(entered.is_set)
        await cancelled(working, times=3)
        assert left.is_set()


@on_loop
async def test_a_blocking_thread_serves_calls_in_turn_and_ends() -> None:
    thread = BlockingThread("test")
    order: list[int] = []
    calls = [asyncio.ensure_future(thread.call(order.append, number)) for number in range(20)]
    await turns(1)
    calls[3].cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert order == list(range(20))
    thread.close()


@on_loop
async def test_no_region_is_used_after_it_was_given_back() -> None:
    """The fake wipes regions; whoever still reads one would store or give out garbage."""
    world = World(cipher=aes(), max_chunks=2)
    world.store.hooks.append(fails_for(lambda op: op.writes and op.number % 3 == 0, times=4))
    data = content(9 * CHUNK + 1)
    await world.put(data)
    assert not world.memory.out
    assert await world.restored() == data
    assert not world.memory.out


@pytest.mark.parametrize("refused_at", range(1, 8))
@on_loop
async def test_memory_that_runs_out_for_a_moment_only_slows_a_put_down(refused_at: int) -> None:
    world = World()
    world.memory = StrictChunkMemory(refused=frozenset({refused_at}))
    try:
        await world.put(DATA)
    except LocalResourceError:
        assert refused_at == 1  # nothing was in flight that could have given room
        world = world.restarted()
        await world.put(DATA)
    assert await world.restored() == DATA


class OneAtATime(HookedStore):
    """Fails the test when a key is written twice at once."""

    busy: set[str]

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        assert key not in self.busy
        self.busy.add(key)
        try:
            return await super().put(key, data, create_only=create_only, storage_class=storage_class)
        finally:
            self.busy.discard(key)

    async def put_parts(
        self, key: str, parts: AsyncIterator[Bytes], *, part_bytes: int, storage_class: str | None = None
    ) -> StoredObject:
        assert key not in self.busy
        self.busy.add(key)
        try:
            return await super().put_parts(key, parts, part_bytes=part_bytes, storage_class=storage_class)
        finally:
            self.busy.discard(key)


@on_loop
async def test_an_attempt_has_ended_before_the_next_one_begins() -> None:
    world = World(cipher=aes())
    world.store = OneAtATime(world.bucket, fails_for(lambda operation: operation.writes, times=7))
    world.store.busy = set()
    await world.put(DATA)
    assert await world.restored() == DATA
