"""Chunks of any size, filled at any speed, several at once, have the digests of their bytes."""

from __future__ import annotations

import asyncio
import random

import pytest

from s3duct.app.pipeline.batches import STEP_BYTES
from s3duct.app.pipeline.lanes import PIECE_BYTES, HashLanes
from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.workers import Workers
from s3duct.domain.digest import DualDigest, dual_digest
from s3duct.domain.ports.chunk_memory import Placement
from tests.fakes.chunk_memory import FakeChunkMemory
from tests.fakes.hasher import FakeHasher
from tests.unit.saying import run

SIZES = (
    0,
    1,
    135,
    136,
    137,
    4096,
    STEP_BYTES - 1,
    STEP_BYTES,
    STEP_BYTES + 1,
    PIECE_BYTES + 3,
    9 * STEP_BYTES,
)


async def fill(mark: Mark, size: int, steps: list[int]) -> None:
    for step in steps:
        await asyncio.sleep(0.001)
        mark.advance_to(min(size, mark.position + step))
    mark.advance_to(size)
    mark.finish()


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_chunks_that_are_filled_side_by_side_have_their_own_digests(at_once: int) -> None:
    rng = random.Random(at_once)
    contents = [rng.randbytes(size) for size in SIZES]

    async def chunk(lanes: HashLanes, content: bytes) -> tuple[DualDigest, bytes]:
        start = rng.randrange(3)
        region = FakeChunkMemory().allocate(start + len(content) + 1, Placement.MEMORY)
        region.view[start : start + len(content)] = content
        mark = Mark(start)
        steps = [rng.randrange(2 * STEP_BYTES) for _ in range(rng.randrange(8))]
        filling = asyncio.ensure_future(fill(mark, start + len(content), steps))
        both = await lanes.digest(region, mark, start=start)
        again = await lanes.sha256(region, mark, start=start)
        await filling
        return both, again

    async def scene() -> None:
        with Workers() as workers:
            lanes = HashLanes(FakeHasher(at_once), workers)
            digests = await asyncio.gather(*(chunk(lanes, content) for content in contents))
        expected = [dual_digest(content) for content in contents]
        assert digests == [(both, both.sha256) for both in expected]

    run(scene(), timeout_s=60)


def test_a_chunk_that_fails_ends_alone() -> None:
    async def scene() -> None:
        with Workers() as workers:
            lanes = HashLanes(FakeHasher(4), workers)
            region = FakeChunkMemory().allocate(3 * STEP_BYTES, Placement.MEMORY)
            good, bad = Mark(), Mark()
            first = asyncio.ensure_future(lanes.digest(region, good, start=0))
            second = asyncio.ensure_future(lanes.digest(region, bad, start=0))
            for mark in (good, bad):
                mark.advance_to(2 * STEP_BYTES)
            await asyncio.sleep(0)
            bad.fail(ZeroDivisionError("lost"))
            with pytest.raises(ZeroDivisionError):
                await second
            good.advance_to(3 * STEP_BYTES)
            good.finish()
            assert await first == dual_digest(bytes(region.view))

    run(scene())
