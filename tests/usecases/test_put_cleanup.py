"""A clobber that was cut off while it cleaned up, and one over a stream that nobody can read: what goes, and what stays."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from s3duct.domain.errors import SourceError, StreamExists
from s3duct.domain.events import Notice, ResumeStarted
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for, refused
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, until
from tests.usecases.world import CHUNK, NAME, OTHER_KEY, PLAIN_KEYS, World, aes, content

OLD, NEW = content(5 * CHUNK + 3, 1), content(4 * CHUNK)
# In a folder of the stream, but none of its chunks.
FOREIGN = [
    f"{NAME}/sub/chunk-000000",
    f"{NAME}/sub/gen-0badc0de/chunk-000000",
    f"{NAME}/chunk-000000/chunk-000000",
    f"{NAME}/gen-0badc0de/sub/chunk-000000",
    f"{NAME}/notes",
    f"{NAME}/chunk-1",
]


async def killed(world: World, data: bytes, *, after_deletes: int, **options: Any) -> World:
    """Put, and die when so many removals of chunks have begun; return the machine as it comes up again."""
    dead, begun, ended = asyncio.Event(), 0, 0

    async def hook(operation: Operation, phase: Phase) -> None:
        nonlocal begun, ended
        if operation.method == "delete" and not operation.is_of_journal:
            if phase is Phase.BEFORE and begun == after_deletes:
                dead.set()
            begun += phase is Phase.BEFORE
            ended += phase is Phase.AFTER
        if dead.is_set():
            await asyncio.Event().wait()

    world.store.hooks.append(hook)
    putting = asyncio.ensure_future(world.put(data, clobber=True, **options))
    waiting = asyncio.ensure_future(dead.wait())
    await asyncio.wait({putting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert dead.is_set()
    await until(
        lambda: ended == after_deletes
    )  # what is on its way takes effect, whether anybody waits or not
    putting.cancel()
    with suppress(asyncio.CancelledError):
        await putting
    return world.restarted()


async def replaced_in_part(after_deletes: int = 2, **options: Any) -> World:
    """An old stream that was replaced, and whose chunks are partly there."""
    world = World(cipher=options.pop("cipher", None))
    await world.put(OLD, **options)
    for key in FOREIGN:
        await world.write(key, b"foreign")
    return await killed(world.restarted(), NEW, after_deletes=after_deletes, **options)


async def is_clean(world: World) -> bool:
    """Whether there is the stream, and what is foreign, and nothing else."""
    named = await world.named_keys() | {world.location.manifest_key}
    return bool(named) and set(await world.objects()) == named | set(FOREIGN)


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
@pytest.mark.parametrize("after_deletes", [0, 2, 5])
@pytest.mark.parametrize("clobber", [True, False], ids=["same command", "without the flag"])
@on_quick_loop
async def test_the_same_input_finishes_the_clean_up_and_stores_nothing(
    clobber: bool, after_deletes: int, sealed: bool
) -> None:
    again = await replaced_in_part(after_deletes, cipher=aes() if sealed else None, seal_manifest=sealed)
    before = await again.read(again.location.manifest_key)
    assert not await is_clean(again)
    summary = await again.put(NEW, clobber=clobber, seal_manifest=sealed)
    assert not again.store.writes
    assert summary.chunks_resumed == len(summary.manifest.chunks) == 4
    assert await again.read(again.location.manifest_key) == before
    assert await is_clean(again)
    assert await again.restored() == NEW
    assert again.journals.contents == {}
    assert await again.resume_keys() == []
    assert not again.heard(Notice)


@pytest.mark.parametrize(
    "data",
    [
        content(3 * CHUNK, 5),
        NEW[: 2 * CHUNK] + content(CHUNK + 7, 6),
        NEW[: 2 * CHUNK],
        NEW[: 2 * CHUNK + 9],
        NEW + b"more",
        NEW + content(3 * CHUNK, 6),
    ],
    ids=["other", "other from chunk 2", "shorter", "shorter within", "longer", "longer by chunks"],
)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
@on_quick_loop
async def test_another_input_is_stored_and_nothing_of_either_old_one_is_left(
    elsewhere: bool, data: bytes
) -> None:
    """Tonight's dump need not be last night's."""
    again = await replaced_in_part()
    if elsewhere:
        again.let_claims_go_stale()
        again = again.elsewhere()
    await again.put(data, clobber=True)
    assert await again.restored() == data
    assert (await again.verify(deep=True)).ok
    assert await is_clean(again)
    same = sum(NEW[at : at + CHUNK] == data[at : at + CHUNK] for at in range(0, len(NEW), CHUNK))
    chunks = -(-len(data) // CHUNK)
    assert sum(again.store.writes[key] for key in again.store.writes if "chunk-" in key) == chunks - same


@pytest.mark.parametrize("died_with", [2, 3])  # the first two are carried over, not sent
@on_quick_loop
async def test_another_input_that_is_cut_off_is_gone_on_with(died_with: int) -> None:
    again = await replaced_in_part()
    data = NEW[: 2 * CHUNK] + content(3 * CHUNK, 6)
    await again.put_cut_off(data, stored=set(range(died_with)), clobber=True)
    assert await again.elsewhere().restored() == NEW
    third = again.restarted()
    await third.put(data, clobber=True)
    assert third.heard(ResumeStarted)[0].stored_chunks == died_with
    assert await third.restored() == data
    assert await is_clean(third)


@on_loop
async def test_chunks_that_the_new_stream_shares_with_a_replaced_one_stay() -> None:
    """They lie in a folder that is cleaned up, twice cut off."""
    again = await replaced_in_part()
    data = NEW[: 2 * CHUNK] + content(3 * CHUNK, 6)
    third = await killed(again, data, after_deletes=1)
    await third.put(data, clobber=True)
    assert not third.store.writes
    assert await third.restored() == data
    assert (await third.verify(deep=True)).ok
    assert await is_clean(third)


@pytest.mark.parametrize(
    "options",
    [{"resume": False}, {"chunk": 2 * CHUNK}, {"cipher": aes()}],
    ids=["started over", "other chunks", "other key"],
)
@on_quick_loop
async def test_a_run_of_its_own_cleans_up_for_the_one_that_was_cut_off(options: dict[str, Any]) -> None:
    again = await replaced_in_part()
    again = again.restarted(
        chunk_bytes=options.get("chunk", CHUNK), cipher=options.get("cipher", again.cipher)
    )
    await again.put(NEW, clobber=True, resume=options.get("resume", True))
    assert await again.restored() == NEW
    assert await is_clean(again)


@on_loop
async def test_other_tags_are_written_without_storing_a_chunk() -> None:
    again = await replaced_in_part()
    await again.put(NEW, clobber=True, tags={"env": "prod"})
    assert again.store.writes == {again.location.manifest_key: 1}
    assert ((await again.manifest()) or {})["tags"] == {"env": "prod"}
    assert await is_clean(again)


@on_loop
async def test_an_empty_input_is_refused_and_the_next_run_still_cleans_up() -> None:
    again = await replaced_in_part()
    assert isinstance(await failure_of(again.put(b"", clobber=True)), SourceError)
    third = again.restarted()
    await third.put(NEW, clobber=True)
    assert await is_clean(third)


@on_loop
async def test_a_chunk_of_the_new_stream_that_was_lost_is_stored_again() -> None:
    again = await replaced_in_part()
    lost = sorted(await again.named_keys())[1]
    await again.delete(lost)
    await again.put(NEW, clobber=True)
    assert (await again.verify(deep=True)).ok
    assert await again.restored() == NEW
    assert await is_clean(again)


@on_loop
async def test_a_rerun_that_may_not_remove_says_so() -> None:
    again = await replaced_in_part()
    again.store.hooks.append(
        fails_for(
            lambda operation: operation.method == "delete" and not operation.is_of_journal, error=refused
        )
    )
    await again.put(NEW, clobber=True)
    (notice,) = again.heard(Notice)
    assert "left in the bucket" in notice.message
    assert await again.restored() == NEW


@on_loop
async def test_where_another_program_has_put_over_it_nothing_is_removed() -> None:
    """One that knows of no claims: the plain chunks may be its own by now."""
    again = await replaced_in_part()
    foreign = World(seed=77)
    await foreign.put(content(6 * CHUNK, 9))
    theirs = await foreign.objects()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.method == "list" and operation.key == f"{NAME}/" and phase is Phase.BEFORE:
            for key, body in theirs.items():
                await again.write(key, body)

    again.store.hooks.append(hook)
    with suppress(StreamExists):
        await again.put(NEW)
    assert await again.elsewhere().restored() == content(6 * CHUNK, 9)
    assert any("left in the bucket" in notice.message for notice in again.heard(Notice))


@on_loop
async def test_where_another_run_has_taken_over_nothing_is_removed() -> None:
    again = await replaced_in_part()
    again.let_claims_go_stale()
    other = again.elsewhere()
    await other.put_cut_off(content(3 * CHUNK, 5), stored={0}, clobber=True)
    before = await again.objects()
    await again.put(NEW)
    assert await again.objects() == before
    assert any("left in the bucket" in notice.message for notice in again.heard(Notice))


# --- a stream that the key does not open ---------------------------------------------------------------------------


async def sealed_by_another() -> World:
    """A stream under a key that the machine which is returned does not have."""
    world = World(cipher=aes(OTHER_KEY))
    await world.put(OLD, seal_manifest=True)
    for key in FOREIGN:
        await world.write(key, b"foreign")
    return world.elsewhere(cipher=aes())


@pytest.mark.parametrize("after_deletes", [None, 0, 3])
@on_quick_loop
async def test_an_unreadable_stream_goes_whole_however_often_it_takes(after_deletes: int | None) -> None:
    world = await sealed_by_another()
    if after_deletes is not None:
        world = await killed(world, NEW, after_deletes=after_deletes)
    await world.put(NEW, clobber=True)
    assert await is_clean(world)
    assert await world.restored() == NEW
    assert not world.heard(Notice)


@on_loop
async def test_an_unreadable_clobber_that_was_cut_off_before_its_manifest_still_cleans_up() -> None:
    world = await sealed_by_another()
    await world.put_cut_off(NEW, stored={0, 1}, clobber=True)
    again = world.restarted()
    await again.put(NEW, clobber=True)
    assert await is_clean(again)


@on_loop
async def test_chunks_of_a_run_that_may_wake_up_stay() -> None:
    """It was taken over just before it made its stream visible, which is the one thing that it does not ask before."""
    world = World(cipher=aes(OTHER_KEY))
    await world.put(OLD, seal_manifest=True)
    sleeper = world.restarted()
    asleep, over = asyncio.Event(), asyncio.Event()

    async def sleep(operation: Operation, phase: Phase) -> None:
        if operation.writes and operation.key.endswith(".manifest.json") and phase is Phase.BEFORE:
            asleep.set()
            await over.wait()

    sleeper.store.hooks.append(sleep)
    putting = asyncio.ensure_future(sleeper.put(content(3 * CHUNK, 5), clobber=True))
    await asleep.wait()
    world.let_claims_go_stale()
    other = world.elsewhere(cipher=aes())
    await other.put(NEW, clobber=True, resume=False)
    assert await other.restored() == NEW
    over.set()
    await putting
    assert await world.elsewhere(cipher=aes(OTHER_KEY)).restored() == content(3 * CHUNK, 5)


@on_loop
async def test_where_a_journal_cannot_be_opened_everything_stays_and_that_is_said() -> None:
    """Nobody knows then which chunks are those of the run it belongs to."""
    world = World(cipher=aes(OTHER_KEY))
    await world.put(OLD, seal_manifest=True)
    dead = world.restarted()
    await dead.put_cut_off(NEW, stored={0, 1}, seal_manifest=True, clobber=True)
    before = set(await dead.objects())
    dead.let_claims_go_stale()
    other = dead.elsewhere(cipher=aes())
    await other.put(NEW, clobber=True, resume=False)
    assert before <= set(await other.objects())
    assert any("left in the bucket" in notice.message for notice in other.heard(Notice))
    assert set(PLAIN_KEYS[:6]) < before
