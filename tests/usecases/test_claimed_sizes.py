"""A manifest can claim any size: nothing is set aside for what memory does not hold before the store has confirmed it."""

from __future__ import annotations

import pytest

from s3duct.app.pipeline import put_transfer
from s3duct.domain.chain import chain_over
from s3duct.domain.digest import DualDigest
from s3duct.domain.errors import ChunkDamaged, UsageError
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.sizes import GIB, TIB
from tests.usecases.loop import failure_of, on_loop, on_quick_loop
from tests.usecases.world import CHUNK, World, aes, content

DATA = content(3 * CHUNK)


async def claiming(size_bytes: int, *, cipher: Cipher | None = None, index: int = 1) -> World:
    """A reader of a stream whose manifest was rewritten, chain and all, to claim that size for one chunk."""
    world = World(cipher=cipher)
    await world.put(DATA)
    manifest = await world.manifest()
    assert manifest is not None
    chunks = manifest["chunks"]
    chunks[index]["size"] = size_bytes
    if cipher is not None:
        chunks[index]["encrypted_size"] = size_bytes + 28
    digests = [
        DualDigest(bytes.fromhex(chunk["sha256"]), bytes.fromhex(chunk["sha3_256"])) for chunk in chunks
    ]
    await world.rewrite_manifest(
        chunks=chunks,
        chunk_size=size_bytes,
        total_bytes=sum(chunk["size"] for chunk in chunks),
        final_chain=chain_over(digests).hex(),
    )
    return world.elsewhere(cipher=World().cipher)


@pytest.mark.parametrize("size_bytes", [100 * GIB, 4 * TIB])
@on_loop
async def test_a_claim_beyond_all_room_is_found_out_in_its_turn(size_bytes: int) -> None:
    world = await claiming(size_bytes)
    error = await failure_of(world.get())
    assert isinstance(error, ChunkDamaged)
    assert f"{CHUNK} bytes instead of {size_bytes}" in error.message
    assert world.sink.data == DATA[:CHUNK]
    assert not world.memory.out


@on_loop
async def test_verify_counts_it_and_goes_on() -> None:
    world = await claiming(4 * TIB)
    summary = await world.verify(deep=True)
    assert summary.mismatched == (1,)
    assert summary.missing == ()


@on_loop
async def test_sealed_bytes_are_asked_for_their_size_too() -> None:
    world = await claiming(4 * TIB, cipher=aes())
    assert isinstance(await failure_of(world.get(raw=True)), ChunkDamaged)


@on_quick_loop
async def test_an_input_of_more_chunks_than_a_manifest_holds_is_not_stored_to_no_purpose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(put_transfer, "max_chunks", lambda name: 2)
    world = World()
    error = await failure_of(world.put(DATA))
    assert isinstance(error, UsageError)
    assert "--chunk-size" in error.hint
    await world.put(DATA[: 2 * CHUNK], resume=False)
    assert await world.restored() == DATA[: 2 * CHUNK]
