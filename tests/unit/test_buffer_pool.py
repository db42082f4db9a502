from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.app.pipeline.buffer_pool import BufferPool, Lease
from s3duct.domain.backpressure import DISK_RESERVE_BYTES, BufferLimits
from s3duct.domain.errors import LocalResourceError
from s3duct.domain.events import BackpressureStarted, Event
from s3duct.domain.ports.chunk_memory import Placement
from tests.fakes.chunk_memory import FakeChunkMemory
from tests.fakes.probes import FakeDisk
from tests.unit.saying import assert_well_said, run, settle


class Bench:
    """A pool over fakes."""

    def __init__(
        self, *, memory: int = 100, scratch: int = 100, chunks: int = 10, spare_disk: int = 100
    ) -> None:
        self.memory = FakeChunkMemory()
        self.disk = FakeDisk(DISK_RESERVE_BYTES + spare_disk)
        self.limits = BufferLimits(memory, scratch, chunks)
        self.events: list[Event] = []
        self.pool = BufferPool(self.memory, self.disk, self.limits, self.events.append)

    def take(self, size: int, overhead: int = 0) -> Lease | None:
        return self.pool.try_acquire(size, overhead_bytes=overhead)

    def must_take(self, size: int, overhead: int = 0) -> Lease:
        lease = self.take(size, overhead)
        assert lease is not None
        return lease

    def sizes(self, placement: Placement) -> list[int]:
        return sorted(len(region.view) for region in self.memory.out if region.placement is placement)


def test_memory_goes_first_then_scratch_then_it_waits() -> None:
    bench = Bench(memory=20, scratch=10)
    leases = [bench.take(10) for _ in range(4)]
    assert bench.sizes(Placement.MEMORY) == [10, 10]
    assert bench.sizes(Placement.SCRATCH) == [10]
    assert leases[3] is None
    assert bench.pool.in_use == 3


def test_a_region_has_the_size_that_was_asked_for() -> None:
    lease = Bench().must_take(33, 4)
    assert (len(lease.region.view), lease.size_bytes, lease.overhead_bytes) == (33, 33, 4)


def test_what_comes_back_can_be_had_again() -> None:
    bench = Bench(memory=10, scratch=0)
    for _ in range(3):
        lease = bench.must_take(8, 2)
        assert bench.take(1) is None
        bench.pool.release(lease)
        assert bench.pool.in_use == 0
        assert not bench.memory.out


def test_the_overhead_of_a_scratch_region_counts_as_memory() -> None:
    bench = Bench(memory=10, scratch=100)
    scratch = bench.must_take(50, 10)
    assert bench.sizes(Placement.SCRATCH) == [50]
    assert bench.take(1, 0) is not None
    assert bench.sizes(Placement.SCRATCH) == [1, 50]
    assert bench.take(1, 1) is None
    bench.pool.release(scratch)
    assert bench.take(9, 1) is not None
    assert bench.sizes(Placement.MEMORY) == [9]


def test_what_fits_nowhere_alone_is_an_error_that_says_what_there_is() -> None:
    bench = Bench(memory=10, scratch=100, spare_disk=5)
    with pytest.raises(LocalResourceError, match="no room for a chunk of 11 B: memory limit 10 B") as caught:
        bench.take(11)
    assert_well_said(caught.value)
    assert "--chunk-size" in caught.value.hint
    assert bench.pool.in_use == 0


def test_while_something_is_in_use_it_waits_even_for_what_will_never_fit() -> None:
    bench = Bench(memory=10, scratch=0)
    lease = bench.must_take(1)
    assert bench.take(11) is None
    bench.pool.release(lease)
    with pytest.raises(LocalResourceError):
        bench.take(11)


def test_a_disk_that_fills_up_meanwhile_stops_scratch_and_nothing_else() -> None:
    bench = Bench(memory=10, scratch=100, spare_disk=20)
    memory = bench.must_take(10)
    bench.must_take(20)
    bench.disk.free -= 20
    assert bench.take(1) is None
    bench.pool.release(memory)
    assert bench.take(10) is not None


def test_an_allocation_that_fails_waits_for_others_and_fails_alone() -> None:
    bench = Bench(memory=20)
    lease = bench.must_take(10)
    bench.memory.full.add(Placement.MEMORY)
    assert bench.take(10) is None
    assert bench.pool.in_use == 1
    bench.pool.release(lease)
    with pytest.raises(LocalResourceError, match="no memory left"):
        bench.take(10)
    assert bench.pool.in_use == 0
    bench.memory.full.clear()
    assert bench.take(20) is not None


def test_waiting_ends_with_a_release_that_makes_enough_room() -> None:
    async def scene() -> None:
        bench = Bench(memory=30, scratch=0)
        held = [bench.must_take(10) for _ in range(3)]
        waiting = asyncio.ensure_future(bench.pool.acquire(20))
        await settle()
        bench.pool.release(held.pop())
        await settle()
        assert not waiting.done()
        bench.pool.release(held.pop())
        lease = await waiting
        assert lease.size_bytes == 20
        assert len(bench.events) == 1
        assert isinstance(bench.events[0], BackpressureStarted)

    run(scene())


def test_what_is_admitted_at_once_reports_nothing() -> None:
    bench = Bench()
    run(bench.pool.acquire(10))
    assert bench.events == []


def test_waiting_ends_with_an_error_once_it_is_clear_that_nothing_helps() -> None:
    async def scene() -> None:
        bench = Bench(memory=10, scratch=0)
        lease = bench.must_take(1)
        waiting = asyncio.ensure_future(bench.pool.acquire(11))
        await settle()
        bench.pool.release(lease)
        with pytest.raises(LocalResourceError):
            await waiting

    run(scene())


def test_one_who_waited_in_vain_takes_nothing() -> None:
    async def scene() -> None:
        bench = Bench(memory=10, scratch=0)
        lease = bench.must_take(10)
        waiting = asyncio.ensure_future(bench.pool.acquire(10))
        await settle()
        waiting.cancel()
        await settle()
        bench.pool.release(lease)
        assert bench.pool.in_use == 0
        assert not bench.memory.out

    run(scene())


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5)), max_size=20), st.integers(1, 4))
def test_everybody_who_waits_gets_a_turn_and_no_limit_is_passed(
    wanted: list[tuple[int, int]], chunks: int
) -> None:
    async def scene() -> None:
        bench = Bench(memory=40, scratch=35, chunks=chunks)
        taken: list[Lease] = []

        async def use(size: int, overhead: int) -> None:
            lease = await bench.pool.acquire(size, overhead_bytes=overhead)
            taken.append(lease)
            in_memory = sum(bench.sizes(Placement.MEMORY)) + sum(lease.overhead_bytes for lease in taken)
            assert in_memory <= bench.limits.memory_bytes
            assert sum(bench.sizes(Placement.SCRATCH)) <= bench.limits.scratch_bytes
            assert len(bench.memory.out) == bench.pool.in_use <= chunks
            for _ in range(size % 4):
                await asyncio.sleep(0)
            taken.remove(lease)
            bench.pool.release(lease)

        await asyncio.gather(*(use(size, overhead) for size, overhead in wanted))
        assert bench.pool.in_use == 0
        assert not bench.memory.out

    run(scene())
