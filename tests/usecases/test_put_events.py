"""What a put reports, and how much it has in flight."""

from __future__ import annotations

import asyncio

import pytest

from s3duct.domain.events import (
    BackpressureStarted,
    BytesMoved,
    ChunkFinished,
    ChunkStarted,
    ResumeStarted,
    TransferStarted,
)
from s3duct.domain.sizes import KIB
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.pipe import FakeSource
from tests.usecases.loop import on_loop, turns, until
from tests.usecases.world import CHUNK, World, content


@on_loop
async def test_events_begin_and_add_up() -> None:
    world = World()
    size = 5 * CHUNK + 3
    summary = await world.put(FakeSource(content(size), reads=[100, 7]))
    assert isinstance(world.events[0], TransferStarted)
    assert len(world.heard(TransferStarted)) == 1
    assert [event.index for event in world.heard(ChunkStarted)] == list(range(6))
    assert sum(event.size_bytes for event in world.heard(BytesMoved)) == size
    finished = world.heard(ChunkFinished)
    assert sorted(event.index for event in finished) == list(range(6))
    assert sum(event.size_bytes for event in finished) == size
    assert not any(event.resumed for event in finished)
    assert not world.heard(ResumeStarted)
    assert summary.chunks_resumed == 0
    for index in range(6):
        started = world.events.index(ChunkStarted(index))
        assert started < next(
            at
            for at, event in enumerate(world.events)
            if isinstance(event, ChunkFinished) and event.index == index
        )


@on_loop
async def test_a_resumed_put_says_which_chunks_were_there() -> None:
    world = World()
    data = content(5 * CHUNK + 3)
    await world.put_cut_off(data, stored={0, 2})
    again = world.restarted()
    summary = await again.put(data)
    assert again.heard(ResumeStarted) == [ResumeStarted(2, 2 * CHUNK)]
    assert {event.index for event in again.heard(ChunkFinished) if event.resumed} == {0, 2}
    assert {event.index for event in again.heard(ChunkFinished) if not event.resumed} == {1, 3, 4, 5}
    assert sum(event.size_bytes for event in again.heard(BytesMoved)) == len(data)
    assert summary.chunks_resumed == 2


@pytest.mark.parametrize("limit", [1, 2, 3])
@on_loop
async def test_no_more_chunks_are_in_flight_than_may_be(limit: int) -> None:
    world = World(max_chunks=limit)
    gate = asyncio.Event()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.writes and phase is Phase.BEFORE and "chunk" in operation.key:
            await gate.wait()

    world.store.hooks.append(hook)
    source = FakeSource(content(8 * CHUNK))
    putting = asyncio.ensure_future(world.put(source))
    await until(lambda: bool(world.heard(BackpressureStarted)))
    await turns()
    assert len(world.memory.out) == limit
    assert sum(event.size_bytes for event in world.heard(BytesMoved)) == limit * CHUNK
    gate.set()
    await putting
    assert world.memory.peak == limit


@on_loop
async def test_a_store_that_is_slow_does_not_hold_up_its_neighbours() -> None:
    """Several chunks are in flight: all but one are on record while the first one still waits."""
    world = World(max_chunks=4)
    gate = asyncio.Event()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.writes and operation.key.endswith("000000") and phase is Phase.BEFORE:
            await gate.wait()

    world.store.hooks.append(hook)
    putting = asyncio.ensure_future(world.put(content(9 * CHUNK)))
    await until(lambda: len(world.journals.recorded()) == 8)
    assert 0 not in world.journals.recorded()
    gate.set()
    await putting
    assert await world.restored() == content(9 * CHUNK)


@on_loop
async def test_memory_that_runs_out_goes_to_scratch() -> None:
    world = World(chunk_bytes=64 * KIB, max_chunks=3)
    data = content(5 * 64 * KIB)
    await world.put(data)
    assert await world.restored() == data
    assert not world.memory.out
