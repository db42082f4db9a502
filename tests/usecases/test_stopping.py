"""A request to stop: the run ends soon, says so, and keeps what is whole."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from s3duct.domain.errors import Interrupted
from s3duct.domain.events import BackpressureStarted, ChunkFinished, Event, RetryScheduled
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for
from tests.fakes.pipe import HangingSink, HangingSource
from tests.usecases.loop import failure_of, on_loop, turns, until
from tests.usecases.world import CHUNK, PLAIN_KEYS, World, content

DATA = content(6 * CHUNK)


async def stopped(run: asyncio.Future[Any]) -> Interrupted:
    """Wait for the run to end as interrupted."""
    error = await failure_of(asyncio.wait_for(run, 15))
    assert isinstance(error, Interrupted)
    assert error.signal_number == signal.SIGTERM
    return error


@pytest.mark.parametrize("read", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1, 3 * CHUNK])
@on_loop
async def test_a_put_that_is_stopped_keeps_whole_chunks(read: int) -> None:
    world = World()
    source = HangingSource(DATA[:read])
    putting = asyncio.ensure_future(world.put(source))
    await until(source.hangs.is_set)
    world.stop.set(signal.SIGTERM)
    await stopped(putting)
    source.release.set()
    assert sorted(world.journals.recorded()) == list(range(read // CHUNK))
    assert not world.journals.held
    assert await world.manifest() is None
    again = world.restarted()
    assert (await again.put(DATA)).chunks_resumed == read // CHUNK
    assert await again.restored() == DATA


@on_loop
async def test_a_put_that_is_stopped_while_it_waits_for_room() -> None:
    world = World(max_chunks=2)
    gate = asyncio.Event()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.writes and phase is Phase.BEFORE:
            await gate.wait()

    world.store.hooks.append(hook)
    putting = asyncio.ensure_future(world.put(DATA))
    await until(lambda: bool(world.heard(BackpressureStarted)))
    world.stop.set(signal.SIGTERM)
    await turns()
    gate.set()
    await stopped(putting)
    assert sorted(world.journals.recorded()) == [0, 1]


@on_loop
async def test_a_put_that_is_stopped_before_it_begins() -> None:
    world = World()
    world.stop.set(signal.SIGTERM)
    error = await failure_of(world.put(DATA))
    assert isinstance(error, Interrupted)
    assert await world.manifest() is None
    assert not world.journals.held


@on_loop
async def test_the_first_signal_counts() -> None:
    world = World()
    world.stop.set(signal.SIGTERM)
    world.stop.set(signal.SIGINT)
    error = await failure_of(world.put(DATA))
    assert isinstance(error, Interrupted)
    assert error.signal_number == signal.SIGTERM


@pytest.mark.parametrize("operation", ["head", "list", "manifest"])
@on_loop
async def test_a_put_that_waits_for_the_store_stops_soon(operation: str) -> None:
    """Not only when its patience with the store has ended, up to a quarter of an hour later."""
    world = World()

    def hit(called: Operation) -> bool:
        if operation == "manifest":
            return called.writes and called.key == world.location.manifest_key
        return called.method == operation

    world.store.hooks.append(fails_for(hit))

    def stop_at_once(event: Event) -> None:
        if isinstance(event, RetryScheduled):
            world.stop.set(signal.SIGTERM)

    world.reactions.append(stop_at_once)
    error = await failure_of(world.put(DATA))
    assert isinstance(error, Interrupted)
    assert len(world.heard(RetryScheduled)) < 5


@on_loop
async def test_a_get_that_is_stopped_writes_no_more() -> None:
    world = World()
    await world.put(DATA)
    sink = HangingSink()
    getting = asyncio.ensure_future(world.get(sink=sink))
    await until(sink.hangs.is_set)
    world.stop.set(signal.SIGTERM)
    await stopped(getting)
    sink.release.set()
    await turns()
    assert len(sink.data) <= CHUNK


@on_loop
async def test_a_get_that_is_stopped_while_it_downloads() -> None:
    world = World()
    await world.put(DATA)

    async def hook(operation: Operation, phase: Phase) -> None:
        if phase is Phase.MIDWAY and operation.key == PLAIN_KEYS[2]:
            world.stop.set(signal.SIGTERM)
            await asyncio.Event().wait()

    world.store.hooks.append(hook)
    assert isinstance(await failure_of(world.get()), Interrupted)
    assert world.sink.data == DATA[: len(world.sink.data)]
    assert len(world.sink.data) <= 2 * CHUNK


@on_loop
async def test_a_get_that_is_stopped_before_it_begins() -> None:
    world = World()
    await world.put(DATA)
    world.stop.set(signal.SIGTERM)
    assert isinstance(await failure_of(world.get()), Interrupted)
    assert len(world.heard(ChunkFinished)) == 6  # those of the put
    assert world.sink.data == b""
