"""What `ports.clock` promises, over the system's clock and the fake."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.clock import SystemClock
from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from s3duct.domain.ports.clock import Clock


@pytest.fixture(params=[SystemClock, FakeClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


def test_now_has_its_zone_and_it_is_utc(clock: Clock) -> None:
    assert clock.now().tzinfo is UTC
    assert clock.now().utcoffset() == timedelta(0)


def test_steady_seconds_never_go_back(clock: Clock) -> None:
    seen = [clock.monotonic_s() for _ in range(1000)]
    assert seen == sorted(seen)


def test_a_sleep_passes_that_much_time(clock: Clock) -> None:
    wall, steady = clock.now(), clock.monotonic_s()
    asyncio.run(clock.sleep(0.05))
    # The event loop's timer may fire a clock tick early.
    assert clock.monotonic_s() - steady >= 0.049
    assert clock.now() > wall


def test_others_get_a_turn_during_a_sleep(clock: Clock) -> None:
    order: list[str] = []

    async def scenario() -> None:
        async def other() -> None:
            order.append("other")

        task = asyncio.ensure_future(other())
        await clock.sleep(0.01)
        order.append("slept")
        await task

    asyncio.run(scenario())
    assert order == ["other", "slept"]


def test_a_sleep_can_be_cancelled(clock: Clock) -> None:
    async def scenario() -> None:
        task = asyncio.ensure_future(clock.sleep(3600))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - started < 5


def test_the_system_clock_tells_the_time() -> None:
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(seconds=2)
