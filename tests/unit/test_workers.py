from __future__ import annotations

import asyncio
import gc
import threading
from functools import partial

import pytest

from s3duct.app.pipeline.workers import BlockingThread, Workers
from tests.support.no_memory import refuse_memory
from tests.unit.saying import run, settle

LONG_S = 20  # never waited for in full: only a test that fails would


def test_work_runs_on_a_thread_of_the_pool() -> None:
    async def scene() -> None:
        with Workers() as workers:
            thread = await workers.run(threading.current_thread)
            assert thread is not threading.current_thread()
            assert thread.name.startswith("s3duct-worker")
            assert await workers.run(divmod, 7, 2) == (3, 1)
            assert await workers.run(int, "ff", base=16) == 255

    run(scene())


def test_two_pieces_of_work_run_side_by_side() -> None:
    async def scene() -> None:
        barrier = threading.Barrier(2, timeout=LONG_S)
        with Workers() as workers:
            await asyncio.gather(workers.run(barrier.wait), workers.run(barrier.wait))

    run(scene())


def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    async def scene() -> None:
        with Workers() as workers:
            with pytest.raises(ZeroDivisionError):
                await workers.run(divmod, 1, 0)
            assert await workers.run(len, "still there") == 11

    run(scene())


def test_cancelled_work_is_waited_for_until_it_has_let_go_of_its_buffer() -> None:
    async def scene() -> None:
        begun, go_on = threading.Event(), threading.Event()
        buffer = bytearray(1)

        def write() -> None:
            begun.set()
            go_on.wait(LONG_S)
            buffer[0] = 1

        with Workers() as workers:
            task = asyncio.ensure_future(workers.run(write))
            await asyncio.to_thread(begun.wait, LONG_S)
            for _ in range(2):
                task.cancel()
                await settle()
                assert not task.done()
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert buffer == b"\x01"

    run(scene())


def test_leaving_does_not_wait_and_drops_what_has_not_begun() -> None:
    async def scene() -> None:
        go_on = threading.Event()
        began: list[int] = []

        def work(number: int) -> None:
            began.append(number)
            go_on.wait(LONG_S)

        try:
            with Workers() as workers:
                tasks = [asyncio.ensure_future(workers.run(work, number)) for number in range(1000)]
                await settle()
            assert len(began) < 1000
        finally:
            go_on.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert len(began) < 1000
        assert sum(outcome is None for outcome in outcomes) == len(began)

    run(scene())


def test_a_thread_that_waits_holds_on_to_nothing_it_was_given() -> None:
    """A buffer that somebody holds is not used again, and fresh memory is dear."""
    buffer = bytearray(100)

    async def scene() -> None:
        thread = BlockingThread("test")
        assert await thread.call(len, memoryview(buffer)) == 100
        for _ in range(1000):  # it waits for the next call soon, not at once
            try:
                buffer.append(0)
                break
            except BufferError:
                await asyncio.sleep(0.001)
        thread.close()

    run(scene())
    assert len(buffer) == 101


def test_calls_run_on_one_thread_in_the_order_they_were_made() -> None:
    async def scene() -> None:
        thread = BlockingThread("test")
        seen: list[tuple[int, threading.Thread]] = []

        def call(number: int) -> int:
            seen.append((number, threading.current_thread()))
            return number

        posted = range(5, 10)
        first = [asyncio.ensure_future(thread.call(call, number)) for number in range(5)]
        await settle()
        for number in posted:
            thread.post(partial(call, number))
        assert await asyncio.gather(*first) == list(range(5))
        assert await thread.call(call, number=10) == 10
        assert [number for number, _ in seen] == list(range(11))
        (only,) = {worker for _, worker in seen}
        assert only is not threading.current_thread()
        assert only.name == "s3duct-test"
        assert only.daemon
        thread.close()
        await asyncio.to_thread(only.join, LONG_S)
        assert not only.is_alive()

    run(scene())


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyboardInterrupt("x"), SystemExit(1)])
def test_an_error_of_a_call_is_raised_and_the_thread_lives_on(error: BaseException) -> None:
    async def scene() -> None:
        thread = BlockingThread("test")

        def fail() -> None:
            raise error

        thread.post(fail)
        caught: BaseException | None = None
        try:
            await thread.call(fail)
        except BaseException as raised:  # noqa: BLE001 - KeyboardInterrupt is one of those
            caught = raised
        assert caught is error
        assert await thread.call(len, "ab") == 2
        thread.close()

    run(scene())


def heard_by_the_loop() -> list[object]:
    """Return the list to which the running loop adds what it would otherwise print."""
    heard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    return heard


def test_nobody_hears_how_a_posted_call_ends() -> None:
    async def scene() -> None:
        heard = heard_by_the_loop()
        thread = BlockingThread("test")
        thread.post(lambda: divmod(1, 0))
        await thread.call(len, "")
        thread.close()
        gc.collect()
        await settle()
        assert heard == []

    run(scene())


def test_an_error_that_no_future_can_carry_is_told_all_the_same() -> None:
    async def scene() -> None:
        thread = BlockingThread("test")
        with pytest.raises(RuntimeError, match="StopIteration"):
            await thread.call(next, iter(()))
        thread.close()

    run(scene())


def test_a_result_that_there_is_no_memory_to_hand_over_is_handed_over_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> None:
        thread = BlockingThread("test")
        refused = refuse_memory(monkeypatch, times=2)
        assert await thread.call(len, "abc") == 3
        assert refused == ["_deliver"] * 2
        thread.close()

    run(scene())


def test_a_call_that_never_returns_holds_up_neither_the_loop_nor_the_end() -> None:
    release = threading.Event()
    begun = threading.Event()
    returned = threading.Event()

    def hang() -> None:
        begun.set()
        release.wait(LONG_S)
        returned.set()

    async def scene() -> None:
        thread = BlockingThread("test")
        task = asyncio.ensure_future(thread.call(hang))
        await asyncio.to_thread(begun.wait, LONG_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        thread.close()

    run(scene())
    assert not returned.is_set()
    release.set()  # the call returns to a loop that has ended: nobody minds
    assert returned.wait(LONG_S)


def test_what_comes_back_after_it_was_given_up_disturbs_nobody() -> None:
    async def scene() -> None:
        heard = heard_by_the_loop()
        thread = BlockingThread("test")
        begun, release = threading.Event(), threading.Event()

        def slow() -> str:
            begun.set()
            release.wait(LONG_S)
            return "late"

        given_up = asyncio.ensure_future(thread.call(slow))
        await asyncio.to_thread(begun.wait, LONG_S)
        given_up.cancel()
        await settle()
        release.set()
        assert await thread.call(len, "abc") == 3
        await settle()
        assert given_up.cancelled()
        assert heard == []
        thread.close()

    run(scene())
