"""The process dies, or is cancelled, at every operation: before it is sent, or when it has taken effect."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from s3duct.domain.errors import ResumeError, S3ductError, StreamExists
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import Crash
from tests.fault.invariant import check, watched
from tests.fault.scenes import NEW, OLD, SCENES, Scene, in_turn, numbered, scene_id, visible
from tests.support.sweeps import in_rotation
from tests.usecases.loop import forget_frames, on_quick_loop
from tests.usecases.world import CHUNK, World, content

PHASES = [Phase.BEFORE, Phase.AFTER]
SOON_S = 15


async def crashed(crash: Crash, putting: asyncio.Task[object]) -> None:
    """Wait for the crash (or the end of a put that got by without that operation), and let nothing happen after it."""
    happened = asyncio.ensure_future(crash.happened.wait())
    await asyncio.wait({happened, putting}, return_when=asyncio.FIRST_COMPLETED)
    happened.cancel()
    putting.cancel()
    await asyncio.wait({putting}, timeout=SOON_S)
    assert putting.done()


@pytest.mark.parametrize(("scene", "number"), numbered(SCENES), ids=scene_id)
@pytest.mark.parametrize("phase", PHASES, ids=scene_id)
@on_quick_loop
async def test_a_put_that_dies_at_any_operation_resumes(phase: Phase, scene: Scene, number: int) -> None:
    """Nothing that the store is asked from that moment on ever comes back, clean-up included."""
    world = await scene.begin()
    crash = Crash(number, phase)
    world.store.hooks.append(crash)
    putting: asyncio.Task[object] = asyncio.ensure_future(world.put(NEW, **scene.options))
    await crashed(crash, putting)
    await scene.ends_well(world)


@pytest.mark.parametrize(
    ("scene", "number", "phase"), in_turn(numbered(SCENES), [(phase,) for phase in PHASES]), ids=scene_id
)
@on_quick_loop
async def test_a_put_that_is_cancelled_at_any_operation_resumes(
    phase: Phase, scene: Scene, number: int
) -> None:
    """The store goes on: what was under way may still take effect."""
    world = await scene.begin()
    putting: asyncio.Task[object]

    async def hook(operation: Operation, now: Phase) -> None:
        if operation.number == number and now is phase:
            putting.cancel()
            await asyncio.sleep(0)

    world.store.hooks.append(hook)
    putting = asyncio.ensure_future(world.put(NEW, **scene.options))
    await asyncio.wait({putting}, timeout=SOON_S)
    assert putting.done()
    if not putting.cancelled() and isinstance(error := putting.exception(), S3ductError):
        forget_frames(error)
    await scene.ends_well(world)


# With the name claimed, before any chunk is stored, with one on record, with two, and after the manifest.
FIRST = [
    (3, Phase.AFTER),
    (8, Phase.BEFORE),
    (10, Phase.AFTER),
    (13, Phase.AFTER),
    (23, Phase.AFTER),
]
SECOND = {
    "shorter": (NEW[: CHUNK + 9], {"strict_resume": False}),
    "longer": (NEW + content(CHUNK, 2), {"strict_resume": False}),
    "other": (content(2 * CHUNK, 3), {"clobber": True}),
}


@pytest.mark.parametrize("first", FIRST, ids=lambda first: f"{first[1].value} {first[0]}")
@pytest.mark.parametrize("between", [False, True], ids=["", "another stream"])
@pytest.mark.parametrize(("number", "second"), in_rotation([2, 4, 8, 11], list(SECOND), chosen=[8]))
@on_quick_loop
async def test_a_put_after_two_that_died(
    number: int, second: str, between: bool, first: tuple[int, Phase]
) -> None:
    """The second one with other options and another input, and perhaps a finished stream of another machine between."""
    world = watched(World(max_chunks=1))
    await dies(world, Crash(*first), NEW)
    before = await visible(world)
    if between and before is None:
        await world.elsewhere().put(OLD, resume=False, takeover=True)
        before = OLD
    data, options = SECOND[second]
    world = watched(world.restarted())
    await dies(world, Crash(number, Phase.AFTER), data, **options)
    await check(world)
    now = await visible(world)
    assert now in {before, data}
    for clobber in (False, True):
        world = watched(world.restarted())
        try:
            await world.put(NEW, clobber=clobber)
        except (ResumeError, StreamExists) as error:
            forget_frames(error)
            assert await visible(world) == now
        else:
            assert await visible(world) == NEW
            now = NEW


async def dies(world: World, crash: Crash, data: bytes, **options: Any) -> None:
    """Put, and die."""
    world.store.hooks.append(crash)
    putting: asyncio.Task[object] = asyncio.ensure_future(world.put(data, **options))
    await crashed(crash, putting)
    if not putting.cancelled() and (error := putting.exception()) is not None:
        assert isinstance(error, S3ductError)
        forget_frames(error)


@pytest.mark.parametrize("call", ["start", "append", "discard"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("scene", SCENES, ids=scene_id)
@on_quick_loop
async def test_a_put_that_dies_at_a_journal_record_resumes(scene: Scene, after: bool, call: str) -> None:
    """Whether the record has reached the disk or not: from then on this process writes nothing any more."""
    world = await scene.begin()
    loop, dead = asyncio.get_running_loop(), asyncio.Event()
    seen = 0

    def die(method: str) -> None:
        nonlocal seen
        if seen or method != call:
            if seen and method in ("start", "append", "discard"):
                raise SystemError("the dead do not write")
            return
        seen += 1
        loop.call_soon_threadsafe(dead.set)
        if not after:
            raise SystemError("the dead do not write")

    if after:
        world.journals.after_call = die
    world.journals.on_call = die if not after else lambda method: die(method) if seen else None

    async def hook(operation: Operation, phase: Phase) -> None:
        if seen:
            await asyncio.Event().wait()

    world.store.hooks.append(hook)
    putting: asyncio.Task[object] = asyncio.ensure_future(world.put(NEW, **scene.options))
    died = asyncio.ensure_future(dead.wait())
    await asyncio.wait({died, putting}, return_when=asyncio.FIRST_COMPLETED)
    died.cancel()
    putting.cancel()
    await asyncio.wait({putting}, timeout=SOON_S)
    assert putting.done()
    if not putting.cancelled() and (error := putting.exception()) is not None:
        forget_frames(error)
    await scene.ends_well(world)
