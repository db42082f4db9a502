"""One look at the machine answers for small chunks that follow one another closely, and for nothing else."""

from __future__ import annotations

import pytest

from s3duct.app.pipeline.buffer_pool import BufferPool, Lease
from s3duct.app.pipeline.host import Host
from s3duct.domain.backpressure import MEMORY_RESERVE_BYTES, BufferWishes
from s3duct.domain.events import ignore_events
from s3duct.domain.ports.chunk_memory import Placement
from s3duct.domain.sizes import GIB, KIB, MIB
from tests.fakes.chunk_memory import FakeChunkMemory
from tests.fakes.clock import FakeClock
from tests.fakes.probes import FakeDisk, FakeMemory, FakeProcessors


class CountingMemory(FakeMemory):
    asked = 0

    def available_bytes(self) -> int:
        self.asked += 1
        return super().available_bytes()


class Bench:
    def __init__(self, *, available: int = GIB, max_chunks: int = 10_000) -> None:
        self.probe = CountingMemory(available)
        self.clock = FakeClock()
        self.pool = BufferPool(
            Host(FakeChunkMemory(), FakeDisk(GIB), self.probe, FakeProcessors()),
            BufferWishes(memory_bytes=GIB, max_chunks=max_chunks),
            cost_bytes=1,
            clock=self.clock,
            listener=ignore_events,
        )

    def take(self, size_bytes: int) -> Lease:
        lease = self.pool.try_acquire(size_bytes)
        assert lease is not None
        return lease

    def pass_through(self, size_bytes: int, *, times: int) -> None:
        for _ in range(times):
            lease = self.take(size_bytes)
            self.pool.filled(lease)
            self.pool.release(lease)


def test_small_chunks_that_follow_one_another_closely_share_one_look() -> None:
    bench = Bench()
    bench.pass_through(4 * KIB, times=100)
    assert bench.probe.asked == 1


def test_a_look_is_believed_for_a_twentieth_of_a_second() -> None:
    bench = Bench()
    for _ in range(10):
        bench.pass_through(4 * KIB, times=10)
        bench.clock.advance(0.05)
    assert bench.probe.asked == 10


@pytest.mark.parametrize("size_bytes", [MIB, 3 * MIB, 8 * MIB])
def test_what_one_look_grants_is_a_quarter_of_the_memory_left_alone(size_bytes: int) -> None:
    bench = Bench()
    bench.pass_through(size_bytes, times=24)
    assert bench.probe.asked * (MEMORY_RESERVE_BYTES // 4) >= 23 * size_bytes


def test_a_chunk_beyond_that_is_never_granted_without_a_look() -> None:
    bench = Bench()
    bench.pass_through(MEMORY_RESERVE_BYTES // 4 + 1, times=10)
    assert bench.probe.asked == 10


def test_whatever_was_granted_is_taken_off_even_if_it_has_come_back() -> None:
    """Room for two beside what is left alone, none of which the machine has seen yet."""
    bench = Bench(available=MEMORY_RESERVE_BYTES + 2 * MIB)
    bench.pass_through(MIB, times=2)
    assert bench.probe.asked == 1
    bench.pass_through(MIB, times=1)
    assert bench.probe.asked == 2


def test_no_chunk_goes_to_scratch_without_a_look() -> None:
    bench = Bench(available=MEMORY_RESERVE_BYTES + MIB)
    bench.take(MIB)
    assert bench.take(MIB).region.placement is Placement.SCRATCH
    assert bench.probe.asked == 2


def test_chunks_that_were_promised_before_the_look_stay_taken_off_when_they_are_filled() -> None:
    """Filled after the look, they are in no figure: neither in that of the machine nor among the promises."""
    bench = Bench(available=MEMORY_RESERVE_BYTES + 3 * MIB)
    first = bench.take(2 * MIB)
    bench.clock.advance(1.0)
    second = bench.take(MIB)
    bench.probe.available -= 3 * MIB
    bench.pool.filled(first)
    bench.pool.filled(second)
    assert bench.take(MIB).region.placement is Placement.SCRATCH


def test_a_wait_for_as_many_chunks_as_there_may_be_needs_no_look() -> None:
    bench = Bench(max_chunks=1)
    bench.take(4 * KIB)
    assert [bench.pool.try_acquire(4 * KIB) for _ in range(10)] == [None] * 10
    assert bench.probe.asked == 1
