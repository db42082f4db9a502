"""get into an output: interrupted anywhere, it goes on from what is there, and believes none of it unread."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.errors import (
    ChunkDamaged,
    Interrupted,
    KeyRequired,
    OutputExists,
    RunInProgress,
    SinkError,
    StoreUnavailable,
)
from s3duct.domain.events import BytesMoved, ChunkFinished, Notice, ResumeStarted, TransferStarted
from s3duct.domain.ports.cipher import Cipher
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for, refused
from tests.fakes.output import FakeOutput
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, run, until
from tests.usecases.world import CHUNK, PLAIN_KEYS, World, aes, content

DATA = content(6 * CHUNK + 11)
CIPHERS = [None, aes()]


async def stored(cipher: Cipher | None = None, *, max_chunks: int | None = None) -> World:
    """A machine that reads a stream of seven chunks, which another one has put."""
    world = World(cipher=cipher)
    await world.put(DATA)
    return world.elsewhere(max_chunks=max_chunks)


def again(world: World, **changes: object) -> World:
    """The same machine in its next run."""
    return world.elsewhere(**changes)


async def broken_off(world: World, output: FakeOutput, *, at: int, **options: object) -> None:
    """Get, and fail for good at chunk `at`."""
    hook = fails_for(lambda operation: operation.key == PLAIN_KEYS[at], error=refused)
    world.store.hooks.append(hook)
    await failure_of(world.get(output=output, **options))  # type: ignore[arg-type]  # options of get
    world.store.hooks.remove(hook)


def fetched(world: World) -> list[int]:
    """Chunks whose download has begun, in order, each as often as it has."""
    return sorted(PLAIN_KEYS.index(key) for key in world.store.keys("get") if key in PLAIN_KEYS)


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("at", range(7))
@on_quick_loop
async def test_what_is_there_is_not_fetched_again(at: int, cipher: Cipher | None) -> None:
    world, output = await stored(cipher), FakeOutput()
    await broken_off(world, output, at=at)
    assert b"".join(bytes(part) for part in output.parts.values()) == DATA[: at * CHUNK]

    second = again(world)
    summary = await second.get(output=output)

    assert output.content == DATA
    assert output.parts == {}
    assert fetched(second) == list(range(at, 7))
    assert (summary.chunks_kept, summary.chunks_downloaded) == (at, 7 - at)
    assert (summary.bytes_kept, summary.bytes_written) == (at * CHUNK, len(DATA) - at * CHUNK)
    assert (summary.size_bytes, summary.chunks) == (len(DATA), 7)


@on_loop
async def test_every_kept_byte_is_read() -> None:
    world, output = await stored(), FakeOutput()
    await broken_off(world, output, at=4)
    await again(world).get(output=output)

    read = set()
    for offset, size in output.reads:
        read |= set(range(offset, offset + size))
    assert set(range(4 * CHUNK)) <= read
    assert [offset for offset, _ in output.writes if offset < 4 * CHUNK] == [0, CHUNK, 2 * CHUNK, 3 * CHUNK]


@given(
    chunk_bytes=st.integers(1024, 1400),
    size_bytes=st.integers(0, 7000),
    left=st.integers(0, 8000),
    flip=st.none() | st.integers(0, 8000),
    sealed=st.booleans(),
    raw=st.booleans(),
)
def test_whatever_lies_there_the_output_is_right(
    chunk_bytes: int, size_bytes: int, left: int, flip: int | None, sealed: bool, raw: bool
) -> None:
    """A part cut off anywhere, or longer than it should be, with a flipped bit anywhere."""

    async def check() -> None:
        world = World(cipher=aes() if sealed else None, chunk_bytes=chunk_bytes)
        data = content(size_bytes)
        await world.put(data, allow_empty=True)
        await world.get(raw=raw)
        right = world.sink.data
        output = FakeOutput()
        await world.get(output=output, raw=raw)
        assert output.content == right
        lying = bytearray((right + b"\0" * 8000)[:left])
        if flip is not None and flip < len(lying):
            lying[flip] ^= 1
        output, (identity,) = FakeOutput(), output.begun
        output.parts[identity] = lying
        stored_bytes = chunk_bytes + 28 if sealed and raw else chunk_bytes
        good = min(left, len(right)) if flip is None else min(left, len(right), flip)
        kept = good // stored_bytes if good < len(right) else -(-len(right) // stored_bytes)

        summary = await world.get(output=output, raw=raw)

        assert output.content == right
        assert summary.chunks_kept == kept

    run(check(), debug=False)


@on_loop
async def test_events_count_what_was_kept_as_well() -> None:
    world, output = await stored(), FakeOutput()
    await broken_off(world, output, at=3)
    second = again(world)
    await second.get(output=output)

    assert second.heard(TransferStarted) == [TransferStarted("stream", len(DATA), 7)]
    assert second.heard(ResumeStarted) == [ResumeStarted(3, 3 * CHUNK)]
    assert sum(event.size_bytes for event in second.heard(BytesMoved)) == len(DATA)
    finished = second.heard(ChunkFinished)
    assert [event.index for event in finished] == list(range(7))
    assert [event.resumed for event in finished] == [True] * 3 + [False] * 4


@on_loop
async def test_a_part_longer_than_one_reading_is_read_to_its_end() -> None:
    world, output = World(chunk_bytes=3 << 20), FakeOutput()
    data = content((6 << 20) + 5)
    await world.put(data)
    world = world.elsewhere()
    await broken_off(world, output, at=2)
    (part,) = output.parts.values()

    part[(6 << 20) - 1] ^= 1
    second = again(world)
    summary = await second.get(output=output)

    assert output.content == data
    assert summary.chunks_kept == 1


@on_loop
async def test_a_replaced_stream_is_not_mixed_with_the_old_one() -> None:
    world, output = await stored(), FakeOutput()
    await broken_off(world, output, at=5)
    (old,) = output.parts
    other = content(len(DATA), seed=7)
    await again(world).put(other, clobber=True)

    third = again(world)
    await third.get(output=output)

    assert output.content == other
    assert list(output.parts) == [old]
    assert any(old in notice.message and "something else" in notice.message for notice in third.heard(Notice))


@on_loop
async def test_sealed_and_plain_bytes_are_not_mixed() -> None:
    world, output = await stored(aes()), FakeOutput()
    await broken_off(world, output, at=5)
    (plain,) = output.parts
    summary = await again(world).get(output=output, raw=True)

    assert output.content == b"".join([await world.read(key) for key in PLAIN_KEYS[:7]])
    assert summary.chunks_kept == 0
    assert list(output.parts) == [plain]


@on_loop
async def test_sealed_bytes_go_on_by_their_own_digests() -> None:
    world = (await stored(aes())).elsewhere(cipher=World().cipher)
    output = FakeOutput()
    await broken_off(world, output, at=4, raw=True)
    second = again(world)
    summary = await second.get(output=output, raw=True)

    assert output.content == b"".join([await world.read(key) for key in PLAIN_KEYS[:7]])
    assert summary.chunks_kept == 4
    assert fetched(second) == [4, 5, 6]


@on_loop
async def test_sealed_bytes_without_digests_are_not_believed() -> None:
    world = (await stored(aes())).elsewhere(cipher=World().cipher)
    manifest = await world.manifest()
    assert manifest is not None
    del manifest["chunks"][2]["encrypted_sha256"]
    await world.rewrite_manifest(**manifest)
    output = FakeOutput()
    await broken_off(world, output, at=5, raw=True)
    second = again(world)
    await second.get(output=output, raw=True)

    assert fetched(second) == [2, 3, 4, 5, 6]
    assert output.content == b"".join([await world.read(key) for key in PLAIN_KEYS[:7]])


# --- refusals, and what stays ----------------------------------------------------------------------------------


@on_loop
async def test_an_output_that_is_there_is_refused_before_the_bucket_is_asked() -> None:
    world = await stored()
    assert isinstance(await failure_of(world.get(output=FakeOutput(b"precious"))), OutputExists)
    assert world.store.keys("get") == []


@on_loop
async def test_it_is_replaced_where_that_is_allowed_and_only_by_the_whole() -> None:
    world, output = await stored(), FakeOutput(b"precious", replace=True)
    await broken_off(world, output, at=6)
    assert output.content == b"precious"
    await again(world).get(output=output)
    assert output.content == DATA


@on_loop
async def test_no_key_touches_no_output() -> None:
    world = (await stored(aes())).elsewhere(cipher=World().cipher)
    output = FakeOutput()
    assert isinstance(await failure_of(world.get(output=output)), KeyRequired)
    assert (output.begun, output.parts) == ([], {})


@on_loop
async def test_two_at_once() -> None:
    world, output = await stored(), FakeOutput()
    gate = asyncio.Event()
    reached = asyncio.Event()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.key == PLAIN_KEYS[3] and phase is Phase.BEFORE:
            reached.set()
            await gate.wait()

    world.store.hooks.append(hook)
    first = asyncio.ensure_future(world.get(output=output))
    await reached.wait()
    assert isinstance(await failure_of(again(world).get(output=output)), RunInProgress)
    gate.set()
    await first
    assert output.content == DATA


@on_loop
async def test_damage_keeps_what_came_before_and_says_where() -> None:
    world, output = await stored(), FakeOutput()
    await world.damage(PLAIN_KEYS[3])
    assert isinstance(await failure_of(world.get(output=output)), ChunkDamaged)
    assert output.content is None
    ((name, part),) = output.parts.items()
    assert part == DATA[: 3 * CHUNK]
    assert any(f"part of {name}" in notice.message for notice in world.heard(Notice))
    assert output.held == set()


@on_loop
async def test_nothing_restored_leaves_nothing_and_says_nothing_of_it() -> None:
    world, output = await stored(), FakeOutput()
    await broken_off(world, output, at=0)
    assert output.parts == {}
    assert world.heard(Notice) == []


@pytest.mark.parametrize("number", range(7))
@on_quick_loop
async def test_a_disk_that_is_full_and_then_is_not(number: int) -> None:
    world, output = await stored(), FakeOutput()

    def full(position: int) -> None:
        if position == number * CHUNK:
            raise SinkError("no space left")

    output.before_write = full
    assert isinstance(await failure_of(world.get(output=output)), SinkError)
    output.before_write = lambda _: None
    second = again(world)
    await second.get(output=output)
    assert output.content == DATA
    assert fetched(second) == list(range(number, 7))


@on_loop
async def test_a_stop_keeps_what_is_there() -> None:
    world, output = await stored(), FakeOutput()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.key == PLAIN_KEYS[3] and phase is Phase.MIDWAY:
            world.stop.set(15)
            await asyncio.Event().wait()

    world.store.hooks.append(hook)
    assert isinstance(await failure_of(world.get(output=output)), Interrupted)
    await until(lambda: not output.held)  # its thread lets go of it, behind what that was doing
    second = again(world)
    summary = await second.get(output=output)
    assert output.content == DATA
    assert summary.chunks_kept + len(fetched(second)) == 7


@pytest.mark.parametrize("phase", list(Phase))
@on_quick_loop
async def test_a_get_that_fails_again_and_again_gets_there(phase: Phase) -> None:
    """One chunk further each time."""
    world, output = await stored(max_chunks=1), FakeOutput()
    for at in range(1, 7):
        run_now = again(world, max_chunks=1)
        run_now.store.hooks.append(
            fails_for(lambda operation, key=PLAIN_KEYS[at]: operation.key == key, phase=phase)  # type: ignore[misc]
        )
        assert isinstance(await failure_of(run_now.get(output=output)), StoreUnavailable)
        assert set(fetched(run_now)) == {at - 1, at}
    last = again(world)
    await last.get(output=output)
    assert fetched(last) == [6]
    assert output.content == DATA
