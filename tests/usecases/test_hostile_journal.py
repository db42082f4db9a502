"""What lies in `.resume/` is anybody's who can write to the bucket, and a machine that puts may not be allowed to delete."""

from __future__ import annotations

import pytest

from s3duct.app.pipeline.manifest_sealing import open_message
from s3duct.domain.claim import MAX_CLAIM_BYTES, SEGMENT_RECORDS
from s3duct.domain.errors import JournalDamaged, RunInProgress
from tests.usecases.loop import failure_of, on_quick_loop
from tests.usecases.world import CHUNK, NAME, World, aes, content

CLAIM = f"{NAME}/.resume/claim.json"
DATA, OTHER = content(6 * CHUNK + 3), content(6 * CHUNK, 1)


@pytest.mark.parametrize("body", [b"x" * (MAX_CLAIM_BYTES + 1), b"\0" * 100_000], ids=["by-one", "by-far"])
@on_quick_loop
async def test_a_claim_that_is_too_large_is_nobodys(body: bytes) -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1, 2})
    await world.write(CLAIM, body)
    assert isinstance(await failure_of(world.restarted().put(DATA)), RunInProgress)
    again = world.restarted()
    assert (await again.put(DATA, takeover=True)).chunks_resumed == 3
    assert await again.restored() == DATA


@pytest.mark.parametrize("forged", [0, 1, 2])
@on_quick_loop
async def test_a_sealed_journal_is_sealed_in_each_segment(forged: int) -> None:
    """Whoever has no key could put records of his own among genuine ones otherwise."""
    world = World(cipher=aes(), chunk_bytes=16)
    data = content(16 * (2 * SEGMENT_RECORDS + 2))
    await world.put_cut_off(data, stored=set(range(2 * SEGMENT_RECORDS + 1)), seal_manifest=True)
    segments = [key for key in await world.resume_keys() if key.endswith(".jsonl")]
    assert len(segments) == 3
    plain = open_message(world.cipher, bytearray(await world.read(segments[forged])))
    await world.write(segments[forged], plain)
    error = await failure_of(world.elsewhere().put(data, seal_manifest=True, takeover=True))
    assert isinstance(error, JournalDamaged)
    assert "not sealed" in error.message
