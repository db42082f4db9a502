"""get of a part of a stream: the bytes that were asked for, from the chunks they need, each verified whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.app.usecases.get_request import GetRequest
from s3duct.domain.byte_range import ByteRange
from s3duct.domain.errors import ChunkDamaged, UsageError
from s3duct.domain.events import BytesMoved, Notice, TransferStarted
from tests.fakes.hooks import fails_for, refused
from tests.fakes.output import FakeOutput
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, run
from tests.usecases.world import CHUNK, PLAIN_KEYS, World, aes, content

DATA = content(6 * CHUNK + 11)


async def stored(*, sealed: bool = False) -> World:
    """A machine that reads a stream of seven chunks, which another one has put."""
    world = World(cipher=aes() if sealed else None)
    await world.put(DATA)
    return world.elsewhere()


def fetched(world: World) -> list[int]:
    return sorted(PLAIN_KEYS.index(key) for key in world.store.keys("get") if key in PLAIN_KEYS)


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
@pytest.mark.parametrize(
    ("offset", "length", "chunks"),
    [
        (0, 1, [0]),
        (0, CHUNK, [0]),
        (0, CHUNK + 1, [0, 1]),
        (CHUNK - 1, 2, [0, 1]),
        (CHUNK, CHUNK, [1]),
        (CHUNK + 5, 10, [1]),
        (2 * CHUNK + 5, 3 * CHUNK, [2, 3, 4, 5]),
        (5 * CHUNK, None, [5, 6]),
        (6 * CHUNK + 10, None, [6]),
        (len(DATA), None, []),
        (0, len(DATA), list(range(7))),
    ],
)
@on_quick_loop
async def test_only_the_chunks_of_the_range_are_fetched(
    offset: int, length: int | None, chunks: list[int], sealed: bool
) -> None:
    world = await stored(sealed=sealed)
    expected = DATA[offset:] if length is None else DATA[offset : offset + length]

    summary = await world.get(wanted=ByteRange(offset, length))

    assert world.sink.data == expected
    assert fetched(world) == chunks
    assert (summary.start, summary.stop) == (offset, offset + len(expected))
    assert summary.bytes_written == len(expected)
    assert summary.chunks_downloaded == len(chunks)
    assert summary.is_part == (expected != DATA)
    assert world.heard(TransferStarted) == [TransferStarted("stream", len(expected), len(chunks))]
    assert sum(event.size_bytes for event in world.heard(BytesMoved)) == len(expected)
    assert world.heard(Notice) == []
    assert not world.memory.out


@pytest.mark.parametrize("at", [0, -1])
@on_quick_loop
async def test_damage_outside_the_wanted_part_of_a_chunk_lets_nothing_of_it_out(at: int) -> None:
    world = await stored()
    await world.damage(PLAIN_KEYS[2], at=at)
    error = await failure_of(world.get(wanted=ByteRange(CHUNK + 5, CHUNK + 100)))
    assert isinstance(error, ChunkDamaged)
    assert world.sink.data == DATA[CHUNK + 5 : 2 * CHUNK]


@on_loop
async def test_damage_outside_the_range_does_not_matter() -> None:
    world = await stored()
    await world.damage(PLAIN_KEYS[0])
    await world.delete(PLAIN_KEYS[4])
    await world.get(wanted=ByteRange(CHUNK, 3 * CHUNK))
    assert world.sink.data == DATA[CHUNK : 4 * CHUNK]


@on_loop
async def test_a_range_beyond_the_end() -> None:
    world = await stored()
    error = await failure_of(world.get(wanted=ByteRange(len(DATA) + 1)))
    assert isinstance(error, UsageError)
    assert str(len(DATA)) in error.message
    assert fetched(world) == []

    await world.get(wanted=ByteRange(len(DATA) - 3, 100))
    assert world.sink.data == DATA[-3:]
    assert [f"ends at {len(DATA)} bytes" in notice.message for notice in world.heard(Notice)] == [True]


@on_loop
async def test_sealed_bytes_have_no_offsets() -> None:
    world = await stored(sealed=True)
    for wanted in (ByteRange(1), ByteRange(0, 5)):
        with pytest.raises(UsageError, match="sealed bytes"):
            GetRequest(world.location, world.buffers, raw=True, range=wanted)


@on_loop
async def test_two_ranges_into_one_output_do_not_mix() -> None:
    world, output = await stored(), FakeOutput()
    world.store.hooks.append(fails_for(lambda operation: operation.key == PLAIN_KEYS[3], error=refused))
    await failure_of(world.get(output=output, wanted=ByteRange(5)))
    other = world.elsewhere()
    await other.get(output=output, wanted=ByteRange(6))
    assert output.content == DATA[6:]
    assert len(output.parts) == 1


@given(
    chunk_bytes=st.integers(1024, 1400),
    size_bytes=st.integers(1, 7000),
    first=st.integers(0, 7000),
    length=st.none() | st.integers(1, 7000),
    left=st.integers(0, 7100),
    flip=st.none() | st.integers(0, 7100),
    sealed=st.booleans(),
)
def test_any_range_goes_on_from_whatever_lies_there(
    chunk_bytes: int,
    size_bytes: int,
    first: int,
    length: int | None,
    left: int,
    flip: int | None,
    sealed: bool,
) -> None:
    async def check() -> None:
        world = World(cipher=aes() if sealed else None, chunk_bytes=chunk_bytes)
        data = content(size_bytes)
        await world.put(data)
        wanted = ByteRange(min(first, size_bytes), length)
        start, stop = wanted.within(size_bytes)
        right = data[start:stop]
        output = FakeOutput()
        await world.get(output=output, wanted=wanted)
        assert output.content == right
        lying = bytearray((right + b"\0" * 7100)[:left])
        if flip is not None and flip < len(lying):
            lying[flip] ^= 1
        output, (identity,) = FakeOutput(), output.begun
        output.parts[identity] = lying
        world.store.operations.clear()

        summary = await world.get(output=output, wanted=wanted)

        assert output.content == right
        assert summary.size_bytes == len(right)
        whole = range(-(-start // chunk_bytes), stop // chunk_bytes)
        assert summary.chunks_kept <= len(whole) + 1
        assert summary.chunks_kept + len(fetched(world)) == summary.chunks

    run(check(), debug=False)
