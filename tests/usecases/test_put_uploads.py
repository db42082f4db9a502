"""Multipart uploads of dead runs: found and aborted by the put that comes after them, and never any others."""

from __future__ import annotations

from typing import Any

import pytest

from s3duct.domain.errors import AccessDenied, OperationUnsupported, S3ductError, StoreError, StoreUnavailable
from s3duct.domain.events import ChunkStarted, Detail, Notice
from s3duct.domain.journal_codec import decode_journal
from s3duct.domain.sizes import MIB
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import ErrorFactory, fails_for, unavailable
from tests.usecases.loop import failure_of, on_loop, on_quick_loop
from tests.usecases.world import CHUNK, NAME, World, aes, content

DATA = content(4 * CHUNK)
OTHER = content(3 * CHUNK, 4)
# Of living runs, of other streams, and of nobody's business.
FOREIGN = [
    f"{NAME}/sub/chunk-000000",
    f"{NAME}/gen-0badc0de/chunk-000000",
    f"{NAME}/gen-0badc0de/sub/chunk-000000",
    f"{NAME}/chunk-000000/chunk-000000",
    f"{NAME}/.manifest.json",
    f"{NAME}/notes",
    f"{NAME}/chunk-1",
    f"{NAME}2/chunk-000000",
    f"other/{NAME}/chunk-000000",
]


def keys_left(world: World) -> list[str]:
    return [upload.key for upload in world.uploads.left]


def generation_of(world: World) -> str:
    """Of the unfinished run on record."""
    (text,) = world.journals.contents.values()
    journal, _ = decode_journal(text)
    assert journal is not None
    return journal.header.generation


async def died(world: World, **options: Any) -> World:
    """Put a part, and die in the middle of the next chunk's upload; return the machine as it comes up again."""
    await world.put_cut_off(DATA, stored={0, 1}, **options)
    return world.restarted()


@pytest.mark.parametrize("prefix", ["", "pre/fix"])
@on_quick_loop
async def test_a_resumed_run_aborts_what_it_left_itself(prefix: str) -> None:
    world = World(prefix=prefix)
    before = world.location.prefix
    again = await died(world)
    again.uploads.leave(*(before + key for key in FOREIGN))
    foreign = keys_left(again)
    again.uploads.leave(again.chunk_key(2), again.chunk_key(2), again.chunk_key(3))
    if prefix:
        again.uploads.leave(f"{NAME}/chunk-000002")
        foreign.append(f"{NAME}/chunk-000002")
    await again.put(DATA)
    assert keys_left(again) == foreign
    assert await again.restored() == DATA
    assert not again.heard(Notice)
    assert [event.message[-10:] for event in again.heard(Detail)] == ["aborted: 3"]


@on_loop
async def test_the_look_is_over_before_anything_is_uploaded() -> None:
    """Nothing tells an upload of this run from one of the process before it."""
    again = await died(World())
    again.uploads.leave(again.chunk_key(2))
    await again.put(DATA)
    methods = ["write" if operation.writes else operation.method for operation in again.store.operations]
    assert methods.index("uploads") < methods.index("write")
    assert methods.count("uploads") == 1


@on_loop
async def test_an_upload_that_begins_after_the_look_is_left_alone() -> None:
    again = await died(World())
    again.uploads.leave(again.chunk_key(2))

    def begin(event: object) -> None:
        if isinstance(event, ChunkStarted) and event.index == 2:
            again.uploads.leave(again.chunk_key(2))

    again.reactions.append(begin)
    await again.put(DATA)
    assert keys_left(again) == [again.chunk_key(2)]


@pytest.mark.parametrize("clobber", [False, True], ids=["plain keys", "a generation"])
@pytest.mark.parametrize("resume", [True, False], ids=["resumed", "started over"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
@on_quick_loop
async def test_a_run_that_comes_after_a_dead_one_aborts_what_that_left(
    elsewhere: bool, resume: bool, clobber: bool
) -> None:
    world = World()
    if clobber:
        await world.put(content(CHUNK, 8))
        world = world.restarted()
    again = await died(world, clobber=clobber)
    generation = generation_of(again)
    assert bool(generation) is clobber
    if elsewhere:
        again.let_claims_go_stale()
        again = again.elsewhere()
    folder = f"{NAME}/gen-{generation}" if generation else NAME
    again.uploads.leave(*FOREIGN)
    again.uploads.leave(f"{folder}/chunk-000002", f"{folder}/chunk-000003")
    await again.put(DATA if resume else OTHER, clobber=clobber, resume=resume)
    assert keys_left(again) == FOREIGN


@on_loop
async def test_what_the_runs_before_the_last_one_left_goes_too() -> None:
    """A takes nothing over, B took A over and died, C leaves both aside."""
    first = await died(World())
    first.let_claims_go_stale()
    second = first.elsewhere(seed=3000)
    await second.put_cut_off(DATA, stored={0, 1, 2})
    generation = generation_of(second)
    second.let_claims_go_stale()
    third = second.elsewhere(seed=4000)
    third.uploads.leave(f"{NAME}/chunk-000003", f"{NAME}/gen-{generation}/chunk-000003", *FOREIGN)
    await third.put(OTHER, resume=False)
    assert keys_left(third) == FOREIGN


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
@on_quick_loop
async def test_clobber_aborts_what_the_replaced_stream_left(sealed: bool) -> None:
    world = World(cipher=aes())
    await world.put(DATA, seal_manifest=sealed)
    again = world.restarted()
    again.uploads.leave(f"{NAME}/chunk-000003", *FOREIGN)
    await again.put(OTHER, clobber=True)
    assert keys_left(again) == FOREIGN


@on_loop
async def test_a_run_without_a_predecessor_asks_nothing() -> None:
    """Plain chunks or uploads of a program that knows of no claims may be those of a living run."""
    world = World()
    world.uploads.leave(f"{NAME}/chunk-000000")
    await world.put(DATA)
    assert keys_left(world) == [f"{NAME}/chunk-000000"]
    assert "uploads" not in {operation.method for operation in world.store.operations}


@on_loop
async def test_a_run_that_is_refused_aborts_nothing() -> None:
    """The claim is another machine's, which lives."""
    world = World()
    await world.put_cut_off(DATA, stored={0, 1})
    other = world.elsewhere()
    other.uploads.leave(f"{NAME}/chunk-000002")
    assert isinstance(await failure_of(other.put(DATA)), S3ductError)
    assert keys_left(other) == [f"{NAME}/chunk-000002"]


def denied() -> S3ductError:
    return AccessDenied("access denied: AccessDenied")


def unsupported() -> S3ductError:
    return OperationUnsupported("the store does not implement this: NotImplemented")


def broken() -> S3ductError:
    return StoreError("the store refused the request")


@pytest.mark.parametrize(
    ("method", "error", "is_quiet"),
    [
        ("uploads", unsupported, True),
        ("uploads", denied, True),
        ("uploads", broken, False),
        ("uploads", unavailable, False),
        ("abort", denied, False),
        ("abort", unsupported, False),
        ("abort", unavailable, False),
    ],
)
@on_quick_loop
async def test_what_cannot_be_cleaned_up_is_said_once_and_fails_nothing(
    method: str, error: ErrorFactory, is_quiet: bool
) -> None:
    again = await died(World())
    again.uploads.leave(again.chunk_key(2), again.chunk_key(3))
    again.store.hooks.append(fails_for(lambda operation: operation.method == method, error=error))
    await again.put(DATA)
    assert await again.restored() == DATA
    assert len(keys_left(again)) == 2
    assert again.journals.contents == {}
    told = again.heard(Detail) if is_quiet else again.heard(Notice)
    assert len(told) == 1
    assert "incomplete uploads of earlier runs" in told[0].message
    assert not (again.heard(Notice) if is_quiet else again.heard(Detail))
    tries = [operation for operation in again.store.operations if operation.method == method]
    assert len(tries) == (3 if error is unavailable else 1)


@on_loop
async def test_a_failure_that_passes_is_tried_again() -> None:
    again = await died(World())
    again.uploads.leave(again.chunk_key(2))
    for method in ("uploads", "abort"):
        again.store.hooks.append(
            fails_for(lambda operation, method=method: operation.method == method, times=1)  # type: ignore[misc]
        )
    await again.put(DATA)
    assert keys_left(again) == []
    assert not again.heard(Notice)


def in_parts() -> World:
    return World(chunk_bytes=9 * MIB)


@on_loop
async def test_what_a_failed_try_of_this_run_left_goes_once_all_is_stored() -> None:
    """A token that expires in the middle of an upload refuses its abort as well."""
    world = in_parts()
    data = content(8 * MIB + 5)

    async def expires(operation: Operation, phase: Phase) -> None:
        if operation.method == "put_parts" and phase is Phase.MIDWAY and not keys_left(world):
            world.uploads.leave(operation.key, f"{NAME}/gen-0badc0de/chunk-000000")
            raise StoreUnavailable("refused in the middle (a fault of the test)")

    world.store.hooks.append(expires)
    await world.put(data)
    assert keys_left(world) == [f"{NAME}/gen-0badc0de/chunk-000000"]
    assert await world.restored() == data
    methods = [operation.method for operation in world.store.operations]
    assert methods.index("uploads") > max(
        number for number, operation in enumerate(world.store.operations) if operation.writes
    )


@on_loop
async def test_a_run_that_has_lost_its_claim_meanwhile_leaves_it() -> None:
    world = in_parts()
    data = content(8 * MIB + 5)
    fails = True

    async def expires(operation: Operation, phase: Phase) -> None:
        nonlocal fails
        if operation.method == "put_parts" and phase is Phase.MIDWAY and fails:
            fails = False
            world.uploads.leave(operation.key)
            raise StoreUnavailable("refused in the middle (a fault of the test)")
        if operation.key.endswith(".manifest.json") and operation.writes and phase is Phase.AFTER:
            await world.bucket.delete(world.location.claim_key)

    world.store.hooks.append(expires)
    await world.put(data)
    assert len(keys_left(world)) == 1
