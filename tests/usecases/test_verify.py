"""verify finds every kind of damage, all of it, and says where."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

import pytest

from s3duct.domain.errors import (
    AccessDenied,
    DecryptionFailed,
    DowngradeRefused,
    IntegrityError,
    KeyRequired,
    WrongKey,
)
from s3duct.domain.events import BytesMoved, ChunkFaulty, ChunkFinished, TransferStarted
from s3duct.domain.manifest_trust import ManifestTrust
from s3duct.domain.ports.cipher import Cipher
from tests.fakes.hooks import fails_for
from tests.usecases.loop import failure_of, on_loop, on_quick_loop
from tests.usecases.world import CHUNK, OTHER_KEY, PLAIN_KEYS, World, aes, content

CIPHERS = [None, aes()]
DATA = content(6 * CHUNK + 5)


async def stored(cipher: Cipher | None = None, **changes: object) -> World:
    """A machine that looks at a stream of seven chunks, which another one has put."""
    world = World(cipher=cipher)
    await world.put(DATA, **changes)
    return world.elsewhere()


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("deep", [False, True])
@on_quick_loop
async def test_a_whole_stream_is_whole(deep: bool, cipher: Cipher | None) -> None:
    world = await stored(cipher)
    summary = await world.verify(deep=deep)
    assert summary.ok
    assert summary.deep is deep
    assert summary.plain_checked is deep
    assert world.events[0] == TransferStarted("stream", len(DATA), 7)
    assert sorted(event.index for event in world.heard(ChunkFinished)) == list(range(7))
    assert sum(event.size_bytes for event in world.heard(BytesMoved)) == len(DATA)
    assert not world.heard(ChunkFaulty)
    assert not world.memory.out


async def _truncate(world: World, key: str) -> None:
    await world.write(key, (await world.read(key))[:-1])


async def _lengthen(world: World, key: str) -> None:
    await world.write(key, await world.read(key) + b"x")


async def _empty(world: World, key: str) -> None:
    await world.write(key, b"")


async def _flip_first(world: World, key: str) -> None:
    await world.damage(key, at=0)


async def _flip_last(world: World, key: str) -> None:
    await world.damage(key, at=-1)


Damage = Callable[[World, str], Awaitable[None]]
DAMAGES: list[Damage] = [_truncate, _lengthen, _empty, _flip_first, _flip_last]


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("damage", DAMAGES)
@on_quick_loop
async def test_every_kind_of_damage_is_found_deep(damage: Damage, cipher: Cipher | None) -> None:
    world = await stored(cipher)
    await damage(world, PLAIN_KEYS[3])
    summary = await world.verify(deep=True)
    assert not summary.ok
    assert (summary.mismatched, summary.missing) == ((3,), ())
    assert not summary.plain_checked
    assert [event.index for event in world.heard(ChunkFaulty)] == [3]
    assert len(world.heard(ChunkFinished)) == 6


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("damage", DAMAGES)
@on_quick_loop
async def test_every_kind_of_damage_is_found_by_size_or_etag(damage: Damage, cipher: Cipher | None) -> None:
    world = await stored(cipher)
    await damage(world, PLAIN_KEYS[3])
    summary = await world.verify()
    assert (summary.mismatched, summary.missing) == ((3,), ())


@pytest.mark.parametrize("deep", [False, True])
@on_quick_loop
async def test_all_damage_is_found_and_told_in_order(deep: bool) -> None:
    world = await stored(aes())
    for index in (5, 1):
        await world.damage(PLAIN_KEYS[index])
    for index in (6, 0, 3):
        await world.delete(PLAIN_KEYS[index])
    summary = await world.verify(deep=deep)
    assert summary.mismatched == (1, 5)
    assert summary.missing == (0, 3, 6)
    assert {event.index for event in world.heard(ChunkFaulty)} == {0, 1, 3, 5, 6}
    assert {event.index for event in world.heard(ChunkFinished)} == {2, 4}
    assert all(event.reason for event in world.heard(ChunkFaulty))
    assert not world.memory.out


@on_loop
async def test_a_copy_of_a_bucket_is_whole_though_its_etags_are_others() -> None:
    world = await stored()
    manifest = await world.manifest()
    assert manifest is not None
    chunks = [{**chunk, "etag": ""} for chunk in manifest["chunks"]]
    await world.rewrite_manifest(chunks=chunks)
    assert (await world.verify()).ok


@on_loop
async def test_etags_with_and_without_quotes_are_the_same() -> None:
    world = await stored()
    manifest = await world.manifest()
    assert manifest is not None
    chunks = [{**chunk, "etag": chunk["etag"].strip('"')} for chunk in manifest["chunks"]]
    await world.rewrite_manifest(chunks=chunks)
    assert (await world.verify()).ok


@on_loop
async def test_sealed_bytes_are_checked_without_the_key() -> None:
    world = (await stored(aes())).elsewhere(cipher=World().cipher)
    summary = await world.verify(deep=True)
    assert summary.ok
    assert not summary.plain_checked
    await world.damage(PLAIN_KEYS[2])
    assert (await world.verify(deep=True)).mismatched == (2,)


@on_loop
async def test_the_wrong_key_is_told_from_damage() -> None:
    world = (await stored(aes())).elsewhere(cipher=aes(OTHER_KEY))
    assert isinstance(await failure_of(world.verify(deep=True)), DecryptionFailed)


@pytest.mark.parametrize("deep", [False, True])
@on_quick_loop
async def test_what_cannot_be_looked_at_is_an_error(deep: bool) -> None:
    sealed = await stored(aes(), seal_manifest=True)
    assert isinstance(
        await failure_of(sealed.elsewhere(cipher=World().cipher).verify(deep=deep)), KeyRequired
    )
    assert isinstance(
        await failure_of(sealed.elsewhere(cipher=aes(OTHER_KEY)).verify(deep=deep)), DecryptionFailed
    )
    plain = (await stored()).elsewhere(cipher=aes())
    assert isinstance(await failure_of(plain.verify(deep=deep)), DowngradeRefused)


@pytest.mark.parametrize("deep", [False, True])
@on_quick_loop
async def test_a_store_that_refuses_is_no_damage(deep: bool) -> None:
    world = await stored()
    world.store.hooks.append(
        fails_for(lambda operation: operation.key == PLAIN_KEYS[4], error=lambda: AccessDenied("no"))
    )
    assert isinstance(await failure_of(world.verify(deep=deep)), AccessDenied)
    assert not world.heard(ChunkFaulty)


@pytest.mark.parametrize("deep", [False, True])
@on_quick_loop
async def test_a_manifest_whose_chain_does_not_end_where_it_says(deep: bool) -> None:
    world = await stored()
    await world.rewrite_manifest(final_chain="ab" * 32)
    assert isinstance(await failure_of(world.verify(deep=deep)), IntegrityError)


@pytest.mark.parametrize("limit", [1, 2])
@on_quick_loop
async def test_deep_takes_no_more_memory_than_there_is(limit: int) -> None:
    world = await stored(aes())
    world = world.elsewhere(max_chunks=limit)
    assert (await world.verify(deep=True)).ok
    assert world.memory.peak == limit


@on_loop
async def test_damage_on_the_way_is_no_damage() -> None:
    world = await stored(aes())
    spoiled: set[str] = set()

    def in_transit(key: str, body: bytes) -> bytes:
        if key in spoiled or "chunk" not in key:
            return body
        spoiled.add(key)
        return body[:-1] + bytes([body[-1] ^ 1])

    world.store.in_transit = in_transit
    assert (await world.verify(deep=True)).ok


@on_quick_loop
async def test_a_chunk_for_another_key_among_good_ones_is_damage_and_the_others_are_looked_at() -> None:
    other, mine = await stored(aes(OTHER_KEY)), await stored(aes())
    foreign = await other.read(PLAIN_KEYS[2])
    await mine.write(PLAIN_KEYS[2], foreign)
    manifest = await mine.manifest()
    assert manifest is not None
    manifest["chunks"][2]["encrypted_sha256"] = hashlib.sha256(foreign).hexdigest()
    await mine.rewrite_manifest(**manifest)
    await mine.delete(PLAIN_KEYS[5])
    summary = await mine.verify(deep=True, trust=ManifestTrust(allow_unauthenticated=True))
    assert summary.mismatched == (2,)
    assert summary.missing == (5,)


@pytest.mark.parametrize("chunks", [1, 2, 7])
@on_quick_loop
async def test_a_key_that_opens_nothing_is_the_wrong_one(chunks: int) -> None:
    world = World(cipher=aes())
    await world.put(DATA[: chunks * CHUNK])
    reader = world.elsewhere(cipher=aes(OTHER_KEY))
    error = await failure_of(reader.verify(deep=True, trust=ManifestTrust(allow_unauthenticated=True)))
    assert isinstance(error, WrongKey)
