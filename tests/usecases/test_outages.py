"""An outage of hours, and a store that throttles: the source is held back, the pace follows, nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from s3duct.domain.durations import HOUR_S
from s3duct.domain.errors import S3ductError, StoreThrottled, StoreUnavailable
from s3duct.domain.events import BytesMoved, PaceChanged, RetryScheduled, RetrySucceeded
from s3duct.domain.retry import RetryPolicy
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for
from tests.usecases.loop import failure_of, on_loop, on_quick_loop
from tests.usecases.world import CHUNK, World, aes, content

CHUNKS = 40
DATA = content(CHUNKS * CHUNK + 5)


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
@on_loop
async def test_the_source_is_held_back_for_as_long_as_the_store_is_away(sealed: bool) -> None:
    """Five hours within a budget of six: what was read meanwhile fits into the buffers."""
    world = World(cipher=aes() if sealed else None, max_chunks=3)
    world.retry_policy = RetryPolicy()
    read_before = read_after = 0

    def read() -> int:
        return sum(event.size_bytes for event in world.heard(BytesMoved))

    async def hook(operation: Operation, phase: Phase) -> None:
        nonlocal read_before, read_after
        if phase is not Phase.BEFORE or not operation.key.endswith(tuple("0123456789")):
            return
        if len(world.store.writes) >= 10 and world.clock.monotonic_s() < 5 * HOUR_S:
            read_before = read_before or read()
            read_after = read()
            raise StoreUnavailable("the store does not answer (connection refused)")

    world.store.hooks.append(hook)
    await world.put(DATA)
    assert await world.restored() == DATA
    assert world.clock.monotonic_s() >= 5 * HOUR_S
    assert 0 < read_before <= read_after <= 10 * CHUNK + 4 * CHUNK
    retries = world.heard(RetryScheduled)
    assert len(retries) > 100
    assert {event.reason for event in retries} == {"the store does not answer (connection refused)"}
    left = [event.left_s for event in retries if event.left_s is not None]
    assert 0.9 * HOUR_S < min(left) < 1.1 * HOUR_S
    assert world.heard(RetrySucceeded)
    assert max(world.clock.naps) <= 60


@on_quick_loop
async def test_an_outage_beyond_the_budget_ends_the_run_and_another_one_resumes() -> None:
    world = World(max_chunks=3)
    world.retry_policy = RetryPolicy(budget_s=HOUR_S)
    away = fails_for(lambda operation: operation.writes and operation.key.endswith("7"))
    world.store.hooks.append(away)
    assert isinstance(await failure_of(world.put(DATA)), StoreUnavailable)
    recorded = world.journals.recorded()
    again = world.restarted()
    await again.put(DATA)
    assert await again.restored() == DATA
    assert not {int(key[-6:]) for key in again.store.writes if "chunk-" in key} & set(recorded)


@on_quick_loop
async def test_a_number_of_retries_is_kept_to() -> None:
    world = World(max_chunks=1)
    world.retry_policy = RetryPolicy(budget_s=float("inf"), max_retries=3)
    attempts: list[str] = []

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.key.endswith("000001") and phase is Phase.BEFORE:
            attempts.append(operation.key)
            raise StoreUnavailable("away")

    world.store.hooks.append(hook)
    assert isinstance(await failure_of(world.put(DATA)), StoreUnavailable)
    assert len(attempts) == 4


class Busy:
    """A hook: throttles whatever comes while `most` operations are under way already."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.under_way = 0
        self.refused = 0
        self.peak = 0

    async def __call__(self, operation: Operation, phase: Phase) -> None:
        """Refuse, or take a while."""
        if operation.method not in ("put", "get") or phase is not Phase.BEFORE:
            return
        if self.under_way >= self.most:
            self.refused += 1
            raise StoreThrottled("the store asks to slow down: SlowDown")
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        try:
            for _ in range(300):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1


@pytest.mark.parametrize("most", [1, 2, 4])
@on_quick_loop
async def test_a_throttling_store_slows_the_run_down_rather_than_failing_it(most: int) -> None:
    """The limit shows in what the store has to refuse: with eight at a time it would be most of the tries."""
    world = World(max_chunks=8)
    world.retry_policy = RetryPolicy()
    busy = Busy(most)
    world.store.hooks.append(busy)
    await world.put(DATA)
    assert busy.peak == most
    limits = [event.at_once for event in world.heard(PaceChanged)]
    assert limits
    assert min(limit for limit in limits if limit is not None) <= most
    assert busy.refused < CHUNKS
    reader = world.elsewhere(max_chunks=8)
    reader.store.hooks.append(Busy(most))
    assert await reader.restored() == DATA


@on_quick_loop
async def test_a_pace_that_was_slowed_down_comes_back() -> None:
    world = World(max_chunks=8)
    world.store.hooks.append(
        fails_for(lambda operation: operation.writes, error=lambda: StoreThrottled("slow down"), times=6)
    )
    await world.put(DATA)
    limits = [event.at_once for event in world.heard(PaceChanged)]
    assert limits[0] is not None
    assert limits[-1] is None
    assert await world.restored() == DATA


@on_quick_loop
async def test_list_goes_on_where_the_listing_broke_off() -> None:
    world = World()
    for number in range(5):
        other = world.elsewhere(name=f"s{number}", seed=number)
        await other.put(content(CHUNK, number))
    failed = 0

    async def hook(operation: Operation, phase: Phase) -> None:
        nonlocal failed
        if operation.method == "list" and phase is Phase.MIDWAY and failed < 3:
            failed += 1
            raise StoreUnavailable("away")

    reader = world.elsewhere()
    reader.store.hooks.append(hook)
    assert [stream.name for stream in await reader.listed()] == [f"s{number}" for number in range(5)]
    assert failed


@on_quick_loop
async def test_a_listing_that_is_refused_is_told() -> None:
    world = World()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.method == "list":
            raise S3ductError("refused")

    world.store.hooks.append(hook)
    assert (await failure_of(world.listed())).message == "refused"
