"""put, get and verify ask the machine before each chunk, and make do with what it has left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from s3duct.domain.backpressure import DISK_RESERVE_BYTES, MEMORY_RESERVE_BYTES
from s3duct.domain.errors import LocalResourceError
from s3duct.domain.events import ChunkStarted, Event, Notice
from s3duct.domain.ports.chunk_memory import Placement, Region
from s3duct.domain.sizes import GIB
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.probes import FakeDisk, FakeMemory
from tests.fakes.strict_memory import StrictChunkMemory
from tests.usecases.loop import failure_of, on_quick_loop
from tests.usecases.world import CHUNK, World

DATA = bytes(range(256)) * (6 * CHUNK // 256 + 1)
CHUNKS = -(-len(DATA) // CHUNK)


class NotingMemory(StrictChunkMemory):
    """Notes where its regions were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.placements: list[Placement] = []

    def allocate(self, size_bytes: int, placement: Placement) -> Region:
        self.placements.append(placement)
        return super().allocate(size_bytes, placement)


class CountingDisk(FakeDisk):
    asked = 0

    def free_bytes(self) -> int:
        self.asked += 1
        return super().free_bytes()


class CountingMemory(FakeMemory):
    asked = 0

    def available_bytes(self) -> int:
        self.asked += 1
        return super().available_bytes()


async def _put(world: World) -> object:
    return await world.put(DATA)


async def _get(world: World) -> object:
    return await world.get()


async def _verify(world: World) -> object:
    return await world.verify(deep=True)


runs = pytest.mark.parametrize("run", [_put, _get, _verify], ids=["put", "get", "verify"])
Run = Callable[[World], Coroutine[None, None, object]]


async def world_for(run: Run) -> tuple[World, NotingMemory]:
    first = World(max_chunks=2)
    if run is not _put:
        await first.put(DATA)
        first = first.elsewhere()
    world, memory = first, NotingMemory()
    world.memory = memory

    def pass_time(event: Event) -> None:
        """Chunks take their time: small ones that come at once share one look."""
        if isinstance(event, ChunkStarted):
            world.clock.advance(1.0)

    world.reactions.append(pass_time)
    return world, memory


@runs
@on_quick_loop
async def test_disk_and_memory_are_looked_at_before_each_chunk(run: Run) -> None:
    world, _ = await world_for(run)
    disk, probe = CountingDisk(GIB), CountingMemory(GIB)
    world.disk, world.memory_probe = disk, probe
    await run(world)
    assert min(disk.asked, probe.asked) >= CHUNKS


@runs
@on_quick_loop
async def test_memory_that_others_take_meanwhile_is_done_without_and_used_again(run: Run) -> None:
    world, memory = await world_for(run)

    def react(event: Event) -> None:
        if isinstance(event, ChunkStarted):
            world.memory_probe.available = GIB if event.index % 4 < 2 else MEMORY_RESERVE_BYTES

    world.reactions.append(react)
    await run(world)
    assert {Placement.MEMORY, Placement.SCRATCH} == set(memory.placements)
    assert Placement.MEMORY in memory.placements[memory.placements.index(Placement.SCRATCH) :]
    assert not memory.out
    world.memory_probe.available = GIB
    assert await world.restored() == DATA


@on_quick_loop
async def test_what_is_read_whole_is_seen_by_the_machine_and_not_counted_twice() -> None:
    world, memory = await world_for(_put)
    world.memory_probe.available = MEMORY_RESERVE_BYTES + CHUNK + CHUNK // 2
    await world.put(DATA)
    assert set(memory.placements) == {Placement.MEMORY}


@runs
@on_quick_loop
async def test_a_machine_that_has_nothing_left_any_more_ends_the_run_after_what_is_in_flight(
    run: Run,
) -> None:
    world, memory = await world_for(run)

    def react(event: Event) -> None:
        if isinstance(event, ChunkStarted) and event.index == 2:
            world.memory_probe.available, world.disk.free = 0, DISK_RESERVE_BYTES

    async def journal_slowly(operation: Operation, phase: Phase) -> None:
        if operation.is_of_journal and phase is Phase.BEFORE and operation.method == "put":
            for _ in range(100):
                await asyncio.sleep(0)

    world.reactions.append(react)
    world.store.hooks.append(journal_slowly)
    error = await failure_of(run(world))
    assert isinstance(error, LocalResourceError)
    assert "no room for a chunk" in error.message
    assert any("waiting up to" in event.message for event in world.heard(Notice))
    if run is _put:
        # What was in flight is stored and on record, in the bucket too; the next run goes on from there, on any machine.
        assert sorted(world.journals.recorded()) == [0, 1, 2]
        world.let_claims_go_stale()
        elsewhere = world.elsewhere()
        assert (await elsewhere.put(DATA)).chunks_resumed == 3
        assert await elsewhere.restored() == DATA
    assert len(memory.placements) == 3
