from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.app.pipeline.buffer_pool import BufferPool, Lease
from s3duct.app.pipeline.host import Host
from s3duct.domain.backpressure import (
    DISK_RESERVE_BYTES,
    MEMORY_RESERVE_BYTES,
    MIN_MEMORY_BYTES,
    BufferLimits,
    BufferWishes,
)
from s3duct.domain.errors import LocalResourceError
from s3duct.domain.events import BackpressureStarted, Event, Notice
from s3duct.domain.ports.chunk_memory import Placement
from s3duct.domain.sizes import GIB, MIB
from tests.fakes.chunk_memory import FakeChunkMemory
from tests.fakes.clock import FakeClock
from tests.fakes.probes import FakeDisk, FakeMemory, FakeProcessors
from tests.unit.saying import assert_well_said, run, settle


class Limits(BufferWishes):
    """Limits that are what they are: smaller ones than anybody may wish for."""

    def resolve(self, cost_bytes: int, *, memory_available_bytes: int, disk_free_bytes: int) -> BufferLimits:
        assert None not in {self.memory_bytes, self.scratch_bytes, self.max_chunks}
        return BufferLimits(self.memory_bytes or 0, self.scratch_bytes or 0, self.max_chunks or 0)


class Bench:
    """A pool over fakes. `spare_*`: what the machine has beyond what is always left alone."""

    def __init__(
        self,
        *,
        memory: int = 100,
        scratch: int = 100,
        chunks: int = 10,
        spare_disk: int = 100,
        spare_memory: int = 1000,
        wishes: BufferWishes | None = None,
        cost: int = 1,
    ) -> None:
        self.memory = FakeChunkMemory()
        self.disk = FakeDisk(DISK_RESERVE_BYTES + spare_disk)
        self.probe = FakeMemory(MEMORY_RESERVE_BYTES + spare_memory)
        self.processors = FakeProcessors()
        self.limits = BufferLimits(memory, scratch, chunks)
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.wishes = wishes or Limits(memory, scratch, chunks)
        self.cost_bytes = cost
        self.make_pool()

    def make_pool(self) -> None:
        """Begin anew, with what has been changed since."""
        self.pool = BufferPool(
            Host(self.memory, self.disk, self.probe, self.processors),
            self.wishes,
            cost_bytes=self.cost_bytes,
            clock=self.clock,
            listener=self.events.append,
        )

    @property
    def notices(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice)]

    def take(self, size: int, overhead: int = 0) -> Lease | None:
        """Ask long after the last time: see `test_host_room` for what one look answers."""
        self.clock.advance(1.0)
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
    bench = Bench(memory=20, scratch=0)
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
        assert [type(event) for event in bench.events] == [BackpressureStarted]

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
        assert 2 < bench.clock.monotonic_s() < 60
        assert len(bench.notices) == 1
        assert "waiting up to" in bench.notices[0]

    run(scene())


# --- the machine changes while a run goes on ---------------------------------------------------------------------------


def test_memory_that_others_take_sends_chunks_to_scratch_and_back_once_it_is_free() -> None:
    bench = Bench(memory=100, scratch=100)
    bench.must_take(10)
    bench.probe.available -= 991
    bench.must_take(10)
    assert (bench.sizes(Placement.MEMORY), bench.sizes(Placement.SCRATCH)) == ([10], [10])
    bench.probe.available += 991
    bench.must_take(10)
    assert bench.sizes(Placement.MEMORY) == [10, 10]


def test_what_is_promised_but_not_yet_filled_has_gone_from_what_the_machine_shows() -> None:
    bench = Bench(memory=100, scratch=0, spare_memory=25)
    first = bench.must_take(20)
    assert bench.take(20) is None
    bench.pool.filled(first)
    bench.probe.available = MEMORY_RESERVE_BYTES + 5
    assert bench.take(20) is None
    bench.probe.available = MEMORY_RESERVE_BYTES + 20
    assert bench.take(20) is not None


def test_what_is_sealed_stays_promised_as_long_as_the_chunk_is_in_flight() -> None:
    bench = Bench(memory=100, scratch=0, spare_memory=25)
    lease = bench.must_take(10, 5)
    bench.pool.filled(lease)
    assert bench.take(21) is None
    bench.pool.release(lease)
    assert bench.take(21) is not None


def test_limits_that_follow_the_machine_follow_it_anew() -> None:
    bench = Bench(spare_disk=0, wishes=BufferWishes(max_chunks=4), cost=MIN_MEMORY_BYTES)
    bench.probe.available = 4 * MIN_MEMORY_BYTES
    bench.must_take(MIN_MEMORY_BYTES)
    assert bench.take(MIN_MEMORY_BYTES) is None
    bench.disk.free = DISK_RESERVE_BYTES + 2 * MIN_MEMORY_BYTES
    bench.must_take(MIN_MEMORY_BYTES)
    assert [region.placement for region in bench.memory.out].count(Placement.SCRATCH) == 1
    bench.probe.available = 20 * MIN_MEMORY_BYTES
    bench.must_take(MIN_MEMORY_BYTES)
    assert [region.placement for region in bench.memory.out].count(Placement.MEMORY) == 2


def test_what_is_in_use_does_not_make_the_limits_smaller() -> None:
    bench = Bench(wishes=BufferWishes(memory_bytes=MIN_MEMORY_BYTES, max_chunks=9))
    bench.disk.free = 4 * DISK_RESERVE_BYTES
    before = bench.pool.limits()
    for _ in range(2):
        bench.must_take(DISK_RESERVE_BYTES // 4, 1)
        bench.disk.free -= DISK_RESERVE_BYTES // 4
    assert bench.pool.limits() == before


def test_neither_does_memory_that_is_in_use() -> None:
    bench = Bench(wishes=BufferWishes(max_chunks=9))
    bench.probe.available = 8 * MIN_MEMORY_BYTES
    before = bench.pool.limits()
    bench.pool.filled(bench.must_take(MIN_MEMORY_BYTES, 1))
    bench.probe.available -= MIN_MEMORY_BYTES + 1
    assert bench.pool.limits() == before


def test_a_disk_that_somebody_frees_is_noticed_while_waiting() -> None:
    async def scene() -> None:
        bench = Bench(memory=10, scratch=100, spare_disk=0)
        bench.must_take(10)
        waiting = asyncio.ensure_future(bench.pool.acquire(10))
        await settle()
        bench.disk.free += 10
        await settle()
        assert not waiting.done()
        bench.clock.advance(2)
        await settle()
        assert waiting.done()
        assert waiting.result().region.placement is Placement.SCRATCH
        assert bench.notices == []

    run(scene())


def test_a_run_under_way_waits_a_while_for_others_to_free_something() -> None:
    async def scene() -> None:
        bench = Bench(memory=10, scratch=100, spare_disk=0)
        bench.pool.release(bench.must_take(10))
        bench.probe.available = 0
        bench.clock.advance(1.0)
        waiting = asyncio.ensure_future(bench.pool.acquire(10))
        for _ in range(20):
            if len(bench.clock.naps) == 3:
                break
            await asyncio.sleep(0)
        assert not waiting.done()
        bench.probe.available = MEMORY_RESERVE_BYTES + 10
        assert (await waiting).region.placement is Placement.MEMORY
        assert len(bench.notices) == 1

    run(scene())


def test_a_run_that_has_not_begun_waits_for_nobody() -> None:
    bench = Bench(memory=10, scratch=100, spare_disk=0, spare_memory=9 - MEMORY_RESERVE_BYTES)
    with pytest.raises(LocalResourceError):
        run(bench.pool.acquire(10))
    assert bench.clock.naps == []


def test_memory_that_is_refused_leaves_scratch() -> None:
    bench = Bench()
    bench.memory.full.add(Placement.MEMORY)
    assert bench.must_take(10).region.placement is Placement.SCRATCH


def test_scratch_that_fails_is_told_once_and_again_after_it_has_worked() -> None:
    async def scene() -> None:
        bench = Bench(memory=10)
        in_memory = bench.must_take(10)
        for _ in range(2):
            bench.memory.full.add(Placement.SCRATCH)
            for _ in range(3):
                assert bench.take(10) is None
            bench.memory.full.clear()
            bench.pool.release(bench.must_take(10))
        assert (
            bench.notices
            == ["no scratch left for 10 bytes: going on without it as long as that is possible"] * 2
        )
        bench.memory.full.add(Placement.SCRATCH)
        bench.pool.release(in_memory)
        assert bench.must_take(10).region.placement is Placement.MEMORY
        for _ in range(2):
            assert bench.take(10) is None
            assert len(bench.notices) == 3  # that memory works says nothing of scratch
            bench.pool.release(next(iter(bench.pool._leases)))
            assert bench.must_take(10).region.placement is Placement.MEMORY

    run(scene())


class KeepingMemory(FakeChunkMemory):
    """Keeps what is released, as the real one does; `trimmed` counts what was given back to the machine."""

    kept = 0
    trimmed = 0

    @property
    def spare_bytes(self) -> int:
        return self.kept

    def trim(self) -> None:
        self.kept, self.trimmed = 0, self.trimmed + self.kept


def test_memory_that_is_kept_is_ours_to_use_and_given_back_when_it_is_of_no_use() -> None:
    bench = Bench(spare_memory=0)
    memory = bench.memory = KeepingMemory()
    memory.kept = 10
    bench.make_pool()
    assert bench.must_take(10).region.placement is Placement.MEMORY
    assert memory.trimmed == 0
    bench.must_take(11)
    assert memory.trimmed == 10


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


def counting_bench() -> Bench:
    bench = Bench(wishes=BufferWishes(memory_bytes=2 * GIB), spare_memory=8 * GIB, cost=128 * MIB)
    bench.processors = FakeProcessors(1.0, counts=True)
    bench.make_pool()
    return bench


def test_idle_time_before_there_was_enough_to_do_brings_no_more_chunks() -> None:
    bench = counting_bench()
    bench.processors.passes()
    for _ in range(3):
        bench.must_take(1, 128 * MIB)
    assert bench.take(1, 128 * MIB) is None


def test_processors_that_stay_idle_bring_one_more_chunk_at_a_time() -> None:
    bench = counting_bench()
    first, *_ = (bench.must_take(1, 128 * MIB) for _ in range(3))
    bench.processors.passes()
    bench.pool.release(first)
    # In place of the one that has come back, which changes nothing; then one more, and it has to show what that changes.
    bench.must_take(1, 128 * MIB)
    bench.must_take(1, 128 * MIB)
    assert bench.take(1, 128 * MIB) is None
    bench.processors.passes()
    bench.must_take(1, 128 * MIB)
    bench.processors.idle = 0.0
    bench.processors.passes()
    assert bench.take(1, 128 * MIB) is None
