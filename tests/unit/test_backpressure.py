from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.backpressure import (
    DISK_RESERVE_BYTES,
    MIN_MEMORY_BYTES,
    Admission,
    BufferLimits,
    BufferUsage,
    BufferWishes,
    admit,
)
from s3duct.domain.errors import UsageError
from s3duct.domain.sizes import GIB, MIB, TIB
from tests.unit.saying import assert_well_said

# Small numbers, so that limits are met exactly and often; disk figures count from the reserve.
amounts = st.integers(0, 12)
limits_ = st.builds(BufferLimits, memory_bytes=amounts, scratch_bytes=amounts, max_chunks=st.integers(1, 5))
usages = st.builds(BufferUsage, memory_bytes=amounts, scratch_bytes=amounts, chunks=st.integers(0, 5))
disks = st.integers(-3, 12).map(lambda spare: DISK_RESERVE_BYTES + spare)

RANK = {Admission.ABORT: 0, Admission.WAIT: 0, Admission.SCRATCH: 1, Admission.MEMORY: 2}


@given(limits_, disks, st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 4)), max_size=30))
def test_no_sequence_of_acquiring_and_releasing_goes_beyond_a_limit(
    limits: BufferLimits, disk: int, steps: list[tuple[bool, int, int]]
) -> None:
    held: list[tuple[int, int]] = []
    for release, size, overhead in steps:
        if release and held:
            held.pop(size % len(held))
            continue
        usage = BufferUsage(sum(m for m, _ in held), sum(s for _, s in held), len(held))
        free = disk - usage.scratch_bytes
        decision = admit(size, overhead, limits=limits, usage=usage, disk_free_bytes=free)
        if decision is Admission.MEMORY:
            held.append((size + overhead, 0))
        elif decision is Admission.SCRATCH:
            held.append((overhead, size))
            assert free - size >= DISK_RESERVE_BYTES
        else:
            assert (decision is Admission.ABORT) == (not held)
        assert sum(m for m, _ in held) <= limits.memory_bytes
        assert sum(s for _, s in held) <= limits.scratch_bytes
        assert len(held) <= limits.max_chunks


@given(amounts, amounts, limits_, usages, disks)
def test_it_gives_up_only_when_nothing_is_in_use(
    size: int, overhead: int, limits: BufferLimits, usage: BufferUsage, disk: int
) -> None:
    decision = admit(size, overhead, limits=limits, usage=usage, disk_free_bytes=disk)
    if decision is Admission.ABORT:
        assert usage.chunks == 0
    if decision is Admission.WAIT:
        assert usage.chunks > 0


@given(amounts, amounts, limits_, usages, disks, st.data())
def test_more_room_or_a_smaller_chunk_never_makes_it_worse(
    size: int, overhead: int, limits: BufferLimits, usage: BufferUsage, disk: int, data: st.DataObject
) -> None:
    before = admit(size, overhead, limits=limits, usage=usage, disk_free_bytes=disk)
    more = st.integers(0, 5)

    def less(value: int) -> int:
        return data.draw(st.integers(0, value))

    roomier = BufferLimits(
        limits.memory_bytes + data.draw(more),
        limits.scratch_bytes + data.draw(more),
        limits.max_chunks + data.draw(more),
    )
    lighter = BufferUsage(less(usage.memory_bytes), less(usage.scratch_bytes), less(usage.chunks))
    after = admit(
        less(size), less(overhead), limits=roomier, usage=lighter, disk_free_bytes=disk + data.draw(more)
    )
    assert RANK[after] >= RANK[before]


@given(amounts, amounts, limits_, usages, disks)
def test_memory_comes_before_scratch(
    size: int, overhead: int, limits: BufferLimits, usage: BufferUsage, disk: int
) -> None:
    decision = admit(size, overhead, limits=limits, usage=usage, disk_free_bytes=disk)
    fits = usage.chunks < limits.max_chunks and usage.memory_bytes + size + overhead <= limits.memory_bytes
    assert (decision is Admission.MEMORY) == fits


IDLE = BufferUsage()
LIMITS = BufferLimits(memory_bytes=100, scratch_bytes=50, max_chunks=2)


@pytest.mark.parametrize(
    ("size", "overhead", "usage", "spare_disk", "decision"),
    [
        (100, 0, IDLE, 0, Admission.MEMORY),
        (90, 10, IDLE, 0, Admission.MEMORY),
        (101, 0, IDLE, 999, Admission.ABORT),
        (50, 60, IDLE, 50, Admission.SCRATCH),
        (50, 60, IDLE, 49, Admission.ABORT),
        (50, 101, IDLE, 999, Admission.ABORT),
        (50, 60, BufferUsage(100, 0, 1), 999, Admission.WAIT),
        (50, 0, BufferUsage(100, 0, 1), 999, Admission.SCRATCH),
        (50, 0, BufferUsage(100, 1, 1), 999, Admission.WAIT),
        (1, 0, BufferUsage(0, 0, 2), 999, Admission.WAIT),
    ],
)
def test_the_next_chunk_goes_where_there_is_room(
    size: int, overhead: int, usage: BufferUsage, spare_disk: int, decision: Admission
) -> None:
    free = DISK_RESERVE_BYTES + spare_disk
    assert admit(size, overhead, limits=LIMITS, usage=usage, disk_free_bytes=free) is decision


# --- what the user wishes and the machine has ------------------------------------------------------------------------

memory_wishes = st.none() | st.integers(MIN_MEMORY_BYTES, 8 * GIB)
scratch_wishes = st.none() | st.integers(0, TIB)
chunk_wishes = st.none() | st.integers(1, 100)
wishes_ = st.builds(
    BufferWishes, memory_bytes=memory_wishes, scratch_bytes=scratch_wishes, max_chunks=chunk_wishes
)
machine = st.integers(0, 64 * GIB)


@given(wishes_, st.integers(0, 5 * TIB), machine, machine)
def test_wishes_are_met_and_the_rest_follows_the_machine(
    wishes: BufferWishes, cost: int, memory: int, disk: int
) -> None:
    limits = wishes.resolve(cost, memory_available_bytes=memory, disk_free_bytes=disk)
    for wish, limit in zip(dataclasses.astuple(wishes), dataclasses.astuple(limits), strict=True):
        assert wish is None or limit == wish
    if wishes.memory_bytes is None:
        assert limits.memory_bytes == sorted((64 * MIB, memory // 4, 2 * GIB))[1]
    if wishes.scratch_bytes is None:
        assert limits.scratch_bytes == disk // 2
    if wishes.max_chunks is None:
        assert 2 <= limits.max_chunks <= 10
        assert limits.max_chunks in {2, 10} or limits.max_chunks * cost <= limits.memory_bytes


@given(wishes_, st.integers(1, MIN_MEMORY_BYTES), machine, machine)
def test_a_chunk_that_fits_into_the_least_memory_is_always_admitted_alone(
    wishes: BufferWishes, cost: int, memory: int, disk: int
) -> None:
    limits = wishes.resolve(cost, memory_available_bytes=memory, disk_free_bytes=disk)
    assert admit(cost, 0, limits=limits, usage=IDLE, disk_free_bytes=disk) is Admission.MEMORY


@pytest.mark.parametrize(
    "wishes",
    [BufferWishes(memory_bytes=MIN_MEMORY_BYTES - 1), BufferWishes(memory_bytes=0), BufferWishes(max_chunks=0),
     BufferWishes(max_chunks=-1)],
)  # fmt: skip
def test_a_wish_that_nothing_can_meet_is_refused(wishes: BufferWishes) -> None:
    with pytest.raises(UsageError) as caught:
        wishes.resolve(MIB, memory_available_bytes=GIB, disk_free_bytes=GIB)
    assert_well_said(caught.value)
