"""The pace halves when the store throttles, comes back step by step, and the pacer keeps to it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.pacing import Pacer
from s3duct.domain.errors import StoreThrottled, StoreUnavailable
from s3duct.domain.events import Event, PaceChanged, ignore_events
from s3duct.domain.pacing import Pace
from tests.unit.saying import run


def test_there_is_no_limit_before_anything_was_throttled() -> None:
    assert Pace().at_once is None
    assert Pace().admits(10**6)
    assert Pace().succeeded() == Pace()


def test_a_throttled_operation_halves_what_is_under_way() -> None:
    pace = Pace().throttled(number=3, begun=10, under_way=10)
    assert pace.at_once == 5
    assert pace.admits(4)
    assert not pace.admits(5)
    assert pace.throttled(number=11, begun=15, under_way=5).at_once == 2


def test_operations_that_had_begun_before_do_not_halve_it_again() -> None:
    """Ten that are refused in one moment are one sign, not ten."""
    pace = Pace()
    for number in range(1, 11):
        pace = pace.throttled(number=number, begun=10, under_way=11 - number)
    assert pace.at_once == 5


def test_two_rounds_of_successes_add_one_until_it_is_back() -> None:
    pace = Pace().throttled(number=1, begun=8, under_way=8)
    assert pace.at_once == 4
    for _ in range(9):  # the limit grows while the round goes on
        pace = pace.succeeded()
    assert pace.at_once == 5
    for _ in range(100):
        pace = pace.succeeded()
    assert pace.at_once is None


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=200))
def test_one_is_always_admitted_and_the_limit_never_passes_its_ceiling(
    answers: list[tuple[bool, int]],
) -> None:
    pace = Pace()
    for number, (throttled, under_way) in enumerate(answers, start=1):
        pace = (
            pace.throttled(number=number, begun=number, under_way=under_way)
            if throttled
            else pace.succeeded()
        )
        assert pace.admits(0)
        assert pace.limit is None or 1 <= pace.limit <= pace.ceiling


class Bench:
    """A pacer, and operations that end when they are told to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.pacer = Pacer(self.events.append)
        self.under_way: list[asyncio.Future[None]] = []

    async def operation(self, arriving: Mark | None = None) -> None:
        async with self.pacer.turn(arriving):
            answer = asyncio.get_running_loop().create_future()
            self.under_way.append(answer)
            try:
                await answer
            finally:
                self.under_way.remove(answer)

    def start(self, count: int) -> list[asyncio.Task[None]]:
        return [asyncio.ensure_future(self.operation()) for _ in range(count)]

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def slow_down(self) -> None:
        """Have two refused: from now on there is one at a time."""
        throttled = self.start(2)
        await self.settle()
        await self.answer_all(StoreThrottled("slow down"))
        assert all(task.exception() for task in throttled)

    async def answer_all(self, error: Exception | None = None) -> None:
        for answer in list(self.under_way):
            if error is None:
                answer.set_result(None)
            else:
                answer.set_exception(error)
        await self.settle()


def test_after_a_throttle_fewer_are_under_way_and_all_get_their_turn() -> None:
    async def scenario() -> None:
        bench = Bench()
        first = bench.start(8)
        await bench.settle()
        assert len(bench.under_way) == 8
        await bench.answer_all(StoreThrottled("slow down"))
        assert all(isinstance(task.exception(), StoreThrottled) for task in first)
        second = bench.start(60)
        await bench.settle()
        assert len(bench.under_way) == 4
        most = 0
        while bench.under_way:
            await bench.answer_all()
            most = max(most, len(bench.under_way))
        assert all(task.done() and task.exception() is None for task in second)
        assert most > 4
        limits = [event.at_once for event in bench.events if isinstance(event, PaceChanged)]
        assert limits == [4, 5, 6, 7, None]

    run(scenario())


def test_what_waits_for_the_producer_keeps_no_other_from_its_turn() -> None:
    async def scenario() -> None:
        bench, mark, later = Bench(), Mark(), Mark()
        arriving = asyncio.ensure_future(bench.operation(mark))
        throttled = bench.start(1)
        await bench.settle()
        bench.under_way[1].set_exception(StoreThrottled("slow down"))  # one at a time from now on
        await bench.settle()
        others = bench.start(2)
        others.append(asyncio.ensure_future(bench.operation(later)))
        for _ in others[:2]:
            await bench.settle()
            assert len(bench.under_way) == 2  # that one, which is not counted, and one of the others
            bench.under_way[1].set_result(None)
        await bench.settle()
        assert len(bench.under_way) == 1  # at this pace none begins whose bytes are not there
        mark.finish()
        later.finish()
        await bench.settle()
        assert len(bench.under_way) == 1  # now it is counted
        await bench.answer_all()
        assert len(bench.under_way) == 1
        await bench.answer_all()
        assert all(task.exception() is None for task in (arriving, *others))
        assert all(task.exception() for task in throttled)

    run(scenario())


def test_who_may_not_wait_for_long_goes_without_a_turn() -> None:
    async def scenario() -> None:
        bench, over = Bench(), asyncio.Event()

        async def hurried() -> None:
            async with bench.pacer.turn(most_wait=over.wait):
                assert len(bench.under_way) == 1

        await bench.slow_down()
        (one,) = bench.start(1)
        waiting = asyncio.ensure_future(hurried())
        await bench.settle()
        assert not waiting.done()
        over.set()
        await waiting
        await bench.answer_all()
        await hurried_alone(bench)
        assert one.exception() is None

    async def hurried_alone(bench: Bench) -> None:
        async with bench.pacer.turn(most_wait=asyncio.Event().wait):  # there is a turn: nobody waits
            pass

    run(scenario())


def test_what_still_arrives_shows_how_much_was_too_much() -> None:
    """Two were: the limit of one is not lifted by the first success."""

    async def scenario() -> None:
        bench, mark = Bench(), Mark()
        arriving = asyncio.ensure_future(bench.operation(mark))
        (throttled,) = bench.start(1)
        await bench.settle()
        bench.under_way[1].set_exception(StoreThrottled("slow down"))
        (other,) = bench.start(1)
        await bench.settle()
        bench.under_way[1].set_result(None)
        await bench.settle()
        assert [event.at_once for event in bench.events if isinstance(event, PaceChanged)] == [1]
        await bench.answer_all()
        assert [bool(task.exception()) for task in (arriving, throttled, other)] == [False, True, False]

    run(scenario())


def test_a_limit_that_is_lifted_lets_begin_what_still_arrives() -> None:
    async def scenario() -> None:
        bench = Bench()
        await bench.slow_down()
        arriving = asyncio.ensure_future(bench.operation(Mark()))
        for _ in range(4):
            bench.start(1)
            await bench.settle()
            await bench.answer_all()
        assert bench.events[-1] == PaceChanged(None)
        await bench.settle()
        await bench.answer_all()
        assert arriving.done()

    run(scenario())


def test_what_can_never_arrive_fails_the_wait_for_it() -> None:
    async def scenario() -> None:
        bench, mark = Bench(), Mark()
        await bench.slow_down()
        waiting = asyncio.ensure_future(bench.operation(mark))
        await bench.settle()
        mark.fail(OSError("gone"))
        with pytest.raises(OSError, match="gone"):
            await waiting

    run(scenario())


def test_what_is_throttled_while_it_waits_for_the_producer_slows_down_as_well() -> None:
    async def scenario() -> None:
        bench = Bench()
        tasks = [*bench.start(3), asyncio.ensure_future(bench.operation(Mark()))]
        await bench.settle()
        bench.under_way[3].set_exception(StoreThrottled("slow down"))
        await bench.settle()
        assert [event.at_once for event in bench.events if isinstance(event, PaceChanged)] == [2]
        await bench.answer_all()
        assert [bool(task.exception()) for task in tasks] == [False, False, False, True]

    run(scenario())


def test_a_cancelled_wait_takes_no_turn() -> None:
    async def scenario() -> None:
        bench = Bench()
        await bench.slow_down()
        waiting = bench.start(4)
        await bench.settle()
        assert len(bench.under_way) == 1
        waiting[1].cancel()
        waiting[2].cancel()
        await bench.settle()
        while bench.under_way:
            await bench.answer_all()
        assert [task.cancelled() for task in waiting] == [False, True, True, False]

    run(scenario())


@pytest.mark.parametrize("error", [StoreUnavailable("lost"), OSError("odd")])
def test_other_failures_say_nothing_of_the_pace(error: Exception) -> None:
    async def scenario() -> None:
        bench = Bench()
        tasks = bench.start(4)
        await bench.settle()
        await bench.answer_all(error)
        assert all(task.exception() is error for task in tasks)
        more = bench.start(9)
        await bench.settle()
        assert len(bench.under_way) == 9
        await bench.answer_all()
        assert all(task.exception() is None for task in more)
        assert bench.events == []

    run(scenario())


def test_nobody_has_to_hear_of_it() -> None:
    async def scenario() -> None:
        async with Pacer(ignore_events).turn():
            pass

    run(scenario())
