"""What may be mended by another try is tried again, on the clock of the test; what may not is told at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from s3duct.domain.errors import (
    AccessDenied,
    BucketNotFound,
    CredentialsUnavailable,
    S3ductError,
    StoreError,
    StoreThrottled,
    StoreUnavailable,
)
from s3duct.domain.events import RetryScheduled
from s3duct.domain.ports.object_store import Bytes, StoredObject
from s3duct.domain.retry import NO_RETRIES, RetryPolicy
from s3duct.domain.sizes import MIB
from tests.fakes.hooked_store import HookedStore, Phase
from tests.fakes.hooks import fails_for, unavailable
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, run
from tests.usecases.world import CHUNK, PLAIN_KEYS, World, aes, content

DATA = content(2 * CHUNK + 1)


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("phase", [Phase.BEFORE, Phase.AFTER])
@pytest.mark.parametrize(
    "key", [PLAIN_KEYS[0], PLAIN_KEYS[2], "stream/.manifest.json"], ids=["first", "last", "manifest"]
)
@on_quick_loop
async def test_a_write_that_fails_a_few_times(key: str, phase: Phase, times: int) -> None:
    world = World()
    world.store.hooks.append(
        fails_for(lambda operation: operation.writes and operation.key == key, phase=phase, times=times)
    )
    await world.put(DATA)
    retries = world.heard(RetryScheduled)
    assert [event.attempt for event in retries] == list(range(1, len(retries) + 1))
    assert world.clock.naps == [event.delay_s for event in retries]
    assert all("not available" in event.reason and event.operation for event in retries)
    # A manifest whose reply is lost is found to be there by the second attempt.
    lost_reply = phase is Phase.AFTER and key.endswith(".manifest.json")
    assert len(retries) == (1 if lost_reply else times)
    assert await world.restored() == DATA


@pytest.mark.parametrize("method", ["head", "list"])
@on_quick_loop
async def test_a_look_that_fails_a_few_times(method: str) -> None:
    world = World()
    world.store.hooks.append(fails_for(lambda operation: operation.method == method, times=3))
    await world.put(DATA)
    assert len(world.clock.naps) == 3
    assert await world.restored() == DATA


@pytest.mark.parametrize(
    "error",
    [StoreUnavailable("x"), StoreThrottled("x"), CredentialsUnavailable("x")],
    ids=lambda e: type(e).__name__,
)
@on_quick_loop
async def test_every_error_that_a_retry_may_mend_is_tried_again(error: S3ductError) -> None:
    world = World()
    world.store.hooks.append(fails_for(lambda operation: operation.writes, error=lambda: error, times=2))
    await world.put(DATA)
    assert len(world.clock.naps) == 2


@pytest.mark.parametrize(
    "error", [StoreError("x"), AccessDenied("x"), BucketNotFound("x")], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("method", ["head", "list", "put"])
@on_quick_loop
async def test_an_error_that_no_retry_mends_is_told_at_once(method: str, error: S3ductError) -> None:
    world = World()
    world.store.hooks.append(fails_for(lambda operation: operation.method == method, error=lambda: error))
    assert await failure_of(world.put(DATA)) is error
    assert not world.clock.naps
    assert not world.heard(RetryScheduled)
    assert not world.journals.held


@on_loop
async def test_the_budget_of_retries_ends() -> None:
    world = World(max_chunks=1)
    world.retry_policy = RetryPolicy(budget_s=100.0, base_s=1.0, cap_s=8.0)
    world.store.hooks.append(fails_for(lambda operation: operation.key == PLAIN_KEYS[1]))
    assert isinstance(await failure_of(world.put(DATA)), StoreUnavailable)
    assert sum(world.clock.naps) == pytest.approx(100.0)
    assert max(world.clock.naps) <= 8.0
    again = world.restarted()
    await again.put(DATA)
    assert await again.restored() == DATA


@on_loop
async def test_the_budget_begins_anew_after_a_success() -> None:
    """It is meant for one spell of trouble, not for all of a long put."""
    world = World(max_chunks=1)
    world.retry_policy = RetryPolicy(budget_s=10.0, base_s=4.0, cap_s=4.0)

    def trouble(key: str) -> None:
        world.store.hooks.append(
            fails_for(lambda operation: operation.writes and operation.key == key, times=2)
        )

    for key in PLAIN_KEYS[:8]:
        trouble(key)
    data = content(8 * CHUNK)
    await world.put(data)
    assert await world.restored() == data
    assert sum(world.clock.naps) > 10.0


@on_loop
async def test_without_retries_the_first_failure_counts() -> None:
    world = World()
    world.retry_policy = NO_RETRIES
    world.store.hooks.append(fails_for(lambda operation: operation.writes, times=1))
    assert isinstance(await failure_of(world.put(DATA)), StoreUnavailable)
    assert not world.clock.naps


@pytest.mark.parametrize("deep", [False, True])
@on_quick_loop
async def test_verify_tries_again(deep: bool) -> None:
    world = World(cipher=aes())
    await world.put(DATA)
    again = world.elsewhere()
    again.store.hooks.append(
        fails_for(lambda op: op.key == PLAIN_KEYS[1] and op.method in ("head", "get"), times=2)
    )
    assert (await again.verify(deep=deep)).ok
    assert len(again.clock.naps) == 2


@on_loop
async def test_list_tries_again() -> None:
    world = World()
    await world.put(DATA)
    again = world.elsewhere()
    again.store.hooks.append(fails_for(lambda operation: operation.method == "get", times=2))
    assert [stream.name for stream in await again.listed()] == ["stream"]
    assert len(again.clock.naps) == 2


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
def test_an_upload_in_parts_that_breaks_off_begins_anew(sealed: bool) -> None:
    """Under a nonce of its own each time: the first part of one attempt never goes with the second of another."""

    async def scenario() -> None:
        world = World(chunk_bytes=9 * MIB, cipher=aes() if sealed else None)
        world.store.hooks += [
            fails_for(lambda op: op.method == "put_parts", error=unavailable, phase=Phase.MIDWAY, times=2),
            fails_for(lambda op: op.method == "put_parts", error=unavailable, phase=Phase.AFTER, times=1),
        ]
        data = content(9 * MIB)
        await world.put(data)
        assert world.store.writes[PLAIN_KEYS[0]] == 4
        assert await world.restored() == data

    run(scenario(), debug=False)


class ShrinkingStore(HookedStore):
    """Says that one byte less was stored, as a store would that cut the object off."""

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        stored = await super().put(key, data, create_only=create_only, storage_class=storage_class)
        return replace(stored, size_bytes=stored.size_bytes - 1) if key == PLAIN_KEYS[1] else stored


@on_loop
async def test_a_write_that_stored_another_size_is_no_success() -> None:
    world = World()
    world.store = ShrinkingStore(world.bucket)
    error = await failure_of(world.put(DATA))
    assert isinstance(error, StoreUnavailable)
    assert "1023 bytes" in error.message
    assert 1 not in world.journals.recorded()
    assert await world.manifest() is None
