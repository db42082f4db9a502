from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.app.pipeline.parallel import cancel_all, for_each, side_by_side
from tests.unit.saying import run, settle


class Endless:
    """Work that goes on until it is cancelled, and then tidies up for a while."""

    def __init__(self) -> None:
        self.started = False
        self.tidied = False

    async def run(self) -> None:
        self.started = True
        try:
            await asyncio.Event().wait()
        finally:
            await settle()
            self.tidied = True


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def fail_soon() -> None:
    await settle()
    raise OSError("first")


def test_both_results_come_in_their_order() -> None:
    async def text() -> str:
        return "b"

    assert run(side_by_side(give(1), text())) == (1, "b")


@pytest.mark.parametrize("failing_first", [True, False])
def test_the_first_error_ends_the_other_one_which_is_waited_for(failing_first: bool) -> None:
    async def scene() -> None:
        other = Endless()
        pair = (fail_soon(), other.run()) if failing_first else (other.run(), fail_soon())
        with pytest.raises(OSError, match="first"):
            await side_by_side(*pair)
        assert other.started
        assert other.tidied

    run(scene())


@pytest.mark.parametrize("ticks", range(6))
@pytest.mark.parametrize("many", [False, True], ids=["side by side", "for each"])
def test_a_cancellation_is_not_lost_to_an_error_of_the_same_moment(ticks: int, *, many: bool) -> None:
    """Whoever asks for a stop would see another attempt instead."""

    async def scene() -> None:
        async def fails_after_a_stop() -> None:
            await settle()
            running.cancel()
            for _ in range(ticks):
                await asyncio.sleep(0)
            raise OSError("first")

        async def work(number: int) -> None:
            await (Endless().run() if number else fails_after_a_stop())

        running = asyncio.ensure_future(
            for_each(range(2), work, at_once=2) if many else side_by_side(work(0), work(1))
        )
        with pytest.raises(asyncio.CancelledError):
            await running

    run(scene())


def test_one_that_ends_as_cancelled_unasked_ends_the_other_one() -> None:
    async def scene() -> None:
        async def cancels_itself() -> None:
            await settle()
            raise asyncio.CancelledError

        other = Endless()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(side_by_side(other.run(), cancels_itself()), 20)
        assert other.tidied

    run(scene())


def test_side_by_side_passes_a_cancellation_on_to_both_and_waits_for_them() -> None:
    async def scene() -> None:
        one, two = Endless(), Endless()
        both = asyncio.ensure_future(side_by_side(one.run(), two.run()))
        await settle()
        both.cancel()
        with pytest.raises(asyncio.CancelledError):
            await both
        assert one.tidied
        assert two.tidied

    run(scene())


@given(st.integers(0, 12), st.integers(1, 5), st.randoms(use_true_random=False))
def test_every_item_is_worked_on_once_and_not_too_many_at_once(
    count: int, at_once: int, dice: object
) -> None:
    done: list[int] = []
    running = 0
    peak = 0

    async def work(item: int) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        for _ in range(item % 4):
            await asyncio.sleep(0)
        running -= 1
        done.append(item)

    run(for_each(range(count), work, at_once=at_once))
    assert sorted(done) == list(range(count))
    assert peak <= at_once
    assert running == 0


def test_items_are_taken_side_by_side_while_there_are_some() -> None:
    """Three that wait for one another end only if they run at once."""
    barrier = asyncio.Barrier(3)

    async def work(_: int) -> None:
        async with barrier:
            pass

    run(for_each(range(6), work, at_once=3))


def test_the_first_failing_item_ends_the_others_and_begins_no_more() -> None:
    async def scene() -> None:
        begun: list[int] = []
        endless = Endless()

        async def work(item: int) -> None:
            begun.append(item)
            await (fail_soon() if item == 1 else endless.run())

        with pytest.raises(OSError, match="first"):
            await for_each(range(100), work, at_once=2)
        assert begun == [0, 1]
        assert endless.tidied

    run(scene())


def test_for_each_passes_a_cancellation_on() -> None:
    async def scene() -> None:
        endless = Endless()
        working = asyncio.ensure_future(for_each([0], lambda _: endless.run(), at_once=4))
        await settle()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert endless.tidied

    run(scene())


def test_cancelling_all_waits_for_those_that_run_and_minds_no_outcome() -> None:
    async def scene() -> None:
        endless = Endless()
        tasks: list[asyncio.Future[object]] = [
            asyncio.ensure_future(endless.run()),
            asyncio.ensure_future(give(1)),
            asyncio.ensure_future(fail_soon()),
        ]
        await settle()
        await cancel_all(iter(tasks))
        assert endless.tidied
        assert all(task.done() for task in tasks)

    run(scene())
