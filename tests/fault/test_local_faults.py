"""What fails on this machine: the journal's disk, the memory of chunks, both ends of the pipe."""

from __future__ import annotations

from functools import cache

import pytest

from s3duct.app.pipeline.async_journal import _Together
from s3duct.domain.errors import (
    LocalResourceError,
    S3ductError,
    SinkClosed,
    SinkError,
    SourceError,
)
from tests.fakes.pipe import FakeSink, FakeSource
from tests.fakes.strict_memory import StrictChunkMemory
from tests.fault.scenes import NEW, SCENES, Scene, in_turn, journal_calls, scene_id
from tests.usecases.loop import failure_of, forget_frames, on_quick_loop, run
from tests.usecases.world import CHUNK, World, aes


def full(number: int, *, for_good: bool) -> type[StrictChunkMemory]:
    """A memory whose n-th allocation fails, and all after it if it is for good."""

    class Full(StrictChunkMemory):
        def __init__(self) -> None:
            last = 1000 if for_good else number + 1
            super().__init__(refused=frozenset(range(number, last)))

    return Full


@cache
def journal_call_count(scene: Scene) -> int:
    """How many calls of the journal its put makes at most when nothing goes wrong: each record by itself."""

    async def count() -> int:
        world = await scene.begin()
        calls = journal_calls(world.journals)
        await world.put(NEW, **scene.options)
        return len(calls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Together, "take_in", lambda *_: False)
        return run(count(), debug=False)


JOURNAL_CALLS = [(scene, number) for scene in SCENES for number in range(1, journal_call_count(scene) + 1)]
ONCE, FOR_GOOD, UNHEARD = (False, False), (False, True), (True, False)


@pytest.mark.parametrize(
    ("scene", "number", "after", "for_good"),
    in_turn(JOURNAL_CALLS, [ONCE, FOR_GOOD, UNHEARD]),
    ids=scene_id,
)
@on_quick_loop
async def test_a_journal_that_fails(after: bool, for_good: bool, scene: Scene, number: int) -> None:
    """Before a record is written, or when it is on the disk but nobody hears of it."""
    world = await scene.begin()
    calls = 0

    def fail(method: str) -> None:
        nonlocal calls
        calls += 1
        if calls == number or (for_good and calls > number):
            raise LocalResourceError("no space left (a fault of the test)")

    if after:
        world.journals.after_call = fail
    else:
        world.journals.on_call = fail
    try:
        await world.put(NEW, **scene.options)
    except LocalResourceError as error:
        forget_frames(error)
    assert not world.journals.held
    await scene.ends_well(world)


@pytest.mark.parametrize("for_good", [False, True])
@pytest.mark.parametrize("scene", SCENES, ids=scene_id)
@pytest.mark.parametrize("number", range(1, 5))
@on_quick_loop
async def test_memory_and_disk_that_are_full_when_putting(number: int, scene: Scene, for_good: bool) -> None:
    world = await scene.begin()
    world.memory = full(number, for_good=for_good)()
    try:
        await world.put(NEW, **scene.options)
    except LocalResourceError as error:
        forget_frames(error)
    await scene.ends_well(world)


@pytest.mark.parametrize("for_good", [False, True])
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
@pytest.mark.parametrize("number", range(1, 6))
@on_quick_loop
async def test_memory_and_disk_that_are_full_when_reading(number: int, sealed: bool, for_good: bool) -> None:
    writer = World(cipher=aes() if sealed else None)
    await writer.put(NEW)
    world = writer.elsewhere(max_chunks=2)
    world.memory = full(number, for_good=for_good)()
    try:
        await world.get()
    except LocalResourceError as error:
        forget_frames(error)
        assert len(world.sink.data) % CHUNK == 0
    else:
        assert world.sink.data == NEW
    assert NEW.startswith(world.sink.data)
    if not for_good:
        again = writer.elsewhere(max_chunks=2)
        again.memory = full(number, for_good=False)()
        try:
            assert (await again.verify(deep=True)).ok
        except LocalResourceError as error:
            forget_frames(error)


@pytest.mark.parametrize("scene", SCENES, ids=scene_id)
@pytest.mark.parametrize("number", [1, 2, 3, 5, 6])
@on_quick_loop
async def test_a_source_that_fails_at_any_read(number: int, scene: Scene) -> None:
    world = await scene.begin()

    class Failing(FakeSource):
        left = number

        def read_into(self, view: memoryview) -> int:
            self.left -= 1
            if not self.left:
                raise SourceError("torn")
            return super().read_into(view)

    error = await failure_of(world.put(Failing(NEW, reads=[CHUNK // 2 + 1]), **scene.options))
    assert isinstance(error, SourceError)
    await scene.ends_well(world)


@pytest.mark.parametrize("error", [SinkClosed, SinkError])
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
@pytest.mark.parametrize("number", range(1, 5))
@on_quick_loop
async def test_a_sink_that_fails_at_any_write(number: int, sealed: bool, error: type[S3ductError]) -> None:
    writer = World(cipher=aes() if sealed else None)
    await writer.put(NEW)
    world = writer.elsewhere(max_chunks=2)

    class Failing(FakeSink):
        def write_all(self, view: memoryview) -> None:
            if len(self.writes) == number - 1:
                raise error("gone")
            super().write_all(view)

    sink = Failing()
    assert isinstance(await failure_of(world.get(sink=sink)), error)
    assert sink.data == NEW[: (number - 1) * CHUNK]
    assert await world.restored() == NEW
