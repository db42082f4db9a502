"""get and verify believe a manifest as far as the key proves it, and read no chunk of one that they do not believe."""

from __future__ import annotations

import hashlib

import pytest

from s3duct.domain.errors import (
    ChunkDamaged,
    DowngradeRefused,
    ManifestAltered,
    ManifestInvalid,
    ManifestUnauthenticated,
    ManifestUnexpected,
)
from s3duct.domain.manifest_trust import ManifestTrust
from s3duct.domain.ports.cipher import Cipher
from tests.support.sealing import open_message
from tests.usecases.loop import failure_of, on_loop, on_quick_loop
from tests.usecases.trusting import DATA, MINE, THEIRS, accepted, alter, refused, stored
from tests.usecases.world import CHUNK, OTHER_KEY, PLAIN_KEYS, World, aes, content

CIPHERS: dict[str, Cipher | None] = {"plain": None, "aes": aes(), "age": MINE.cipher()}
ANYTHING = ManifestTrust(allow_unauthenticated=True, allow_unencrypted=True)
every_cipher = pytest.mark.parametrize("cipher", CIPHERS.values(), ids=CIPHERS)
both_keys = pytest.mark.parametrize("cipher", [aes(), MINE.cipher()], ids=["aes", "age"])
sealed_or_not = pytest.mark.parametrize("seal", [False, True], ids=["plain manifest", "sealed manifest"])


# --- the digest of the manifest ---------------------------------------------------------------------------------------


@every_cipher
@sealed_or_not
@on_quick_loop
async def test_every_summary_tells_the_digest_of_the_object(seal: bool, cipher: Cipher | None) -> None:
    world = World(cipher=cipher)
    summary = await world.put(DATA, seal_manifest=seal and cipher is not None)
    body = await world.read(world.location.manifest_key)
    assert summary.manifest_sha256 == hashlib.sha256(body).hexdigest()
    await accepted(world.elsewhere())
    await accepted(world.elsewhere(), ManifestTrust(expected_sha256=summary.manifest_sha256))


@every_cipher
@sealed_or_not
@on_quick_loop
async def test_another_manifest_than_the_pinned_one_is_not_even_opened(
    seal: bool, cipher: Cipher | None
) -> None:
    world = await stored(cipher, seal_manifest=seal and cipher is not None)
    pinned = ManifestTrust(expected_sha256="ab" * 32)
    assert isinstance(await refused(world, pinned), ManifestUnexpected)
    # Whatever else is wrong with it: no key, another key, no JSON at all.
    for other in (World().cipher, aes(OTHER_KEY), THEIRS.opening(), MINE.sealing()):
        assert isinstance(await refused(world.elsewhere(cipher=other), pinned), ManifestUnexpected)
        assert isinstance(await refused(world.elsewhere(cipher=other), pinned, raw=True), ManifestUnexpected)
    await world.write(world.location.manifest_key, b"\xff" * 100)
    assert isinstance(await refused(world.elsewhere(), pinned), ManifestUnexpected)


@every_cipher
@on_quick_loop
async def test_an_older_stream_put_back_is_not_the_pinned_one(cipher: Cipher | None) -> None:
    world = World(cipher=cipher)
    await world.put(content(CHUNK))
    old = await world.objects()
    pin = (await world.put(DATA, clobber=True)).manifest_sha256
    for key, body in old.items():
        await world.write(key, body)
    error = await refused(world.elsewhere(), ManifestTrust(expected_sha256=pin))
    assert isinstance(error, ManifestUnexpected)
    assert "older one put back" in error.hint


@on_quick_loop
async def test_a_pin_takes_the_place_of_a_mac() -> None:
    world = await stored(aes())
    await alter(world, s3duct=None)
    assert isinstance(await refused(world), ManifestUnauthenticated)
    pin = hashlib.sha256(await world.read(world.location.manifest_key)).hexdigest()
    await accepted(world, ManifestTrust(expected_sha256=pin))


# --- what AES proves --------------------------------------------------------------------------------------------------


@sealed_or_not
@on_quick_loop
async def test_an_altered_manifest_is_refused_by_its_mac(seal: bool) -> None:
    world = await stored(aes(), seal_manifest=seal)
    await alter(world, sealed_with=aes() if seal else None, description="altered")
    assert isinstance(await refused(world), ManifestAltered)
    assert isinstance(await refused(world, raw=True), ManifestAltered)
    await accepted(world, ManifestTrust(allow_unauthenticated=True))


@on_quick_loop
async def test_chunks_left_out_with_a_chain_to_match_are_found_by_the_mac() -> None:
    """The chain is no signature: whoever writes the bucket recomputes it."""
    world, shorter = await stored(aes()), World(cipher=aes())
    await shorter.put(DATA[: 2 * CHUNK])
    theirs = await shorter.manifest()
    mine = await world.manifest()
    assert theirs is not None
    assert mine is not None
    chunks = [{**chunk, **mine["chunks"][index]} for index, chunk in enumerate(theirs["chunks"])]
    await alter(
        world, chunks=chunks, **{key: theirs[key] for key in ("final_chain", "total_bytes", "chunk_count")}
    )
    assert isinstance(await refused(world), ManifestAltered)
    await world.get(trust=ManifestTrust(allow_unauthenticated=True))
    assert world.sink.data == DATA[: 2 * CHUNK]


@sealed_or_not
@on_quick_loop
async def test_a_manifest_without_a_mac_counts_if_it_is_sealed(seal: bool) -> None:
    world = await stored(aes(), seal_manifest=seal)
    await alter(world, sealed_with=aes() if seal else None, s3duct=None)
    if seal:
        await accepted(world)
    else:
        error = await refused(world)
        assert isinstance(error, ManifestUnauthenticated)
        assert "--allow-unauthenticated" in error.hint
        await accepted(world, ManifestTrust(allow_unauthenticated=True))
    assert isinstance(
        await refused(world.elsewhere(), ManifestTrust(strict=True)),
        ManifestUnauthenticated if seal else DowngradeRefused,
    )


@both_keys
@on_quick_loop
async def test_a_sealed_manifest_replaced_by_a_plain_one_is_a_downgrade(cipher: Cipher) -> None:
    world = await stored(cipher, seal_manifest=True)
    body = open_message(cipher, bytearray(await world.read(world.location.manifest_key)))
    await world.write(world.location.manifest_key, body)
    error = await refused(world)
    assert isinstance(error, DowngradeRefused)
    assert "says that it is sealed, but it is not" in error.message
    await accepted(world, ManifestTrust(allow_unauthenticated=True))


@every_cipher
@on_quick_loop
async def test_strict_takes_sealed_manifests_only(cipher: Cipher | None) -> None:
    strict = ManifestTrust(strict=True)
    error = await refused(await stored(cipher), strict)
    assert isinstance(error, DowngradeRefused)
    assert "--strict-manifest" in error.message
    if cipher is not None:
        await accepted(await stored(cipher, seal_manifest=True), strict)


# --- streams that say they are plain ----------------------------------------------------------------------------------


@both_keys
@on_quick_loop
async def test_a_plain_stream_is_read_with_a_key_if_that_is_allowed(cipher: Cipher) -> None:
    world = await stored(None, reader=cipher)
    assert isinstance(await refused(world), DowngradeRefused)
    allowed = ManifestTrust(allow_unencrypted=True)
    await accepted(world, allowed)
    await world.damage(PLAIN_KEYS[2])
    assert isinstance(await failure_of(world.get(trust=allowed)), ChunkDamaged)
    assert world.sink.data == DATA[: 2 * CHUNK]
    assert (await world.verify(deep=True, trust=allowed)).mismatched == (2,)


@both_keys
@on_quick_loop
async def test_to_allow_one_thing_is_not_to_allow_the_other(cipher: Cipher) -> None:
    plain = await stored(None, reader=cipher)
    assert isinstance(await refused(plain, ManifestTrust(allow_unauthenticated=True)), DowngradeRefused)
    sealed = await stored(aes())
    await alter(sealed, s3duct=None)
    assert isinstance(await refused(sealed, ManifestTrust(allow_unencrypted=True)), ManifestUnauthenticated)


@on_quick_loop
async def test_sealed_bytes_are_never_taken_for_plain_ones() -> None:
    """A manifest that calls the sealed chunks plain: even if that is allowed, their digests do not match."""
    world = await stored(aes())
    await alter(world, encrypted=False, encryption_method=None, s3duct=None)
    assert isinstance(await failure_of(world.get(trust=ANYTHING)), ChunkDamaged)
    assert world.sink.data == b""


# --- list ---------------------------------------------------------------------------------------------------------------


@on_loop
async def test_list_shows_what_was_altered_and_hides_nothing() -> None:
    world = World(cipher=aes())
    for name in ("altered", "good", "other", "unsigned"):
        other = World(name=name, bucket=world.bucket, cipher=aes(OTHER_KEY) if name == "other" else aes())
        await other.put(DATA)
        if name == "altered":
            await alter(other, description="x")
        if name == "unsigned":
            await alter(other, s3duct=None)
    listed = {stream.name: stream for stream in await world.listed()}
    assert list(listed) == ["altered", "good", "other", "unsigned"]
    assert listed["altered"].manifest is None
    assert "altered after it was written" in listed["altered"].problem
    assert not listed["altered"].sealed
    for name in ("good", "other", "unsigned"):
        assert listed[name].manifest is not None
        assert listed[name].problem == ""


@on_loop
async def test_list_tells_sealed_for_others_from_damaged() -> None:
    world = World(cipher=MINE.opening())
    for name, cipher in {"damaged": MINE.cipher(), "mine": MINE.cipher(), "theirs": THEIRS.cipher()}.items():
        other = World(name=name, bucket=world.bucket, cipher=cipher)
        await other.put(DATA, seal_manifest=True)
        if name == "damaged":
            await other.damage(other.location.manifest_key)
    damaged, mine, theirs = await world.listed()
    assert damaged.problem
    assert not damaged.sealed
    assert mine.manifest is not None
    assert theirs.manifest is None
    assert theirs.problem == ""
    assert theirs.sealed


@on_quick_loop
async def test_a_damaged_sealed_manifest_is_damage_and_no_wrong_key() -> None:
    for cipher in (aes(), MINE.cipher()):
        world = await stored(cipher, seal_manifest=True)
        await world.damage(world.location.manifest_key)
        error = await refused(world)
        assert isinstance(error, ManifestInvalid)
        assert "damaged" in error.message
