"""The last steps of a put: a lost reply, a crash between two of them, and what a rerun makes of it."""

from __future__ import annotations

import pytest

from s3duct.domain.errors import (
    LocalResourceError,
    ObjectExists,
    S3ductError,
    StreamExists,
)
from s3duct.domain.ports.cipher import Cipher
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for, refused, unavailable
from tests.usecases.loop import failure_of, on_loop, on_quick_loop
from tests.usecases.world import CHUNK, World, aes, content

DATA = content(4 * CHUNK)
CIPHERS = [None, aes()]


def writes_manifest(operation: Operation) -> bool:
    """Whether it is the write that makes the stream visible."""
    return operation.writes and operation.key.endswith(".manifest.json")


async def cut_off_after_manifest(world: World, data: bytes = DATA, **changes: bool) -> dict[str, bytes]:
    """Put, and die between the manifest and the end of the journal; return the bucket."""

    def dead(method: str) -> None:
        if method == "discard":
            raise LocalResourceError("cut off (a fault of the test)")

    world.journals.on_call = dead
    assert isinstance(await failure_of(world.put(data, **changes)), LocalResourceError)
    assert world.journals.recorded()
    return await world.objects()


@pytest.mark.parametrize("seal", [False, True])
@pytest.mark.parametrize("clobber", [False, True])
@on_quick_loop
async def test_a_lost_reply_to_the_manifest_ends_well(clobber: bool, seal: bool) -> None:
    world = World(cipher=aes())
    await world.put(content(CHUNK, 7), clobber=True)
    if not clobber:
        for key in await world.objects():
            await world.delete(key)
    again = world.restarted()
    again.store.hooks.append(fails_for(writes_manifest, error=unavailable, phase=Phase.AFTER, times=1))
    await again.put(DATA, clobber=clobber, seal_manifest=seal)
    assert again.clock.naps
    assert again.journals.contents == {}
    assert await again.restored() == DATA


@on_loop
async def test_a_reply_lost_for_good_is_found_out_by_the_next_run() -> None:
    world = World()
    world.store.hooks.append(fails_for(writes_manifest, error=refused, phase=Phase.AFTER))
    await failure_of(world.put(DATA))
    again = world.restarted()
    await again.put(DATA)
    assert not again.store.writes
    assert again.journals.contents == {}
    assert await again.restored() == DATA


@on_loop
async def test_exists_said_of_nothing_is_no_success() -> None:
    """A store that answers "exists" to a write and "not found" to the look after it (409 on a race): try again."""
    world = World()
    world.store.hooks.append(fails_for(writes_manifest, error=lambda: ObjectExists("409 conflict"), times=1))
    try:
        await world.put(DATA)
    except S3ductError:
        assert world.journals.recorded() == [0, 1, 2, 3]
    else:
        assert await world.restored() == DATA


@pytest.mark.parametrize("seal", [False, True])
@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@on_quick_loop
async def test_a_rerun_after_the_manifest_ends_well_without_uploading(
    cipher: Cipher | None, seal: bool
) -> None:
    world = World(cipher=cipher)
    seal = seal and cipher is not None
    before = await cut_off_after_manifest(world, seal_manifest=seal)
    again = world.restarted()
    summary = await again.put(DATA, seal_manifest=seal)
    assert summary.chunks_resumed == 4
    assert summary.manifest.total_bytes == len(DATA)
    assert not again.store.writes
    assert await again.objects() == before
    assert again.journals.contents == {}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "other",
    [
        content(4 * CHUNK, 1),
        DATA[: 2 * CHUNK],
        DATA[: 2 * CHUNK + 5],
        DATA[:5],
        DATA + b"x",
        DATA + content(3 * CHUNK, 1),
    ],
    ids=["other", "shorter by chunks", "shorter", "much shorter", "longer", "longer by chunks"],
)
@on_quick_loop
async def test_a_rerun_with_another_input_is_refused(other: bytes, strict: bool) -> None:
    """The stream exists: whatever else comes, it is not touched, and nobody is told that his input is stored."""
    world = World()
    before = await cut_off_after_manifest(world)
    again = world.restarted()
    error = await failure_of(again.put(other, strict_resume=strict))
    assert isinstance(error, StreamExists)
    assert await again.objects() == before
    assert not again.store.writes
    assert await again.restored() == DATA


@on_loop
async def test_a_rerun_with_clobber_replaces_what_the_cut_off_run_wrote() -> None:
    world = World()
    await cut_off_after_manifest(world)
    again = world.restarted()
    data = content(2 * CHUNK, 3)
    await again.put(data, clobber=True)
    assert await again.restored() == data
    assert set(await again.objects()) == await again.named_keys() | {again.location.manifest_key}


@on_loop
async def test_a_journal_that_cannot_be_removed_is_told_but_the_stream_is_there() -> None:
    world = World()
    await cut_off_after_manifest(world)
    assert await world.restored() == DATA
    assert not world.journals.held


@on_loop
async def test_superfluous_chunks_of_a_shorter_input_go_after_the_manifest() -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1, 2})
    again = world.restarted()
    await again.put(DATA[:CHUNK], strict_resume=False)
    order = [
        operation
        for operation in again.store.operations
        if not operation.is_of_journal and (operation.writes or operation.method == "delete")
    ]
    assert writes_manifest(order[-3])
    assert [operation.method for operation in order[-2:]] == ["delete", "delete"]
    assert again.journals.contents == {}
    assert len(await again.objects()) == 2
