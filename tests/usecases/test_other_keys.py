"""Another key, another method's, or none: told before anything is read where it can be, and never taken for damage."""

from __future__ import annotations

import hashlib

import pytest

from s3duct.adapters.age.cipher import AgeCipher
from s3duct.domain.errors import (
    ChunkDamaged,
    DowngradeRefused,
    ExitCode,
    KeyRequired,
    ManifestUnauthenticated,
    WrongKey,
)
from s3duct.domain.manifest_trust import DEFAULT_TRUST, ManifestTrust
from s3duct.domain.ports.cipher import Cipher
from tests.support.age_keys import key_pair
from tests.usecases.loop import failure_of, on_quick_loop
from tests.usecases.trusting import DATA, MINE, THEIRS, accepted, alter, refused, stored
from tests.usecases.world import CHUNK, OTHER_KEY, PLAIN_KEYS, World, aes

both_keys = pytest.mark.parametrize("cipher", [aes(), MINE.cipher()], ids=["aes", "age"])
sealed_or_not = pytest.mark.parametrize("seal", [False, True], ids=["plain manifest", "sealed manifest"])


# --- other keys -------------------------------------------------------------------------------------------------------


@on_quick_loop
async def test_another_aes_key_is_told_before_any_chunk_is_read() -> None:
    error = await refused(await stored(aes(), reader=aes(OTHER_KEY)))
    assert isinstance(error, WrongKey)
    assert error.exit_code is ExitCode.WRONG_KEY
    assert isinstance(await refused(await stored(aes(), reader=aes(OTHER_KEY), seal_manifest=True)), WrongKey)


@sealed_or_not
@on_quick_loop
async def test_another_identity_is_told_before_any_chunk_is_read(seal: bool) -> None:
    world = await stored(MINE.cipher(), reader=THEIRS.opening(), seal_manifest=seal)
    assert isinstance(await refused(world), WrongKey)


@pytest.mark.parametrize("recipient", [None, ""])
@on_quick_loop
async def test_another_identity_is_told_by_the_chunk_if_the_manifest_names_nobody(
    recipient: str | None,
) -> None:
    world = await stored(MINE.cipher(), reader=THEIRS.opening())
    await alter(world, encryption_recipient=recipient)
    error = await failure_of(world.get())
    assert type(error) is WrongKey
    assert "does not open chunk 0" in error.message
    assert world.sink.data == b""
    assert type(await failure_of(world.verify(deep=True))) is WrongKey
    assert (await world.verify()).ok
    assert await world.elsewhere(cipher=MINE.opening()).restored() == DATA


@on_quick_loop
async def test_another_identity_is_told_by_the_chunk_though_nobody_noted_its_digest() -> None:
    """As s3duct 0.3.0 leaves it. age can tell a wrong key from damage by itself."""
    world = await stored(MINE.cipher(), reader=THEIRS.opening())
    manifest = await world.manifest()
    assert manifest is not None
    chunks = [
        {key: value for key, value in chunk.items() if not key.startswith("encrypted")}
        for chunk in manifest["chunks"]
    ]
    await alter(world, encryption_recipient=None, chunks=chunks)
    assert type(await failure_of(world.get())) is WrongKey
    assert await world.elsewhere(cipher=MINE.opening()).restored() == DATA


@on_quick_loop
async def test_one_of_several_recipients_reads_it() -> None:
    both = AgeCipher(recipients=[MINE.identity.recipient, THEIRS.identity.recipient])
    world = await stored(both)
    for reader in (MINE, THEIRS):
        await accepted(world.elsewhere(cipher=reader.opening()))
    assert isinstance(await refused(world.elsewhere(cipher=key_pair("x25519", 2).opening())), WrongKey)


@on_quick_loop
async def test_recipients_alone_check_the_manifest_and_ask_for_an_identity() -> None:
    world = await stored(MINE.sealing())
    error = await failure_of(world.get())
    assert isinstance(error, KeyRequired)
    assert "--age-identity" in error.hint
    assert world.sink.data == b""
    assert isinstance(await refused(await stored(MINE.sealing(), seal_manifest=True)), KeyRequired)


@pytest.mark.parametrize(
    ("writer", "reader", "flag"),
    [(aes(), MINE.opening(), "--key"), (MINE.cipher(), aes(), "--age-identity")],
    ids=["aes", "age"],
)
@sealed_or_not
@on_quick_loop
async def test_the_key_of_another_method_asks_for_the_right_one(
    seal: bool, writer: Cipher, reader: Cipher, flag: str
) -> None:
    error = await refused(await stored(writer, reader=reader, seal_manifest=seal))
    assert isinstance(error, KeyRequired)
    assert flag in error.hint


# --- damage of age chunks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("facts", [True, False], ids=["digests of sealed bytes", "none"])
@pytest.mark.parametrize("at", [-1, -40, 250])
@on_quick_loop
async def test_damage_of_an_age_chunk_is_damage_and_no_wrong_key(at: int, facts: bool) -> None:
    world = await stored(MINE.cipher())
    if not facts:
        manifest = await world.manifest()
        assert manifest is not None
        chunks = [{**chunk, "encrypted_sha256": None} for chunk in manifest["chunks"]]
        await alter(world, chunks=chunks)
    await world.damage(PLAIN_KEYS[1], at=at)
    error = await failure_of(world.get())
    assert type(error) is ChunkDamaged
    assert "chunk 1" in error.message
    assert error.exit_code is ExitCode.INTEGRITY
    assert world.sink.data == DATA[:CHUNK]
    assert (await world.verify(deep=True)).mismatched == (1,)


@on_quick_loop
async def test_a_chunk_that_its_manifest_vouches_for_and_is_no_age_file_is_damaged() -> None:
    """Written so by a broken program: no key helps."""
    world = await stored(MINE.cipher())
    body = bytearray(await world.read(PLAIN_KEYS[0]))
    body[-1] ^= 1
    await world.write(PLAIN_KEYS[0], bytes(body))
    manifest = await world.manifest()
    assert manifest is not None
    manifest["chunks"][0]["encrypted_sha256"] = hashlib.sha256(body).hexdigest()
    await alter(world, chunks=manifest["chunks"])
    error = await failure_of(world.get())
    assert type(error) is ChunkDamaged
    assert "cannot be decrypted" in error.message


# --- the sealed bytes themselves ----------------------------------------------------------------------------------------


async def sealed_bytes(world: World) -> bytes:
    return b"".join([await world.read(key) for key in PLAIN_KEYS[:5]])


@both_keys
@on_quick_loop
async def test_sealed_bytes_are_had_with_the_key_and_with_none(cipher: Cipher) -> None:
    world = await stored(cipher)
    for reader in (World().cipher, cipher):
        other = world.elsewhere(cipher=reader)
        assert (await other.get(raw=True)).raw
        assert other.sink.data == await sealed_bytes(world)


@both_keys
@on_quick_loop
async def test_the_key_of_another_method_is_held_against_the_manifest_for_sealed_bytes_too(
    cipher: Cipher,
) -> None:
    world = await stored(cipher)
    for reader in (MINE.opening(), aes()):
        if reader.method is not cipher.method:
            assert isinstance(await refused(world.elsewhere(cipher=reader), raw=True), KeyRequired)


@on_quick_loop
async def test_sealed_bytes_with_the_right_key_need_its_mac() -> None:
    world = await stored(aes())
    await alter(world, s3duct=None)
    assert isinstance(await refused(world, raw=True), ManifestUnauthenticated)
    for trust, reader in (
        (ManifestTrust(allow_unauthenticated=True), aes()),
        (DEFAULT_TRUST, World().cipher),
    ):
        other = world.elsewhere(cipher=reader)
        await other.get(raw=True, trust=trust)
        assert other.sink.data == await sealed_bytes(world)


@on_quick_loop
async def test_sealed_bytes_with_another_key_of_the_method_are_refused() -> None:
    assert isinstance(await refused(await stored(aes(), reader=aes(OTHER_KEY)), raw=True), WrongKey)
    world = await stored(MINE.cipher(), reader=THEIRS.opening())
    assert isinstance(await refused(world, raw=True), WrongKey)


@both_keys
@on_quick_loop
async def test_sealed_bytes_under_a_sealed_manifest_need_the_key(cipher: Cipher) -> None:
    world = await stored(cipher, seal_manifest=True)
    await world.get(raw=True)
    assert world.sink.data == await sealed_bytes(world)
    for reader in (World().cipher, aes(OTHER_KEY), THEIRS.opening()):
        error = await refused(world.elsewhere(cipher=reader), raw=True)
        assert isinstance(error, KeyRequired | WrongKey)


@both_keys
@on_quick_loop
async def test_raw_of_a_stream_that_says_it_is_plain_is_a_downgrade_with_a_key(cipher: Cipher) -> None:
    world = await stored(None, reader=cipher)
    assert isinstance(await refused(world, raw=True), DowngradeRefused)
    summary = await world.get(raw=True, trust=ManifestTrust(allow_unencrypted=True))
    assert not summary.raw
    assert world.sink.data == DATA
