"""Whose name is it? Streams that exist are refused or replaced whole; no two runs ever write the same chunk key."""

from __future__ import annotations

import re

import pytest

from s3duct.domain.errors import ExitCode, S3ductError, StoreError, StreamExists
from s3duct.domain.events import Notice
from s3duct.domain.ports.cipher import Cipher
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for, refused
from tests.usecases.loop import failure_of, on_loop, on_quick_loop
from tests.usecases.world import CHUNK, NAME, OTHER_KEY, PLAIN_KEYS, World, aes, content

GENERATION = re.compile(rf"{NAME}/gen-[0-9a-f]{{8}}/chunk-[0-9]{{6}}")
OLD, NEW = content(3 * CHUNK + 1), content(4 * CHUNK + 2, seed=1)


def chunk_writes(world: World) -> set[str]:
    """Keys of all chunks that were written, or begun."""
    return {key for key in world.store.writes if "/chunk-" in key}


async def never_overwrites_live_chunks(world: World) -> None:
    """Install a hook: no write or removal of a chunk that the visible manifest names."""

    async def hook(operation: Operation, phase: Phase) -> None:
        if phase is Phase.BEFORE and (operation.writes or operation.method == "delete"):
            assert operation.key not in await world.named_keys(), operation

    world.store.hooks.append(hook)


# --- taken ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("same_input", [True, False])
@on_quick_loop
async def test_a_name_that_is_taken_is_refused(same_input: bool) -> None:
    world = World()
    await world.put(OLD)
    before = await world.objects()
    again = world.restarted()
    error = await failure_of(again.put(OLD if same_input else NEW))
    assert isinstance(error, StreamExists)
    assert error.exit_code is ExitCode.EXISTS
    assert "--clobber" in error.hint
    assert await again.objects() == before
    assert not again.store.writes
    assert again.journals.contents == {}
    assert not again.journals.held


@on_loop
async def test_a_sealed_stream_of_another_key_is_refused_too() -> None:
    world = World(cipher=aes(OTHER_KEY))
    await world.put(OLD, seal_manifest=True)
    before = await world.objects()
    other = world.elsewhere(cipher=aes())
    assert isinstance(await failure_of(other.put(NEW)), StreamExists)
    assert await other.objects() == before


@on_loop
async def test_a_damaged_manifest_still_takes_the_name() -> None:
    world = World()
    await world.write(world.location.manifest_key, b"{not json")
    assert isinstance(await failure_of(world.put(OLD)), StreamExists)
    assert not world.store.writes


@on_loop
async def test_a_refused_put_leaves_the_unfinished_run_alone() -> None:
    world = World()
    await world.put_cut_off(OLD, stored={0, 1})
    journal = dict(world.journals.contents)
    await world.finished_by_another_program(NEW)
    for resume in (True, False):
        again = world.restarted()
        assert isinstance(await failure_of(again.put(OLD, resume=resume)), StreamExists)
        assert again.journals.contents == journal


@on_loop
async def test_neighbours_do_not_take_a_name() -> None:
    world = World(name="a")
    for name in ("a/b", "ab", "a-b", "b/a"):
        await World(name=name, bucket=world.bucket).put(content(10, len(name)))
    await world.put(OLD)
    assert await world.restored() == OLD
    assert await World(name="a/b", bucket=world.bucket).restored() == content(10, 3)


# --- clobber --------------------------------------------------------------------------------------------------------


@on_loop
async def test_clobber_of_a_free_name_is_a_plain_put() -> None:
    world = World()
    await world.put(OLD, clobber=True)
    assert chunk_writes(world) == set(PLAIN_KEYS[:4])
    assert await world.restored() == OLD


@pytest.mark.parametrize("cipher", [None, aes()], ids=["plain", "aes"])
@on_quick_loop
async def test_clobber_replaces_whole_and_in_order(cipher: Cipher | None) -> None:
    world = World(cipher=cipher)
    await world.put(OLD)
    again = world.restarted()
    await never_overwrites_live_chunks(again)
    await again.put(NEW, clobber=True)
    assert await again.restored() == NEW
    assert all(GENERATION.fullmatch(key) for key in chunk_writes(again))
    assert set(await again.objects()) == await again.named_keys() | {again.location.manifest_key}
    mutations = [
        op for op in again.store.operations if not op.is_of_journal and (op.writes or op.method == "delete")
    ]
    kinds = ["manifest" if op.key == again.location.manifest_key else op.method for op in mutations]
    assert kinds == ["put"] * 5 + ["manifest"] + ["delete"] * 4
    assert {op.key for op in mutations if op.method == "delete"} == set(PLAIN_KEYS[:4])


@on_loop
async def test_clobber_again_and_again_leaves_nothing_behind() -> None:
    world = World()
    await world.put(OLD)
    generations = set()
    for seed in range(1, 5):
        world = world.restarted()
        await never_overwrites_live_chunks(world)
        await world.put(content(2 * CHUNK, seed), clobber=True)
        generations |= {key.rsplit("/", 1)[0] for key in chunk_writes(world)}
        assert await world.restored() == content(2 * CHUNK, seed)
        assert len(await world.objects()) == 3
    assert len(generations) == 4


@pytest.mark.parametrize("at", range(6))
@on_quick_loop
async def test_a_clobber_that_dies_half_way_leaves_the_old_stream_readable(at: int) -> None:
    world = World()
    await world.put(OLD)
    again = world.restarted(max_chunks=1)
    left = at

    async def hook(operation: Operation, phase: Phase) -> None:
        nonlocal left
        if phase is Phase.BEFORE and operation.writes:
            if not left:
                raise refused()
            left -= 1

    again.store.hooks.append(hook)
    await failure_of(again.put(NEW, clobber=True))
    assert await world.elsewhere().restored() == OLD
    assert (await world.elsewhere().verify(deep=True)).ok

    third = again.restarted()
    await never_overwrites_live_chunks(third)
    summary = await third.put(NEW, clobber=True)
    assert summary.chunks_resumed == at
    assert await third.restored() == NEW
    assert set(await third.objects()) == await third.named_keys() | {third.location.manifest_key}


@on_loop
async def test_an_unfinished_clobber_is_not_finished_without_the_flag() -> None:
    world = World()
    await world.put(OLD)
    again = world.restarted()
    await again.put_cut_off(NEW, stored={0, 1}, clobber=True)
    third = again.restarted()
    assert isinstance(await failure_of(third.put(NEW)), StreamExists)
    assert third.journals.contents == again.journals.contents
    assert await third.restored() == OLD


@on_loop
async def test_clobber_of_a_stream_that_cannot_be_read_removes_what_was_there() -> None:
    world = World(cipher=aes(OTHER_KEY))
    await world.put(OLD, seal_manifest=True)
    other = world.elsewhere(cipher=aes())
    await other.put(NEW, clobber=True)
    assert await other.restored() == NEW
    assert not other.heard(Notice)
    assert set(await other.objects()) == await other.named_keys() | {other.location.manifest_key}


@on_loop
async def test_old_chunks_that_cannot_be_removed_fail_nothing() -> None:
    world = World()
    await world.put(OLD)
    again = world.restarted()
    again.store.hooks.append(
        fails_for(lambda op: op.method == "delete" and op.key.endswith("2"), error=refused)
    )
    await again.put(NEW, clobber=True)
    assert await again.restored() == NEW
    assert any("could not be removed" in event.message for event in again.heard(Notice))
    assert again.journals.contents == {}


# --- whose chunk keys? ------------------------------------------------------------------------------------------------


@on_loop
async def test_stray_chunks_of_an_unknown_run_are_not_written_over() -> None:
    world = World()
    await world.put_cut_off(OLD, stored={0, 2})
    strays = await world.objects()
    other = world.elsewhere()
    await other.put(NEW, resume=False, takeover=True)
    assert all(GENERATION.fullmatch(key) for key in chunk_writes(other))
    assert (await other.objects()).items() >= strays.items()
    assert await other.restored() == NEW


@on_loop
async def test_no_resume_starts_over_beside_what_is_stored() -> None:
    world = World()
    data = content(5 * CHUNK)
    await world.put_cut_off(data, stored={0, 1})
    strays = await world.objects()
    again = world.restarted()
    summary = await again.put(NEW, resume=False)
    assert summary.chunks_resumed == 0
    assert all(GENERATION.fullmatch(key) for key in chunk_writes(again))
    assert (await again.objects()).items() >= strays.items()
    assert await again.restored() == NEW
    assert again.journals.contents == {}


@on_loop
async def test_a_run_started_over_is_resumed_where_it_writes() -> None:
    world = World()
    await world.put_cut_off(OLD, stored={0, 1})
    second = world.restarted()
    await second.put_cut_off(NEW, stored={0, 1, 3}, resume=False)
    third = second.restarted()
    assert (await third.put(NEW)).chunks_resumed == 3
    assert await third.restored() == NEW
    assert all(GENERATION.fullmatch(key) for key in chunk_writes(third) | await third.named_keys())


@pytest.mark.parametrize("stored", [set(), {0}, {0, 1}])
@on_quick_loop
async def test_a_resumed_clobber_spares_the_chunks_of_a_stream_finished_meanwhile(stored: set[int]) -> None:
    """A run that began when the plain keys were free must not write over them once a manifest names them."""
    world = World()
    if stored:
        await world.put_cut_off(OLD, stored=stored)
    else:
        world.store.hooks.append(fails_for(lambda operation: operation.writes, error=refused))
        assert isinstance(await failure_of(world.put(OLD)), StoreError)
        assert world.journals.journal() is not None
    await finish_with_plain_keys(world)
    theirs = await world.elsewhere().restored()

    again = world.restarted()
    await never_overwrites_live_chunks(again)
    await again.put(OLD, clobber=True)
    assert await again.restored() == OLD
    assert theirs == NEW


async def finish_with_plain_keys(world: World) -> None:
    """Finish a stream of that name as another program would that knows nothing of generations."""
    other = World(name=NAME, seed=5)
    await other.put(NEW)
    for key, body in (await other.objects()).items():
        await world.write(key, body)


# --- meanwhile --------------------------------------------------------------------------------------------------------


@on_loop
async def test_a_stream_that_appears_meanwhile_is_not_replaced() -> None:
    world = World()

    async def hook(operation: Operation, phase: Phase) -> None:
        if phase is Phase.BEFORE and operation.key == PLAIN_KEYS[3]:
            world.store.hooks.remove(hook)
            await world.finished_by_another_program(NEW)

    world.store.hooks.append(hook)
    error = await failure_of(world.put(OLD))
    assert isinstance(error, StreamExists)
    assert "meanwhile" in error.message
    assert await world.elsewhere().restored() == NEW
    kept = await world.objects()
    assert set(PLAIN_KEYS[:4]) <= set(kept)
    assert len(world.journals.recorded()) == 4

    again = world.restarted()
    assert isinstance(await failure_of(again.put(OLD)), StreamExists)
    assert await again.objects() == kept


@on_loop
async def test_a_stream_that_appears_in_the_last_moment_is_not_replaced() -> None:
    """Between the look and the write: the write itself is conditional."""
    world = World()
    other = world.elsewhere()

    async def hook(operation: Operation, phase: Phase) -> None:
        if phase is Phase.BEFORE and operation.key == world.location.manifest_key and operation.writes:
            world.store.hooks.remove(hook)
            await other.put(NEW, resume=False, takeover=True)

    world.store.hooks.append(hook)
    assert isinstance(await failure_of(world.put(OLD)), StreamExists)
    assert await other.restored() == NEW
    assert len(world.journals.recorded()) == 4


@on_loop
async def test_a_manifest_that_vanishes_while_it_is_read_leaves_the_name_free() -> None:
    world = World()
    await world.put(OLD)
    again = world.restarted()

    async def hook(operation: Operation, phase: Phase) -> None:
        if phase is Phase.AFTER and operation.method == "head":
            again.store.hooks.remove(hook)
            for key in await again.objects():
                await again.delete(key)

    again.store.hooks.append(hook)
    await again.put(NEW)
    assert await again.restored() == NEW


@on_loop
async def test_no_error_of_a_put_is_a_success_in_disguise() -> None:
    world = World()
    world.store.hooks.append(
        fails_for(lambda op: op.writes and op.key == world.location.manifest_key, error=refused)
    )
    assert isinstance(await failure_of(world.put(OLD)), S3ductError)
    assert await world.manifest() is None
