"""An outage of hours, and a store that throttles: the source is held back, the pace follows, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from s3duct.domain.claim import STALE_AFTER_S
from s3duct.domain.durations import HOUR_S
from s3duct.domain.errors import RunInProgress, S3ductError, StoreThrottled, StoreUnavailable
from s3duct.domain.events import BytesMoved, PaceChanged, RetryScheduled, RetrySucceeded
from s3duct.domain.retry import RetryPolicy
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for
from tests.fakes.pipe import HangingSource
from tests.fakes.stamped_store import StampedStore
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, turns, until
from tests.usecases.world import CHUNK, PLAIN_KEYS, World, aes, content

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


class Drips(HangingSource):
    """One chunk at once, then a few bytes, then nothing for hours."""

    def read_into(self, view: memoryview) -> int:
        """Copy a chunk, or a drop."""
        return super().read_into(view if self.position < CHUNK else view[:4])


class SlowsDownOnce:
    """A hook: throttles one operation of some kind, which takes until the source hangs."""

    def __init__(self, source: Drips, chosen: Callable[[Operation], bool]) -> None:
        self._source = source
        self._chosen = chosen
        self.has_refused = False

    async def __call__(self, operation: Operation, phase: Phase) -> None:
        """Refuse it."""
        if phase is Phase.BEFORE and not self.has_refused and self._chosen(operation):
            await until(self._source.hangs.is_set)
            await turns()
            self.has_refused = True
            raise StoreThrottled("slow down")


@pytest.mark.parametrize("kind", ["chunk", "journal"])
@on_loop
async def test_a_producer_that_takes_its_time_keeps_nothing_waiting_at_a_slow_pace(kind: str) -> None:
    """The upload of what it has not written yet must not hold the only turn."""
    world = World()
    source = Drips(content(CHUNK + 300))

    def is_chosen(operation: Operation) -> bool:
        if kind == "chunk":
            return operation.key == PLAIN_KEYS[0]
        return "/.resume/" in operation.key and PLAIN_KEYS[0] in world.store.writes

    slows_down = SlowsDownOnce(source, is_chosen)
    assert isinstance(world.bucket, StampedStore)
    world.store.hooks.append(slows_down)
    putting = asyncio.ensure_future(world.put(source))
    await until(lambda: slows_down.has_refused)
    for _ in range(3 * int(STALE_AFTER_S) // 60):
        world.clock.advance(60)
        world.bucket.advance(60)
        await turns()
    await until(lambda: world.journals.recorded() == [0])
    assert isinstance(await failure_of(world.elsewhere().put(content(CHUNK))), RunInProgress)
    source.release.set()
    await putting
    assert await world.restored() == content(CHUNK + 300)


@on_loop
async def test_an_upload_that_takes_hours_does_not_keep_the_run_from_showing_that_it_lives() -> None:
    """Another machine would take the name over."""
    world = World(max_chunks=2)
    assert isinstance(world.bucket, StampedStore)
    stored, attempts = asyncio.Event(), 0

    async def hook(operation: Operation, phase: Phase) -> None:
        nonlocal attempts
        if not operation.writes or operation.key not in PLAIN_KEYS or phase is not Phase.BEFORE:
            return
        attempts += 1
        if attempts == 2:  # of both chunks at once: one at a time from now on
            raise StoreThrottled("slow down")
        await stored.wait()

    world.store.hooks.append(hook)
    putting = asyncio.ensure_future(world.put(content(2 * CHUNK)))
    await until(lambda: bool(world.heard(PaceChanged)))
    for _ in range(3 * int(STALE_AFTER_S) // 60):
        world.clock.advance(60)
        world.bucket.advance(60)
        await turns()
    assert isinstance(await failure_of(world.elsewhere().put(content(CHUNK))), RunInProgress)
    stored.set()
    await putting
    assert await world.restored() == content(2 * CHUNK)


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
