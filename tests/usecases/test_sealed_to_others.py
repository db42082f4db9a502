"""put for recipients whose identity is elsewhere: this machine cannot read what it has written, but knows it again."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from s3duct.domain.errors import LocalResourceError, StoreUnavailable, StreamExists
from s3duct.domain.events import Notice
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for, refused, unavailable
from tests.support.age_keys import key_pair
from tests.usecases.loop import failure_of, on_loop, on_quick_loop
from tests.usecases.world import CHUNK, PLAIN_KEYS, World, aes, content

DATA = content(4 * CHUNK + 5)
PAIR = key_pair("x25519")


def backup_host(**changes: Any) -> World:
    return World(cipher=PAIR.sealing(), **changes)


def owner(world: World) -> World:
    """The machine that has the identity."""
    return world.elsewhere(cipher=PAIR.opening())


async def put(world: World, data: bytes = DATA, **changes: Any) -> str:
    """Put with a sealed manifest; return the digest of the manifest that the summary tells."""
    return (await world.put(data, seal_manifest=True, **changes)).manifest_sha256


async def stored_sha256(world: World) -> str:
    return hashlib.sha256(await world.read(world.location.manifest_key)).hexdigest()


def is_manifest_write(operation: Operation) -> bool:
    return operation.writes and operation.key.endswith(".manifest.json")


def no_discard(world: World) -> None:
    """The run dies between the manifest and the end of its journal."""

    def dead(method: str) -> None:
        if method == "discard":
            raise LocalResourceError("cut off (a fault of the test)")

    world.journals.on_call = dead


async def cut_off_after_the_manifest(**changes: Any) -> World:
    world = backup_host()
    no_discard(world)
    assert isinstance(await failure_of(put(world, **changes)), LocalResourceError)
    return world


@on_loop
async def test_who_has_the_identity_reads_it() -> None:
    world = backup_host()
    assert await put(world) == await stored_sha256(world)
    reader = owner(world)
    assert await reader.restored() == DATA
    assert (await reader.verify(deep=True)).plain_checked


@on_quick_loop
async def test_a_run_killed_behind_its_manifest_is_finished_by_the_next() -> None:
    world = await cut_off_after_the_manifest()
    before, journal = await world.objects(), world.journals.journal()
    assert journal is not None
    assert journal.manifests == {await stored_sha256(world)}
    again = world.restarted()
    summary = await again.put(DATA, seal_manifest=True)
    assert not again.store.writes
    assert await again.objects() == before
    assert summary.chunks_resumed == 5
    assert summary.manifest_sha256 == await stored_sha256(world)
    assert summary.manifest.total_bytes == len(DATA)
    assert [record.key for record in summary.manifest.chunks] == PLAIN_KEYS[:5]
    assert again.journals.contents == {}
    assert await owner(again).restored() == DATA


@pytest.mark.parametrize("data", [content(4 * CHUNK + 5, 1), DATA[: 2 * CHUNK], DATA[:-1], DATA + b"x"])
@on_quick_loop
async def test_another_input_does_not_finish_it(data: bytes) -> None:
    world = await cut_off_after_the_manifest()
    before, again = await world.objects(), world.restarted()
    assert isinstance(await failure_of(put(again, data)), StreamExists)
    assert await again.objects() == before
    assert await owner(again).restored() == DATA


@on_quick_loop
async def test_a_run_killed_behind_its_manifest_and_run_again_with_clobber_is_replaced() -> None:
    world = await cut_off_after_the_manifest()
    again = world.restarted()
    data = content(3 * CHUNK, 9)
    assert await put(again, data, clobber=True) == await stored_sha256(world)
    assert again.journals.contents == {}
    assert await owner(again).restored() == data
    # Until the new manifest is there, the old stream is whole.
    assert set(again.store.writes).isdisjoint(PLAIN_KEYS)
    assert any("left in the bucket" in notice.message for notice in again.heard(Notice))


@on_quick_loop
async def test_a_clobber_killed_behind_its_manifest_is_finished_by_the_next_run_without_it() -> None:
    world = backup_host()
    await put(world, content(CHUNK, 3))
    no_discard(world)
    assert isinstance(await failure_of(put(world, clobber=True)), LocalResourceError)
    again = world.restarted()
    assert await put(again) == await stored_sha256(world)
    assert not again.store.writes
    assert await owner(again).restored() == DATA


@pytest.mark.parametrize("clobber", [False, True])
@on_quick_loop
async def test_a_lost_reply_to_the_manifest_ends_well(clobber: bool) -> None:
    world = backup_host()
    world.store.hooks.append(fails_for(is_manifest_write, error=unavailable, phase=Phase.AFTER, times=1))
    assert await put(world, clobber=clobber) == await stored_sha256(world)
    assert world.store.writes[world.location.manifest_key] == (2 if clobber else 1)
    assert {world.store.writes[key] for key in PLAIN_KEYS[:5]} == {1}
    assert world.journals.contents == {}
    assert await owner(world).restored() == DATA


@on_quick_loop
async def test_a_reply_lost_for_good_is_found_out_by_the_next_run() -> None:
    world = backup_host()
    world.store.hooks.append(fails_for(is_manifest_write, error=refused, phase=Phase.AFTER))
    await failure_of(put(world))
    again = world.restarted()
    assert await put(again) == await stored_sha256(world)
    assert not again.store.writes


@on_quick_loop
async def test_a_manifest_that_never_arrived_is_written_by_the_next_run() -> None:
    """Its digest is on record, but the one that is sealed anew is another."""
    world = backup_host()
    world.store.hooks.append(fails_for(is_manifest_write, error=refused))
    await failure_of(put(world))
    journal = world.journals.journal()
    assert journal is not None
    assert len(journal.manifests) == 1
    again = world.restarted()
    sha256 = await put(again)
    assert {sha256}.isdisjoint(journal.manifests)
    assert list(again.store.writes) == [world.location.manifest_key]
    assert await owner(again).restored() == DATA


@pytest.mark.parametrize("attempts", [2, 3])
@on_quick_loop
async def test_every_manifest_that_was_tried_is_known(attempts: int) -> None:
    """The first may have arrived after all, long after its writer has gone."""
    world, tried = backup_host(), []
    for _ in range(attempts):
        world.store.hooks.append(fails_for(is_manifest_write, error=refused, phase=Phase.AFTER))
        await failure_of(put(world))
        tried.append(await world.read(world.location.manifest_key))
        await world.delete(world.location.manifest_key)
        world = world.restarted()
    for late in tried:
        await world.write(world.location.manifest_key, late)
        again = world.restarted()
        assert await put(again) == hashlib.sha256(late).hexdigest()
        assert not again.store.writes


@pytest.mark.parametrize("theirs", [PAIR.sealing(), key_pair("x25519", 1).sealing(), aes(), None])
@on_quick_loop
async def test_anothers_manifest_there_meanwhile_is_no_write_of_ours(theirs: Any) -> None:
    world = backup_host()

    async def meddle(operation: Operation, phase: Phase) -> None:
        if phase is Phase.BEFORE and is_manifest_write(operation):
            world.store.hooks.clear()
            await world.elsewhere(cipher=theirs).put(
                content(CHUNK, 5),
                seal_manifest=theirs is not None,
                clobber=True,
                resume=False,
                takeover=True,
            )

    world.store.hooks.append(meddle)
    error = await failure_of(put(world))
    assert isinstance(error, StreamExists)
    assert "another run has finished" in error.message
    assert "--clobber" in error.hint
    assert sorted(world.journals.recorded()) == [0, 1, 2, 3, 4]
    before = await world.objects()
    again = world.restarted()
    assert isinstance(await failure_of(put(again)), StreamExists)
    assert await again.objects() == before


@on_quick_loop
async def test_anothers_manifest_between_two_attempts_is_no_success() -> None:
    """The write failed, and before it is tried again another run has finished."""
    world = backup_host()

    async def meddle(operation: Operation, phase: Phase) -> None:
        if phase is Phase.BEFORE and is_manifest_write(operation):
            world.store.hooks.clear()
            await world.elsewhere().put(
                content(CHUNK, 5), seal_manifest=True, clobber=True, resume=False, takeover=True
            )
            raise StoreUnavailable("lost")

    world.store.hooks.append(meddle)
    assert isinstance(await failure_of(put(world)), StreamExists)


@on_quick_loop
async def test_a_digest_on_record_is_durable_before_the_manifest_is_sent() -> None:
    world, seen = backup_host(), []

    async def look(operation: Operation, phase: Phase) -> None:
        if phase is Phase.BEFORE and is_manifest_write(operation):
            journal = world.journals.journal()
            assert journal is not None
            seen.append(journal.manifests)

    world.store.hooks.append(look)
    sha256 = await put(world)
    assert seen == [{sha256}]


@on_quick_loop
async def test_a_journal_that_cannot_note_the_manifest_stops_the_run_before_it() -> None:
    world = backup_host()

    def full(method: str) -> None:
        if method == "append" and len(world.journals.recorded()) == 5:
            raise LocalResourceError("no space left (a fault of the test)")

    world.journals.on_call = full
    assert isinstance(await failure_of(put(world)), LocalResourceError)
    assert not world.store.writes[world.location.manifest_key]
    again = world.restarted()
    await put(again)
    assert list(again.store.writes) == [world.location.manifest_key]


@on_quick_loop
async def test_a_stream_that_cannot_be_read_is_not_replaced_without_clobber() -> None:
    world = backup_host()
    await put(world)
    for other in (world.restarted(), world.elsewhere(), world.elsewhere(cipher=aes())):
        assert isinstance(await failure_of(put(other)), StreamExists)
        assert not other.store.writes
    assert await owner(world).restored() == DATA
