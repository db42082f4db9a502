"""Which pieces are hashed in one call, and that nothing waits for what may never come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence

import pytest

from s3duct.app.pipeline.batches import STEP_BYTES, Batches, Patience
from s3duct.app.pipeline.workers import Workers
from s3duct.domain.digest import dual_digest
from s3duct.domain.ports.hasher import HashLane
from tests.fakes.hasher import FakeHasher
from tests.unit.saying import run, settle

LONG_S = 20  # never waited for in full: only a test that fails would
PIECE = bytes(range(200))


class Gate:
    """Holds up every call of a hasher until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._reached = threading.Event()

    def __call__(self) -> None:
        self._reached.set()
        assert self._open.wait(LONG_S)

    def open(self) -> None:
        self._open.set()

    async def reached(self) -> None:
        await asyncio.to_thread(self._reached.wait, LONG_S)


def with_batches(
    hasher: FakeHasher, scene: Callable[[Batches], Coroutine[None, None, None]], *, processors: int = 2
) -> None:
    async def bounded() -> None:
        with Workers(processors=processors) as workers:
            await scene(Batches(hasher, workers, at_once=hasher.sha3_256_at_once))

    run(bounded())


def lanes_of(hasher: FakeHasher, count: int) -> list[HashLane]:
    return [hasher.sha3_256() for _ in range(count)]


def updates(
    batches: Batches, lanes: list[HashLane], piece: bytes = PIECE, *, patient: bool = False
) -> list[asyncio.Future[int]]:
    return [asyncio.ensure_future(batches.update(lane, memoryview(piece), patient=patient)) for lane in lanes]


def test_as_many_as_go_together_do_and_each_gets_its_own() -> None:
    gate = Gate()
    hasher = FakeHasher(4, meanwhile=gate)
    lanes = lanes_of(hasher, 10)

    async def scene(batches: Batches) -> None:
        pieces = [bytes([number]) * 100 for number in range(10)]
        tasks = [
            asyncio.ensure_future(batches.update(lane, memoryview(piece)))
            for lane, piece in zip(lanes, pieces, strict=True)
        ]
        await gate.reached()
        gate.open()
        assert await asyncio.gather(*tasks) == [100] * 10
        assert [lane.digest() for lane in lanes] == [dual_digest(piece).sha3_256 for piece in pieces]

    with_batches(hasher, scene)
    # The first found nobody else; one is left over and waits until all others are through.
    assert sorted(map(len, hasher.calls)) == [1, 1, 4, 4]


@pytest.mark.parametrize(
    ("processors", "lanes", "calls"),
    [
        (1, 3, [1]),
        (2, 3, [1]),
        (3, 3, [1]),
        (4, 2, [1, 1]),
        (4, 3, [1, 1]),
        (4, 6, [1, 1, 4]),
        (8, 3, [1, 1, 1]),
        (8, 7, [1, 1, 1, 1]),
        (8, 8, [1, 1, 1, 1, 4]),
    ],
)
def test_a_few_lanes_spread_over_half_of_the_processors(
    processors: int, lanes: int, calls: list[int]
) -> None:
    """The other half hashes them with the other algorithm."""
    gate = Gate()
    hasher = FakeHasher(4, meanwhile=gate)

    async def scene(batches: Batches) -> None:
        tasks = updates(batches, lanes_of(hasher, lanes))
        await gate.reached()
        await settle()
        assert sorted(map(len, hasher.calls)) == calls
        gate.open()
        await asyncio.gather(*tasks)

    with_batches(hasher, scene, processors=processors)


def test_lanes_that_become_due_together_are_dealt_out() -> None:
    gate = Gate()
    hasher, patience = FakeHasher(4, meanwhile=gate), Patience()

    async def scene(batches: Batches) -> None:
        tasks = [
            asyncio.ensure_future(batches.update(lane, memoryview(PIECE), patience=patience))
            for lane in lanes_of(hasher, 3)
        ]
        await settle()
        assert not hasher.calls
        patience.end()
        await gate.reached()
        await settle()
        assert sorted(map(len, hasher.calls)) == [1, 2]
        gate.open()
        await asyncio.gather(*tasks)

    with_batches(hasher, scene, processors=4)


def test_lanes_that_go_on_stay_together() -> None:
    hasher = FakeHasher(4)
    lanes = lanes_of(hasher, 4)

    async def scene(batches: Batches) -> None:
        async def follow(lane: HashLane) -> None:
            for _ in range(20):
                await batches.update(lane, memoryview(PIECE))

        await asyncio.gather(*map(follow, lanes))

    with_batches(hasher, scene)
    assert {lane.digest() for lane in lanes} == {dual_digest(PIECE * 20).sha3_256}
    # A few at the beginning and the end, where one is ahead of the others.
    assert len(hasher.calls) <= 24


def test_a_lane_that_is_alone_waits_for_nobody() -> None:
    hasher = FakeHasher(4)
    (lane,) = lanes_of(hasher, 1)

    async def scene(batches: Batches) -> None:
        with batches.taking_part():
            (task,) = updates(batches, [lane], patient=True)
            await settle()
            assert hasher.calls == [[200]]  # begun, without a moment's delay
            await task

    with_batches(hasher, scene)


def test_a_patient_piece_waits_for_others_but_not_for_ever() -> None:
    hasher = FakeHasher(4)
    lanes = lanes_of(hasher, 6)

    async def scene(batches: Batches) -> None:
        with batches.taking_part(), batches.taking_part():
            early = updates(batches, lanes[:2], patient=True)
            await settle()
            assert not hasher.calls
            late = updates(batches, lanes[2:4], patient=True)
            await asyncio.gather(*early, *late)
            assert hasher.calls == [[200] * 4]
            await asyncio.gather(*updates(batches, lanes[4:], patient=True))  # nobody else comes
            assert hasher.calls == [[200] * 4, [200] * 2]

    with_batches(hasher, scene)


def test_a_piece_in_a_hurry_takes_the_patient_ones_along() -> None:
    hasher = FakeHasher(4)
    lanes = lanes_of(hasher, 2)

    async def scene(batches: Batches) -> None:
        with batches.taking_part(), batches.taking_part():
            patient = updates(batches, lanes[:1], patient=True)
            await settle()
            assert not hasher.calls
            await asyncio.gather(*updates(batches, lanes[1:]), *patient)

    with_batches(hasher, scene)
    assert hasher.calls == [[200, 200]]


def test_what_nothing_waits_for_is_held_alone_until_its_digest_is_wanted() -> None:
    hasher = FakeHasher(4)
    lanes, patience = lanes_of(hasher, 6), Patience()

    async def scene(batches: Batches) -> None:
        with batches.taking_part():
            held = [
                asyncio.ensure_future(batches.update(lane, memoryview(PIECE), patience=patience))
                for lane in lanes
            ]
            await settle()
            assert hasher.calls == [[200] * 4]
            assert not held[-1].done()
            patience.end()
            await asyncio.gather(*held)
            assert hasher.calls == [[200] * 4, [200] * 2]
            await batches.update(lanes[0], memoryview(PIECE), patience=patience)  # it is over

    with_batches(hasher, scene)


def test_a_patient_piece_does_not_wait_for_lanes_that_have_left() -> None:
    hasher = FakeHasher(4)
    (lane,) = lanes_of(hasher, 1)

    async def scene(batches: Batches) -> None:
        with batches.taking_part():
            with batches.taking_part():
                (task,) = updates(batches, [lane], patient=True)
                await settle()
                assert not hasher.calls
            await settle()
            assert hasher.calls == [[200]]
            await task

    with_batches(hasher, scene)


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        ((10, 0, 5), (10, 0, 5)),
        ((3 * STEP_BYTES, 10, STEP_BYTES), (STEP_BYTES, 10, STEP_BYTES)),
        ((3 * STEP_BYTES, 2 * STEP_BYTES, 4 * STEP_BYTES), (2 * STEP_BYTES,) * 3),
    ],
)
def test_side_by_side_pieces_go_as_far_as_the_shortest_but_not_in_small_steps(
    sizes: tuple[int, ...], taken: tuple[int, ...]
) -> None:
    hasher = FakeHasher(3)
    lanes = lanes_of(hasher, 3)

    async def scene(batches: Batches) -> None:
        tasks = [
            asyncio.ensure_future(batches.update(lane, memoryview(bytes(size)), patient=True))
            for lane, size in zip(lanes, sizes, strict=True)
        ]
        assert await asyncio.gather(*tasks) == list(taken)

    with_batches(hasher, scene)
    assert [lane.digest() for lane in lanes] == [dual_digest(bytes(size)).sha3_256 for size in taken]


def test_a_cancelled_piece_that_is_being_hashed_is_waited_for() -> None:
    gate = Gate()
    hasher = FakeHasher(2, meanwhile=gate)
    lanes = lanes_of(hasher, 2)

    async def scene(batches: Batches) -> None:
        tasks = updates(batches, lanes)
        await gate.reached()
        for _ in range(2):
            tasks[0].cancel()
            await settle()
            assert not tasks[0].done()
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        assert await tasks[1] == len(PIECE)  # the others of the call lose nothing

    with_batches(hasher, scene)


def test_a_cancelled_piece_that_waits_is_never_hashed() -> None:
    gate = Gate()
    hasher = FakeHasher(3, meanwhile=gate)
    lanes = lanes_of(hasher, 3)

    async def scene(batches: Batches) -> None:
        (first,) = updates(batches, lanes[:1])
        await gate.reached()
        waiting, staying = updates(batches, lanes[1:])
        await settle()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.open()
        await asyncio.gather(first, staying)

    with_batches(hasher, scene)
    assert hasher.calls == [[200], [200]]
    assert lanes[1].digest() == dual_digest(b"").sha3_256


def test_an_error_reaches_every_piece_of_the_call_and_the_next_call_is_made() -> None:
    failures = [ZeroDivisionError("once")]

    def fail_once() -> None:
        if failures:
            raise failures.pop()

    hasher = FakeHasher(2, meanwhile=fail_once)
    lanes = lanes_of(hasher, 2)

    async def scene(batches: Batches) -> None:
        with batches.taking_part(), batches.taking_part():
            failed = updates(batches, lanes, patient=True)
            outcomes = await asyncio.gather(*failed, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError] * 2
            assert await asyncio.gather(*updates(batches, lanes)) == [len(PIECE)] * 2

    with_batches(hasher, scene)


def test_pieces_are_let_go_of_when_they_are_hashed() -> None:
    """A slice that is still held would keep a chunk's buffer from being used again."""
    hasher = FakeHasher(4)
    lanes = lanes_of(hasher, 2)

    async def scene(batches: Batches) -> None:
        buffer = bytearray(100)
        with batches.taking_part(), batches.taking_part():
            with memoryview(buffer) as view:
                pieces = [view[:50], view[50:]]
                tasks = [
                    asyncio.ensure_future(batches.update(lane, piece, patient=True))
                    for lane, piece in zip(lanes, pieces, strict=True)
                ]
                await asyncio.gather(*tasks)
                await settle()
                del pieces, tasks
            buffer.extend(b"more")  # BufferError, if any slice were left

    with_batches(hasher, scene)


def test_leaving_drops_what_has_not_begun() -> None:
    gate = Gate()
    hasher = FakeHasher(2, meanwhile=gate)

    async def scene() -> None:
        with Workers(processors=2) as workers:
            batches = Batches(hasher, workers, at_once=2)
            tasks = updates(batches, lanes_of(hasher, 201))
            await settle()
        gate.open()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        hashed = outcomes.count(len(PIECE))
        assert hashed == sum(map(len, hasher.calls)) < 201
        assert all(
            isinstance(outcome, asyncio.CancelledError) for outcome in outcomes if outcome != len(PIECE)
        )

    run(scene())


class Lingering(FakeHasher):
    """Holds on to what it was given, as a thread does for a moment after its call."""

    def update_together(self, lanes: Sequence[HashLane], pieces: Sequence[memoryview]) -> None:
        self.held = list(pieces)
        super().update_together(lanes, pieces)


def test_a_piece_that_was_taken_is_held_by_nobody() -> None:
    """A buffer that somebody holds is not used again, and fresh memory is dear."""
    hasher, buffer = Lingering(2), bytearray(PIECE)
    (lane,) = lanes_of(hasher, 1)

    async def scene(batches: Batches) -> None:
        with memoryview(buffer) as piece:
            assert await batches.update(lane, piece) == len(PIECE)
        buffer.append(0)

    with_batches(hasher, scene)
    assert lane.digest() == dual_digest(PIECE).sha3_256
