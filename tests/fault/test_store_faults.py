"""Every operation of a put and a get fails once, or for good: before it is sent, in the middle, after it took effect."""

from __future__ import annotations

import pytest

from s3duct.domain.errors import S3ductError, StoreError
from s3duct.domain.sizes import MIB
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import ErrorFactory, fails_at, fails_for, refused, unavailable
from tests.fault.invariant import watched
from tests.fault.scenes import NEW, SCENES, Scene, in_turn, numbered, scene_id
from tests.usecases.loop import forget_frames, on_quick_loop
from tests.usecases.world import CHUNK, PLAIN_KEYS, World, aes, content

PHASES = [Phase.BEFORE, Phase.MIDWAY, Phase.AFTER]


@pytest.mark.parametrize(
    ("scene", "number", "phase"), in_turn(numbered(SCENES), [(phase,) for phase in PHASES]), ids=scene_id
)
@on_quick_loop
async def test_a_put_survives_one_failure_that_a_retry_mends(phase: Phase, scene: Scene, number: int) -> None:
    world = await scene.begin()
    world.store.hooks.append(fails_at(number, phase, unavailable))
    await world.put(NEW, **scene.options)
    assert await world.restored() == NEW
    assert world.journals.contents == {}


@pytest.mark.parametrize(
    ("scene", "number", "phase"),
    in_turn(numbered(SCENES), [(Phase.BEFORE,), (Phase.AFTER,)]),
    ids=scene_id,
)
@on_quick_loop
async def test_a_put_that_fails_for_good_resumes(phase: Phase, scene: Scene, number: int) -> None:
    """From the n-th operation on nothing works any more; then the machine comes back."""
    world = await scene.begin()

    async def hook(operation: Operation, now: Phase) -> None:
        if now is phase and operation.number >= number:
            raise refused()

    world.store.hooks.append(hook)
    try:
        await world.put(NEW, **scene.options)
    except S3ductError as error:
        forget_frames(error)
        await scene.ends_well(world)
    else:
        # All that failed was the removal of what nobody needs, and of the bucket's journal.
        assert all(operation.number < number for operation in world.store.operations if operation.writes)
        assert await world.elsewhere().restored() == NEW


@pytest.mark.parametrize(("scene", "number"), numbered(SCENES[:4]), ids=scene_id)
@on_quick_loop
async def test_a_put_that_is_refused_once_resumes(scene: Scene, number: int) -> None:
    world = await scene.begin()
    world.store.hooks.append(fails_at(number, Phase.BEFORE, refused))
    try:
        await world.put(NEW, **scene.options)
    except S3ductError as error:
        forget_frames(error)
        await scene.ends_well(world)
    else:
        # It was the removal of something, or the look at what there is to remove.
        refused_here = [operation for operation in world.store.operations if operation.number == number]
        assert any(operation.method in ("uploads", "abort") for operation in refused_here) or all(
            operation.number < number for operation in world.store.operations if operation.writes
        )
        assert await world.elsewhere().restored() == NEW


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
@pytest.mark.parametrize("error", [unavailable, refused])
@pytest.mark.parametrize("phase", PHASES, ids=scene_id)
@pytest.mark.parametrize("number", range(1, 6))
@on_quick_loop
async def test_a_get_gives_out_all_or_whole_chunks(
    number: int, phase: Phase, error: ErrorFactory, sealed: bool
) -> None:
    writer = World(cipher=aes() if sealed else None)
    await writer.put(NEW)
    world = writer.elsewhere(max_chunks=2)
    world.store.hooks.append(fails_at(number, phase, error))
    try:
        await world.get()
    except StoreError as raised:
        forget_frames(raised)
        assert error is refused
        assert world.sink.data == NEW[: len(world.sink.data)]
        assert len(world.sink.data) % CHUNK == 0
    else:
        assert error is unavailable
        assert world.sink.data == NEW


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
@pytest.mark.parametrize("error", [unavailable, refused])
@pytest.mark.parametrize("phase", PHASES, ids=scene_id)
@on_quick_loop
async def test_an_upload_in_parts_that_fails(phase: Phase, error: ErrorFactory, sealed: bool) -> None:
    world = watched(World(chunk_bytes=9 * MIB, cipher=aes() if sealed else None))
    data = content(8 * MIB + 5)
    world.store.hooks.append(
        fails_for(lambda operation: operation.method == "put_parts", error=error, phase=phase, times=1)
    )
    try:
        await world.put(data)
    except StoreError as raised:
        forget_frames(raised)
        assert error is refused
        assert (PLAIN_KEYS[0] in await world.objects()) is (phase is Phase.AFTER)
        world = watched(world.restarted())
        await world.put(data)
    assert await world.restored() == data
