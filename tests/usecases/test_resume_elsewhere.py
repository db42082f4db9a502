"""A put goes on where its run was never seen: on another machine, from the journal in the bucket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from s3duct.adapters.plain import PlainCipher
from s3duct.domain.errors import (
    ExitCode,
    InputDiverged,
    JournalDamaged,
    JournalMismatch,
    KeyRequired,
    RunInProgress,
    SourceError,
    WrongKey,
)
from s3duct.domain.events import Notice
from s3duct.domain.journal_codec import checked_line
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.resume import ResumeFrom
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import refused
from tests.fakes.pipe import FailingSource
from tests.fault.invariant import check, watched
from tests.support.age_keys import key_pair
from tests.usecases.loop import failure_of, on_loop, on_quick_loop
from tests.usecases.world import CHUNK, NAME, OTHER_KEY, World, aes, content

DATA, OTHER = content(5 * CHUNK + 3), content(4 * CHUNK, 1)
PAIR = key_pair("x25519", 0)
CIPHERS: list[tuple[Cipher | None, bool]] = [
    (None, False),
    (aes(), False),
    (aes(), True),
    (PAIR.cipher(), True),
]
CIPHER_IDS = ["plain", "aes", "aes sealed", "age"]


async def cut_off(
    stored: set[int] | None = None, *, cipher: Cipher | None = None, seal: bool = False
) -> World:
    """A machine whose put of `DATA` was cut off; its claim has gone stale."""
    world = World(cipher=cipher)
    await world.put_cut_off(DATA, stored={0, 1, 3} if stored is None else stored, seal_manifest=seal)
    world.let_claims_go_stale()
    return world


def chunk_indices(world: World) -> set[int]:
    """Which chunks a world wrote."""
    return {int(key[-6:]) for key in world.store.writes if "/chunk-" in key}


@pytest.mark.parametrize(("cipher", "seal"), CIPHERS, ids=CIPHER_IDS)
@pytest.mark.parametrize("wanted", [ResumeFrom.AUTO, ResumeFrom.BUCKET])
@on_quick_loop
async def test_another_machine_goes_on(wanted: ResumeFrom, cipher: Cipher | None, seal: bool) -> None:
    world = await cut_off(cipher=cipher, seal=seal)
    other = watched(world.elsewhere())
    summary = await other.put(DATA, seal_manifest=seal, resume_from=wanted)
    assert summary.chunks_resumed == 3
    assert chunk_indices(other) == {2, 4, 5}
    assert all("/gen-" in key for key in other.store.writes if "/chunk-" in key)
    assert await other.restored() == DATA
    assert (await other.verify(deep=True)).ok
    assert await other.resume_keys() == []
    assert other.journals.contents == {}
    (notice,) = other.heard(Notice)
    assert "15 minutes ago" in notice.message


@on_loop
async def test_it_goes_on_from_machine_to_machine() -> None:
    world = await cut_off({0, 1})
    for last in (3, 4):
        world = world.elsewhere(seed=world.seed + 100)
        await world.put_cut_off(DATA, stored={*range(last)})
        world.let_claims_go_stale()
    final = watched(world.elsewhere(seed=999))
    assert (await final.put(DATA)).chunks_resumed == 4
    assert await final.restored() == DATA


@on_loop
async def test_what_is_carried_on_is_written_before_the_claim_says_so() -> None:
    """A machine that dies with the claim just taken, and never comes back, loses nothing for the third one."""
    world = await cut_off({0, 1, 3})
    other = world.elsewhere()
    claimed = False

    async def dies(operation: Operation, phase: Phase) -> None:
        nonlocal claimed
        if claimed:
            raise refused()
        claimed = phase is Phase.AFTER and (operation.method, operation.key) == (
            "put",
            world.location.claim_key,
        )

    other.store.hooks.append(dies)
    await failure_of(other.put(DATA))
    world.let_claims_go_stale()
    third = watched(world.elsewhere(seed=3000))
    assert (await third.put(DATA)).chunks_resumed == 3


@on_loop
async def test_what_another_machine_stored_is_gone_on_with_by_itself_after_a_crash() -> None:
    world = await cut_off({0, 1})
    other = world.elsewhere()
    await other.put_cut_off(DATA, stored={0, 1, 2, 3})
    again = watched(other.restarted())
    assert (await again.put(DATA)).chunks_resumed == 4
    assert await again.restored() == DATA


@on_loop
async def test_the_first_machine_comes_back_and_continues_what_the_other_one_stored() -> None:
    """Its own journal is part of the other one's: nothing that either of them stored is sent again."""
    world = await cut_off({0, 1})
    other = world.elsewhere()
    await other.put_cut_off(DATA, stored={0, 1, 2, 3})
    back = watched(world.restarted())
    assert isinstance(await failure_of(back.put(DATA)), RunInProgress)
    other.let_claims_go_stale()
    back = watched(world.restarted())
    assert (await back.put(DATA)).chunks_resumed == 4
    assert await back.restored() == DATA


# --- alive, stale, taken over -----------------------------------------------------------------------------------------


@on_loop
async def test_a_live_run_is_not_taken_over() -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1})
    before = {key: await world.read(key) for key in await world.resume_keys()}
    world.let_claims_go_stale()
    world.bucket.advance(-1)  # type: ignore[attr-defined]
    for options in ({}, {"resume": False}, {"clobber": True}, {"resume_from": ResumeFrom.BUCKET}):
        other = world.elsewhere()
        error = await failure_of(other.put(DATA, **options))
        assert isinstance(error, RunInProgress)
        assert error.exit_code is ExitCode.BUSY
        assert "15 minutes ago" in error.message
        assert "--takeover" in error.hint
        assert not other.store.writes
        assert other.journals.contents == {}
        assert {key: await world.read(key) for key in await world.resume_keys()} == before


@pytest.mark.parametrize("takeover", [False, True])
@on_quick_loop
async def test_a_run_that_ends_while_its_age_is_looked_at(takeover: bool) -> None:
    """It removes all that journals have there, and with it the object by which the store's clock is read."""
    world = World()
    await world.put_cut_off(DATA, stored={0, 1})
    other = watched(world.elsewhere())

    async def ends(operation: Operation, phase: Phase) -> None:
        if operation.method == "head" and operation.is_of_journal and phase is Phase.BEFORE:
            for key in await world.resume_keys():
                await world.bucket.delete(key)

    other.store.hooks.append(ends)
    if takeover:
        await other.put(DATA, takeover=True)
        assert await other.restored() == DATA
    else:
        error = await failure_of(other.put(DATA))
        assert isinstance(error, RunInProgress)
        assert "0 seconds ago" in error.message


@pytest.mark.parametrize("resume", [True, False])
@on_quick_loop
async def test_a_live_run_is_taken_over_on_demand(resume: bool) -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1})
    other = watched(world.elsewhere())
    summary = await other.put(DATA, takeover=True, resume=resume)
    assert summary.chunks_resumed == (2 if resume else 0)
    assert not set(other.store.writes) & {world.chunk_key(index) for index in range(9)}
    assert await other.restored() == DATA


@on_loop
async def test_a_store_that_tells_no_times_is_asked_for_nothing() -> None:
    """Nobody knows how old the claim is: only `--takeover` will do."""
    world = await cut_off()
    world.bucket._modified.clear()  # type: ignore[attr-defined]
    error = await failure_of(world.elsewhere().put(DATA))
    assert isinstance(error, RunInProgress)
    assert "unknown time" in error.message
    await world.elsewhere().put(DATA, takeover=True)


# --- what does not continue ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chunk_size_bytes": 2 * CHUNK}, "chunk size"),
        ({"storage_class": "GLACIER"}, "storage class"),
        ({"seal_manifest": True}, "manifest encryption"),
    ],
)
@on_quick_loop
async def test_other_settings_are_refused_and_named(changes: dict[str, Any], said: str) -> None:
    world = await cut_off(cipher=aes())
    before = await world.resume_keys()
    other = world.elsewhere()
    error = await failure_of(other.put(DATA, **changes))
    assert isinstance(error, JournalMismatch)
    assert said in error.message
    assert "--no-resume" in error.hint
    assert await world.resume_keys() == before
    assert other.journals.contents == {}
    await other.restarted().put(DATA, **changes, resume=False)


@on_loop
async def test_another_input_is_refused_at_the_first_chunk_that_differs() -> None:
    world = await cut_off()
    before = await world.objects()
    other = watched(world.elsewhere())
    assert isinstance(await failure_of(other.put(OTHER)), InputDiverged)
    assert await other.objects() == before
    third = watched(other.restarted())
    await third.put(OTHER, resume=False)
    assert await third.restored() == OTHER
    assert (await third.objects()).items() >= before.items()


@on_loop
async def test_two_unfinished_runs_are_not_chosen_between() -> None:
    world = await cut_off()
    other = World(bucket=world.bucket, seed=77)
    elsewhere = World(seed=78)
    await elsewhere.put_cut_off(OTHER, stored={0, 1})
    for key, body in (await elsewhere.objects()).items():
        await world.write(key.replace("/chunk", "/gen-00000000/chunk"), body)
    place, text = next(iter(elsewhere.journals.contents.items()))
    other.journals.contents[place] = text
    error = await failure_of(other.restarted().put(OTHER))
    assert isinstance(error, JournalMismatch)
    assert "--resume-from local or bucket" in error.hint
    from_bucket = watched(other.restarted())
    assert (await from_bucket.put(DATA, resume_from=ResumeFrom.BUCKET)).chunks_resumed == 3
    assert await from_bucket.restored() == DATA


@on_loop
async def test_the_local_run_is_continued_beside_a_stale_one_if_it_is_wanted() -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1})
    other = world.elsewhere()
    await other.put_cut_off(OTHER, stored={0, 1, 2}, resume=False, takeover=True)
    other.let_claims_go_stale()
    back = watched(world.restarted())
    assert isinstance(await failure_of(back.put(DATA)), JournalMismatch)
    back = watched(world.restarted())
    assert (await back.put(DATA, resume_from=ResumeFrom.LOCAL)).chunks_resumed == 2
    assert await back.restored() == DATA


@on_loop
async def test_nothing_in_the_bucket_is_said() -> None:
    world = World()
    error = await failure_of(world.put(DATA, resume_from=ResumeFrom.BUCKET))
    assert isinstance(error, JournalMismatch)
    assert "no journal" in error.message


@on_loop
async def test_a_damaged_local_journal_is_mended_from_the_bucket_on_demand() -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1, 3})
    (place,) = world.journals.contents
    lines = world.journals.contents[place].splitlines(keepends=True)
    world.journals.contents[place] = b"".join([lines[0], b"{}\n", *lines[2:]])
    assert isinstance(await failure_of(world.restarted().put(DATA)), JournalDamaged)
    again = watched(world.restarted())
    assert (await again.put(DATA, resume_from=ResumeFrom.BUCKET)).chunks_resumed == 3
    assert await again.restored() == DATA


# --- keys -------------------------------------------------------------------------------------------------------------


@on_loop
async def test_a_sealed_journal_wants_its_key() -> None:
    world = await cut_off(cipher=aes(), seal=True)
    error = await failure_of(world.elsewhere(cipher=aes(OTHER_KEY)).put(DATA, seal_manifest=True))
    assert isinstance(error, WrongKey)
    assert "journal" in error.message
    error = await failure_of(world.elsewhere(cipher=PlainCipher()).put(DATA))
    assert isinstance(error, KeyRequired)
    assert "--key" in error.hint


@on_loop
async def test_a_plain_copy_of_what_should_be_sealed_is_not_believed() -> None:
    """Whoever has no key could have written it, whatever it says of itself."""
    plain = await cut_off(cipher=aes())
    sealed = await cut_off(cipher=aes(), seal=True)
    (there,) = [key for key in await sealed.resume_keys() if key.endswith(".jsonl")]
    (forged,) = [key for key in await plain.resume_keys() if key.endswith(".jsonl")]
    text = (await plain.read(forged)).replace(forged.split("/")[2].encode(), there.split("/")[2].encode())
    header, *records = text.splitlines(keepends=True)
    fields = json.loads(header)
    del fields["check"]
    fields["encrypted_manifest"] = True
    await sealed.write(there, checked_line(fields) + b"".join(records))
    sealed.let_claims_go_stale()
    error = await failure_of(sealed.elsewhere().put(DATA, seal_manifest=True))
    assert isinstance(error, JournalDamaged)


@on_loop
async def test_a_host_with_recipients_alone_goes_on_from_its_own_journal() -> None:
    cipher = PAIR.sealing()
    world = World(cipher=cipher)
    await world.put_cut_off(DATA, stored={0, 1, 3}, seal_manifest=True)
    again = world.restarted()
    assert (await again.put(DATA, seal_manifest=True)).chunks_resumed == 3
    assert await again.elsewhere(cipher=PAIR.opening()).restored() == DATA


@on_loop
async def test_a_host_with_recipients_alone_starts_over_elsewhere_and_says_so() -> None:
    world = await cut_off(cipher=PAIR.sealing(), seal=True)
    other = world.elsewhere()
    assert (await other.put(DATA, seal_manifest=True)).chunks_resumed == 0
    assert any("left aside" in event.message for event in other.heard(Notice))
    assert await other.elsewhere(cipher=PAIR.opening()).restored() == DATA
    third = await cut_off(cipher=PAIR.sealing(), seal=True)
    error = await failure_of(third.elsewhere().put(DATA, seal_manifest=True, resume_from=ResumeFrom.BUCKET))
    assert isinstance(error, KeyRequired)


# --- damage and forgery ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(0, 1200, 113))
@on_quick_loop
async def test_a_damaged_copy_is_refused(at: int) -> None:
    world = await cut_off()
    (key,) = [key for key in await world.resume_keys() if key.endswith(".jsonl")]
    await world.damage(key, at=at)
    world.let_claims_go_stale()
    other = watched(world.elsewhere())
    error = await failure_of(other.put(DATA))
    assert isinstance(error, JournalDamaged)
    await other.restarted().put(DATA, resume=False)
    assert await other.restored() == DATA


@on_loop
async def test_a_claim_that_nobody_can_read_is_waited_for_and_then_replaced() -> None:
    world = World()
    await world.write(world.location.claim_key, b"what is this?")
    assert isinstance(await failure_of(world.put(DATA)), RunInProgress)
    world.let_claims_go_stale()
    again = world.restarted()
    await again.put(DATA)
    assert await again.restored() == DATA
    assert all("/gen-" in key for key in again.store.writes if "/chunk-" in key)


@on_loop
async def test_a_run_whose_copy_has_vanished_goes_on_from_its_own_journal() -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1, 3})
    for key in await world.resume_keys():
        await world.delete(key)
    again = watched(world.restarted())
    assert (await again.put(DATA)).chunks_resumed == 3
    assert await again.restored() == DATA
    await check(again)
    assert NAME in again.store.operations[0].key


# --- a run that has stopped -----------------------------------------------------------------------------------------------


async def stopped() -> World:
    """A machine whose producer failed: the put has ended, and its claim is fresh."""
    world = World()
    source = FailingSource(DATA[: 3 * CHUNK], SourceError("the producer died"))
    assert isinstance(await failure_of(world.put(source)), SourceError)
    return world


@on_loop
async def test_a_run_that_has_stopped_is_not_waited_for() -> None:
    world = await stopped()
    other = watched(world.elsewhere())
    assert (await other.put(DATA)).chunks_resumed == 3
    assert await other.restored() == DATA
    assert await other.resume_keys() == []


@on_loop
async def test_a_run_that_goes_on_again_is_waited_for() -> None:
    world = await stopped()
    again = world.restarted()
    looked = False

    async def hook(operation: Operation, phase: Phase) -> None:
        nonlocal looked
        if phase is Phase.BEFORE and operation.writes and not looked:
            looked = True
            assert isinstance(await failure_of(world.elsewhere().put(DATA)), RunInProgress)

    again.store.hooks.append(hook)
    assert (await again.put(DATA)).chunks_resumed == 3
    assert await again.restored() == DATA
