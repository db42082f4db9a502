"""A put sleeps at any operation; another machine takes it over; then the first one wakes up and goes on as if nothing were.

Whatever order that happens in: no manifest ever names a chunk that is missing or another run's (`invariant.watched` looks at
every write), and one of the two inputs is there whole in the end.
"""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Any

import pytest

from s3duct.domain.errors import ExitCode, RunInProgress, S3ductError, StreamExists
from tests.fakes.hooked_store import Operation, Phase
from tests.fault.invariant import check, watched
from tests.fault.scenes import NEW, SCENES, Scene, in_turn, numbered, scene_id, visible
from tests.usecases.loop import forget_frames, on_quick_loop
from tests.usecases.world import CHUNK, World, content

OTHER = content(3 * CHUNK, 9)
# Continue it, or leave it aside with another input.
SECOND: dict[str, tuple[bytes, dict[str, Any]]] = {
    "goes on": (NEW, {}),
    "starts over": (OTHER, {"resume": False}),
}
SOON_S = 15


class Sleep:
    """A hook: the operation with that number, and all after it, wait until it is over."""

    def __init__(self, number: int, phase: Phase) -> None:
        self._number = number
        self._phase = phase
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

    async def __call__(self, operation: Operation, phase: Phase) -> None:
        if operation.number == self._number and phase is self._phase:
            self.begun.set()
        if self.begun.is_set():
            await self.over.wait()


@pytest.mark.parametrize(
    ("scene", "number", "phase", "second"),
    in_turn(numbered(SCENES), list(product([Phase.BEFORE, Phase.AFTER], SECOND))),
    ids=scene_id,
)
@on_quick_loop
async def test_a_put_that_was_taken_over_in_its_sleep(
    second: str, phase: Phase, scene: Scene, number: int
) -> None:
    world = await scene.begin()
    sleep = Sleep(number, phase)
    first = await put_until(sleep, world, scene)
    world.let_claims_go_stale()

    data, options = SECOND[second]
    other = watched(world.elsewhere())
    taken = await succeeds(asyncio.ensure_future(other.put(data, **{**scene.options, **options})))
    sleep.over.set()
    kept = await succeeds(first)
    await check(world)
    await check(other)
    assert taken or kept
    assert await visible(world) in {data if taken else None, NEW if kept else None} - {None}


@pytest.mark.parametrize(
    ("scene", "number", "died_at"),
    in_turn(numbered(SCENES[:2]), [(5,), (9,), (13,), (17,)]),
    ids=scene_id,
)
@on_quick_loop
async def test_a_put_that_was_taken_over_by_one_that_died(scene: Scene, number: int, died_at: int) -> None:
    """The first one goes on beside what the second one left; a third one ends it."""
    world = await scene.begin()
    sleep = Sleep(number, Phase.BEFORE)
    first = await put_until(sleep, world, scene)
    world.let_claims_go_stale()

    other = watched(world.elsewhere())
    second = await put_until(Sleep(died_at, Phase.AFTER), other, scene)
    second.cancel()
    await asyncio.wait({second}, timeout=SOON_S)
    if not second.cancelled() and (error := second.exception()) is not None:
        forget_frames(error)
    sleep.over.set()
    kept = await succeeds(first)
    await check(world)
    if not kept and await visible(world) is None:
        world.let_claims_go_stale()
        third = watched(world.elsewhere(seed=5000))
        await third.put(NEW, **scene.options)
    assert await visible(world) == NEW


async def put_until(sleep: Sleep, world: World, scene: Scene) -> asyncio.Task[Any]:
    """Begin the scene's put, and wait until it sleeps (or has ended without that operation)."""
    world.store.hooks.append(sleep)
    putting: asyncio.Task[Any] = asyncio.ensure_future(world.put(NEW, **scene.options))
    asleep = asyncio.ensure_future(sleep.begun.wait())
    await asyncio.wait({putting, asleep}, return_when=asyncio.FIRST_COMPLETED)
    asleep.cancel()
    return putting


async def succeeds(putting: asyncio.Task[Any]) -> bool:
    """Wait for a put; whether it ended well. If not, it says that the other one was in its way."""
    await asyncio.wait({putting}, timeout=SOON_S)
    assert putting.done()
    error = putting.exception()
    if error is None:
        return True
    assert isinstance(error, S3ductError), error
    assert isinstance(error, (RunInProgress, StreamExists)), error
    assert error.exit_code in (ExitCode.BUSY, ExitCode.EXISTS)
    forget_frames(error)
    return False


@on_quick_loop
async def test_two_puts_that_begin_in_the_same_moment_where_conditions_are_ignored() -> None:
    """Neither uses keys that the other may use, and one of them notices."""
    worlds = [watched(World())]
    worlds.append(watched(worlds[0].elsewhere()))
    put = worlds[0].bucket.put

    async def unconditional(key: str, data: Any, **options: Any) -> Any:
        return await put(key, data, **{**options, "create_only": False})

    worlds[0].bucket.put = unconditional  # type: ignore[method-assign]
    tasks = [asyncio.ensure_future(world.put(NEW)) for world in worlds]
    ended = [await succeeds(task) for task in tasks]
    assert sum(ended) == 1
    assert await visible(worlds[0]) == NEW
    written = [{key for key in world.store.writes if "chunk-" in key} for world in worlds]
    assert not written[0] & written[1]
    assert all("/gen-" in key for keys in written for key in keys)
