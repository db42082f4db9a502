from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.backpressure import (
    DISK_RESERVE_BYTES,
    MEMORY_RESERVE_BYTES,
    MIN_MEMORY_BYTES,
    Admission,
    BufferLimits,
    BufferUsage,
    BufferWishes,
    HostRoom,
    admit,
)
from s3duct.domain.errors import UsageError
from s3duct.domain.sizes import GIB, MIB, TIB
from tests.unit.saying import assert_well_said

# Small numbers, so that limits are met exactly and often; figures of the machine count from what is always left alone.
amounts = st.integers(0, 12)
limits_ = st.builds(BufferLimits, memory_bytes=amounts, scratch_bytes=amounts, max_chunks=st.integers(1, 5))
usages = st.builds(
    BufferUsage, memory_bytes=amounts, scratch_bytes=amounts, chunks=st.integers(0, 5), promised_bytes=amounts
)
spares = st.integers(-3, 12)


def room_of(memory: int, disk: int) -> HostRoom:
    """A machine with so much beyond what is always left alone."""
    return HostRoom(MEMORY_RESERVE_BYTES + memory, DISK_RESERVE_BYTES + disk)


rooms = st.builds(room_of, spares, spares)

RANK = {Admission.ABORT: 0, Admission.WAIT: 0, Admission.ENOUGH: 0, Admission.SCRATCH: 1, Admission.MEMORY: 2}


@given(
    limits_,
    spares,
    spares,
    st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 4)), max_size=30),
)
def test_no_sequence_of_acquiring_and_releasing_goes_beyond_a_limit_or_what_the_machine_has(
    limits: BufferLimits, memory: int, disk: int, steps: list[tuple[bool, int, int]]
) -> None:
    held: list[tuple[int, int, int]] = []
    for release, size, overhead in steps:
        if release and held:
            held.pop(size % len(held))
            continue
        taken = sum(m for m, _, _ in held)
        # Nothing is filled: all of it is promised, and the machine shows none of it.
        usage = BufferUsage(taken, sum(s for _, s, _ in held), len(held), promised_bytes=taken)
        room = room_of(memory, disk - usage.scratch_bytes)
        decision = admit(size, overhead, limits=limits, usage=usage, room=room)
        if decision is Admission.MEMORY:
            held.append((size + overhead, 0, 0))
            assert sum(m for m, _, _ in held) <= memory + (0 if held[1:] else MEMORY_RESERVE_BYTES)
        elif decision is Admission.SCRATCH:
            held.append((overhead, size, overhead))
            assert room.disk_bytes - size >= DISK_RESERVE_BYTES
            assert sum(m for m, _, _ in held) <= MEMORY_RESERVE_BYTES + memory
        else:
            assert (decision is Admission.ABORT) == (not held)
        assert sum(m for m, _, _ in held) <= limits.memory_bytes
        assert sum(s for _, s, _ in held) <= limits.scratch_bytes
        assert len(held) <= limits.max_chunks


refusals = st.sets(st.sampled_from([Admission.MEMORY, Admission.SCRATCH])).map(frozenset)


@given(amounts, amounts, limits_, usages, rooms, refusals)
def test_it_gives_up_only_when_nothing_is_in_use(
    size: int,
    overhead: int,
    limits: BufferLimits,
    usage: BufferUsage,
    room: HostRoom,
    refused: frozenset[Admission],
) -> None:
    decision = admit(size, overhead, limits=limits, usage=usage, room=room, refused=refused)
    assert decision not in refused
    if decision is Admission.ABORT:
        assert usage.chunks == 0
    if decision is Admission.WAIT:
        assert usage.chunks > 0


@given(amounts, amounts, limits_, usages, rooms, st.data())
def test_more_room_or_a_smaller_chunk_never_makes_it_worse(
    size: int, overhead: int, limits: BufferLimits, usage: BufferUsage, room: HostRoom, data: st.DataObject
) -> None:
    before = admit(size, overhead, limits=limits, usage=usage, room=room)
    more = st.integers(0, 5)

    def less(value: int) -> int:
        return data.draw(st.integers(0, value))

    roomier = BufferLimits(
        limits.memory_bytes + data.draw(more),
        limits.scratch_bytes + data.draw(more),
        limits.max_chunks + data.draw(more),
    )
    lighter = BufferUsage(
        less(usage.memory_bytes), less(usage.scratch_bytes), less(usage.chunks), less(usage.promised_bytes)
    )
    freer = HostRoom(room.memory_bytes + data.draw(more), room.disk_bytes + data.draw(more))
    after = admit(less(size), less(overhead), limits=roomier, usage=lighter, room=freer)
    # The last of the memory is taken rather than nothing: scratch, where there is room for it, is no worse.
    is_last = room.memory_bytes - usage.promised_bytes - size - overhead < MEMORY_RESERVE_BYTES
    assert RANK[after] >= min(RANK[before], 1 if is_last else 2)


@given(amounts, amounts, limits_, usages, rooms)
def test_memory_comes_before_scratch(
    size: int, overhead: int, limits: BufferLimits, usage: BufferUsage, room: HostRoom
) -> None:
    decision = admit(size, overhead, limits=limits, usage=usage, room=room)
    fits = (
        usage.chunks < limits.max_chunks
        and usage.memory_bytes + size + overhead <= limits.memory_bytes
        and usage.promised_bytes + size + overhead + MEMORY_RESERVE_BYTES <= room.memory_bytes
    )
    if usage.chunks:
        assert (decision is Admission.MEMORY) == fits
    else:
        assert decision is Admission.MEMORY or not fits


IDLE = BufferUsage()
LIMITS = BufferLimits(memory_bytes=100, scratch_bytes=50, max_chunks=2)


@pytest.mark.parametrize(
    ("size", "overhead", "usage", "spare", "decision"),
    [
        (100, 0, IDLE, (100, 0), Admission.MEMORY),
        (90, 10, IDLE, (100, 0), Admission.MEMORY),
        (101, 0, IDLE, (999, 999), Admission.ABORT),
        (50, 60, IDLE, (999, 50), Admission.SCRATCH),
        (50, 60, IDLE, (999, 49), Admission.ABORT),
        (50, 101, IDLE, (999, 999), Admission.ABORT),
        (50, 60, BufferUsage(100, 0, 1), (999, 999), Admission.WAIT),
        (50, 0, BufferUsage(100, 0, 1), (999, 999), Admission.SCRATCH),
        (50, 0, BufferUsage(100, 1, 1), (999, 999), Admission.WAIT),
        (1, 0, BufferUsage(0, 0, 2), (999, 999), Admission.ENOUGH),
        # What the machine has counts as the limit does, and what is promised has gone from it.
        (50, 10, IDLE, (60, 0), Admission.MEMORY),
        (50, 10, IDLE, (59, 50), Admission.SCRATCH),
        (50, 10, BufferUsage(1, 1, 1), (59, 49), Admission.WAIT),
        # With nothing in flight, the last of the memory is better than the end.
        (50, 10, IDLE, (59, 49), Admission.MEMORY),
        (50, 10, IDLE, (60 - MEMORY_RESERVE_BYTES, 49), Admission.MEMORY),
        (50, 10, IDLE, (59 - MEMORY_RESERVE_BYTES, 49), Admission.ABORT),
        (50, 0, BufferUsage(40, 0, 1, promised_bytes=40), (90, 50), Admission.MEMORY),
        (50, 0, BufferUsage(40, 0, 1, promised_bytes=40), (89, 50), Admission.SCRATCH),
        (50, 0, BufferUsage(40, 0, 1, promised_bytes=0), (50, 0), Admission.MEMORY),
        # A chunk on scratch takes some memory too; it may be of what is left alone otherwise.
        (50, 10, IDLE, (10 - MEMORY_RESERVE_BYTES, 50), Admission.SCRATCH),
        (50, 10, IDLE, (9 - MEMORY_RESERVE_BYTES, 50), Admission.ABORT),
        (50, 10, BufferUsage(1, 1, 1), (9 - MEMORY_RESERVE_BYTES, 0), Admission.WAIT),
    ],
)
def test_the_next_chunk_goes_where_there_is_room(
    size: int, overhead: int, usage: BufferUsage, spare: tuple[int, int], decision: Admission
) -> None:
    assert admit(size, overhead, limits=LIMITS, usage=usage, room=room_of(*spare)) is decision


@pytest.mark.parametrize(
    ("refused", "usage", "decision"),
    [
        ({Admission.MEMORY}, IDLE, Admission.SCRATCH),
        ({Admission.SCRATCH}, IDLE, Admission.MEMORY),
        ({Admission.MEMORY, Admission.SCRATCH}, IDLE, Admission.ABORT),
        ({Admission.MEMORY, Admission.SCRATCH}, BufferUsage(1, 0, 1), Admission.WAIT),
    ],
)
def test_what_the_system_has_refused_is_not_tried_again(
    refused: set[Admission], usage: BufferUsage, decision: Admission
) -> None:
    room = room_of(999, 999)
    assert admit(50, 0, limits=LIMITS, usage=usage, room=room, refused=frozenset(refused)) is decision


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
    for field in dataclasses.fields(wishes):
        wish = getattr(wishes, field.name)
        assert wish is None or getattr(limits, field.name) == wish
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
    assert admit(cost, 0, limits=limits, usage=IDLE, room=room_of(MIN_MEMORY_BYTES, disk)) is Admission.MEMORY


@pytest.mark.parametrize(
    "wishes",
    [BufferWishes(memory_bytes=MIN_MEMORY_BYTES - 1), BufferWishes(memory_bytes=0), BufferWishes(max_chunks=0),
     BufferWishes(max_chunks=-1)],
)  # fmt: skip
def test_a_wish_that_nothing_can_meet_is_refused(wishes: BufferWishes) -> None:
    with pytest.raises(UsageError) as caught:
        wishes.resolve(MIB, memory_available_bytes=GIB, disk_free_bytes=GIB)
    assert_well_said(caught.value)


@pytest.mark.parametrize(
    ("idle", "chunks", "in_use", "expected"),
    [
        (0.5, 3, 384 * MIB, Admission.MEMORY),
        (0.3, 3, 384 * MIB, Admission.MEMORY),
        (0.29, 3, 384 * MIB, Admission.ENOUGH),
        (0.05, 2, 2 * GIB, Admission.MEMORY),  # few large ones
        (0.05, 9, 384 * MIB - 1, Admission.MEMORY),  # many small ones
        (0.05, 0, 0, Admission.MEMORY),
    ],
)
def test_where_the_processors_are_what_is_short_no_fresh_memory_is_taken_beyond_what_keeps_them_busy(
    idle: float, chunks: int, in_use: int, expected: Admission
) -> None:
    decision = admit(
        64 * MIB,
        0,
        limits=BufferLimits(memory_bytes=4 * GIB, scratch_bytes=0, max_chunks=10),
        usage=BufferUsage(memory_bytes=in_use, chunks=chunks),
        room=HostRoom(16 * GIB, 16 * GIB, idle_processors=idle),
    )
    assert decision is expected


def test_whoever_asks_for_so_many_chunks_gets_them_on_busy_processors_too() -> None:
    limits = BufferWishes(max_chunks=10).resolve(MIB, memory_available_bytes=8 * GIB, disk_free_bytes=0)
    usage = BufferUsage(memory_bytes=GIB, chunks=9)
    room = HostRoom(16 * GIB, 0, idle_processors=0.0)
    assert admit(64 * MIB, 0, limits=limits, usage=usage, room=room) is Admission.MEMORY
