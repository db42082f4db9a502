from __future__ import annotations

import asyncio

import pytest

from s3duct.app.pipeline.stopping import StopRequest
from s3duct.domain.errors import Interrupted
from tests.unit.saying import assert_well_said, run, settle


def test_a_request_is_seen_and_wakes_who_waits_for_it() -> None:
    async def scene() -> None:
        stop = StopRequest()
        waiting = asyncio.ensure_future(stop.wait())
        await settle()
        seen = [stop.is_set, waiting.done()]
        stop.set(15)
        await waiting
        assert [*seen, stop.is_set] == [False, False, True]
        await stop.wait()

    run(scene())


def test_the_first_signal_gives_the_exit_code() -> None:
    stop = StopRequest()
    stop.set(15)
    stop.set(2)
    error = stop.as_error("run it again")
    assert isinstance(error, Interrupted)
    assert (error.signal_number, error.hint) == (15, "run it again")
    assert_well_said(error)


class Work:
    """Goes on until it is let go; tidies up for a while when it is cancelled."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.tidied = False

    async def run(self) -> str:
        try:
            await self.let_go.wait()
            return "done"
        finally:
            await settle()
            self.tidied = True


def test_work_that_nobody_stops_ends_as_it_ends() -> None:
    async def scene() -> None:
        stop, work = StopRequest(), Work()
        others = asyncio.all_tasks()
        ending = asyncio.ensure_future(stop.ends(work.run(), hint="h"))
        await settle()
        assert not ending.done()
        work.let_go.set()
        assert await ending == "done"

        async def fail() -> None:
            raise OSError("as it is")

        with pytest.raises(OSError, match="as it is"):
            await stop.ends(fail(), hint="h")
        assert asyncio.all_tasks() == others

    run(scene())


@pytest.mark.parametrize("asked_before", [True, False])
def test_work_that_is_stopped_has_ended_when_that_is_said(asked_before: bool) -> None:
    async def scene() -> None:
        stop, work = StopRequest(), Work()
        if asked_before:
            stop.set(15)
        ending = asyncio.ensure_future(stop.ends(work.run(), hint="run it again"))
        await settle()
        stop.set(15)
        with pytest.raises(Interrupted) as caught:
            await ending
        assert (caught.value.signal_number, caught.value.hint) == (15, "run it again")
        assert work.tidied

    run(scene())


def test_a_cancellation_from_outside_reaches_the_work() -> None:
    async def scene() -> None:
        stop, work = StopRequest(), Work()
        ending = asyncio.ensure_future(stop.ends(work.run(), hint="h"))
        await settle()
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        assert work.tidied

    run(scene())
