"""get into an output that fails, dies or fills up at any point, and then again."""

from __future__ import annotations

import asyncio

import pytest

from s3duct.domain.errors import S3ductError, SinkError, StoreError
from tests.fakes.hooked_store import Phase
from tests.fakes.hooks import Crash, ErrorFactory, fails_at, refused, unavailable
from tests.fakes.output import FakeOutput
from tests.fault.scenes import NEW, scene_id
from tests.usecases.loop import failure_of, forget_frames, on_quick_loop, until
from tests.usecases.world import CHUNK, PLAIN_KEYS, World, aes

CHUNKS = -(-len(NEW) // CHUNK)
OPERATIONS = range(1, CHUNKS + 2)  # the manifest, and each chunk
SEALED = pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])


async def reader(*, sealed: bool) -> World:
    writer = World(cipher=aes() if sealed else None)
    await writer.put(NEW)
    return writer.elsewhere(max_chunks=2)


async def ends_well(world: World, output: FakeOutput) -> None:
    """What is there is a right prefix; the same get again keeps its whole chunks and completes it."""
    assert not output.content
    (left,) = output.parts.values() or (b"",)
    assert left == NEW[: len(left)]
    kept = len(left) // CHUNK if len(left) < len(NEW) else CHUNKS
    second = world.elsewhere()
    summary = await second.get(output=output)
    assert output.content == NEW
    assert (output.parts, output.held) == ({}, set())
    assert summary.chunks_kept == kept
    assert sorted(key for key in second.store.keys("get") if key in PLAIN_KEYS) == PLAIN_KEYS[kept:CHUNKS]


@SEALED
@pytest.mark.parametrize("error", [unavailable, refused])
@pytest.mark.parametrize("phase", list(Phase), ids=scene_id)
@pytest.mark.parametrize("number", OPERATIONS)
@on_quick_loop
async def test_a_get_that_fails_at_any_operation_goes_on(
    number: int, phase: Phase, error: ErrorFactory, sealed: bool
) -> None:
    world, output = await reader(sealed=sealed), FakeOutput()
    world.store.hooks.append(fails_at(number, phase, error))
    try:
        await world.get(output=output)
    except StoreError as raised:
        forget_frames(raised)
        assert error is refused
        await ends_well(world, output)
    else:
        assert error is unavailable
        assert output.content == NEW


@SEALED
@pytest.mark.parametrize("phase", [Phase.BEFORE, Phase.AFTER], ids=scene_id)
@pytest.mark.parametrize("number", OPERATIONS)
@on_quick_loop
async def test_a_get_that_dies_at_any_operation_goes_on(number: int, phase: Phase, sealed: bool) -> None:
    world, output = await reader(sealed=sealed), FakeOutput()
    crash = Crash(number, phase)
    world.store.hooks.append(crash)
    getting = asyncio.ensure_future(world.get(output=output))
    await crash.happened.wait()
    getting.cancel()
    await asyncio.gather(getting, return_exceptions=True)
    await until(lambda: not output.held)
    await ends_well(world, output)


@SEALED
@pytest.mark.parametrize("torn", [0, 1, CHUNK - 1])
@pytest.mark.parametrize("number", range(CHUNKS))
@on_quick_loop
async def test_a_disk_that_is_full_at_any_write(number: int, torn: int, sealed: bool) -> None:
    """The last write may have left a part of its chunk."""
    world, output = await reader(sealed=sealed), FakeOutput()

    def full(position: int) -> None:
        if position == number * CHUNK:
            (part,) = output.parts.values()
            part += NEW[position : position + torn]
            raise SinkError("no space left")

    output.before_write = full
    assert isinstance(await failure_of(world.get(output=output)), SinkError)
    output.before_write = lambda _: None
    await ends_well(world, output)


@pytest.mark.parametrize("number", range(CHUNKS))
@on_quick_loop
async def test_a_power_cut_that_loses_what_was_not_yet_on_the_disk(number: int) -> None:
    """Later chunks may be on the disk and earlier ones not: they read as zeros."""
    world, output = await reader(sealed=False), FakeOutput()
    world.store.hooks.append(fails_at(CHUNKS + 1, Phase.BEFORE, refused))
    assert isinstance(await failure_of(world.get(output=output)), S3ductError)
    (part,) = output.parts.values()
    written = len(part)
    lost = part[number * CHUNK : (number + 1) * CHUNK]
    part[number * CHUNK : (number + 1) * CHUNK] = bytes(len(lost))

    summary = await world.elsewhere().get(output=output)

    assert output.content == NEW
    assert summary.chunks_kept == min(number, written // CHUNK)
