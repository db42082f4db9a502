from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.app.pipeline.mark import Mark
from tests.unit.saying import run, settle


def test_what_is_reached_already_is_not_waited_for() -> None:
    async def scene() -> None:
        mark = Mark(5)
        assert await mark.beyond(4) == 5
        assert await mark.reaches(5) == 5
        mark.finish()
        assert await mark.beyond(5) == 5
        assert await mark.reaches(9) == 5

    run(scene())


def test_waiting_ends_when_the_mark_is_there_and_not_before() -> None:
    async def scene() -> None:
        mark = Mark()
        beyond = asyncio.ensure_future(mark.beyond(3))
        reaches = asyncio.ensure_future(mark.reaches(3))
        mark.advance_to(2)
        await settle()
        assert not beyond.done()
        assert not reaches.done()
        mark.advance_to(3)
        await settle()
        assert not beyond.done()
        assert await reaches == 3
        mark.advance_to(7)
        assert await beyond == 7

    run(scene())


def test_the_end_wakes_everybody() -> None:
    async def scene() -> None:
        mark = Mark(1)
        waiting = [asyncio.ensure_future(wait) for wait in (mark.beyond(1), mark.beyond(8), mark.reaches(2))]
        await settle()
        assert not any(task.done() for task in waiting)
        mark.finish()
        assert await asyncio.gather(*waiting) == [1, 1, 1]

    run(scene())


def test_a_failure_reaches_those_who_wait_and_those_who_come_later() -> None:
    async def scene() -> None:
        mark = Mark()
        waiting = asyncio.ensure_future(mark.beyond(0))
        await settle()
        mark.fail(OSError("gone"))
        with pytest.raises(OSError, match="gone"):
            await waiting
        mark.advance_to(9)
        mark.finish()
        for late in (mark.beyond(0), mark.reaches(0)):
            with pytest.raises(OSError, match="gone"):
                await late

    run(scene())


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(1, 3), st.integers(1, 5))
def test_every_lane_sees_every_byte_once_and_in_order(
    advances: list[int], lane_count: int, piece: int
) -> None:
    async def follow(mark: Mark, buffer: bytes) -> bytes:
        seen = b""
        position = 0
        while (ready := await mark.beyond(position)) > position:
            stop = min(ready, position + piece)
            seen += buffer[position:stop]
            position = stop
        return seen

    async def scene() -> None:
        buffer = bytes(range(sum(advances)))
        mark = Mark()
        lanes = [asyncio.ensure_future(follow(mark, buffer)) for _ in range(lane_count)]
        for step in advances:
            mark.advance_to(mark.position + step)
            await asyncio.sleep(0)
        mark.finish()
        assert await asyncio.gather(*lanes) == [buffer] * lane_count

    run(scene())
