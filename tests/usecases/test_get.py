"""get: in order, verified chunks only, and never more of them in memory than there is room for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from s3duct.domain.backpressure import MEMORY_RESERVE_BYTES
from s3duct.domain.errors import (
    ChunkDamaged,
    ChunkMissing,
    DecryptionFailed,
    DowngradeRefused,
    IntegrityError,
    KeyRequired,
    SinkClosed,
    SinkError,
    StoreUnavailable,
    UnsupportedFormat,
)
from s3duct.domain.events import BytesMoved, ChunkFinished, ChunkStarted, TransferStarted
from s3duct.domain.manifest import Manifest
from s3duct.domain.ports.cipher import Cipher
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for, refused, unavailable
from tests.fakes.pipe import FakeSink, HangingSink
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, turns, until
from tests.usecases.world import CHUNK, OTHER_KEY, PLAIN_KEYS, World, aes, content

CIPHERS = [None, aes()]
DATA = content(6 * CHUNK + 11)


async def stored(cipher: Cipher | None = None, *, max_chunks: int | None = None) -> World:
    """A machine that reads a stream of seven chunks, which another one has put."""
    world = World(cipher=cipher)
    await world.put(DATA)
    return world.elsewhere(max_chunks=max_chunks)


# --- order and events -------------------------------------------------------------------------------------------------


@on_loop
async def test_chunks_that_arrive_in_any_order_are_written_in_theirs() -> None:
    world = await stored()
    order = [3, 1, 5, 0, 2, 6, 4]
    gates = [asyncio.Event() for _ in order]

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.key in PLAIN_KEYS and phase is Phase.MIDWAY:
            await gates[PLAIN_KEYS.index(operation.key)].wait()

    world.store.hooks.append(hook)
    getting = asyncio.ensure_future(world.get())
    await until(lambda: len(world.heard(ChunkStarted)) == 7)
    for index in order:
        gates[index].set()
        await turns()
    await getting
    assert world.sink.data == DATA
    assert [event.index for event in world.heard(ChunkFinished)] == list(range(7))


@on_loop
async def test_events_and_summary_add_up() -> None:
    world = await stored(aes())
    summary = await world.get()
    assert world.events[0] == TransferStarted("stream", len(DATA), 7)
    assert [event.index for event in world.heard(ChunkStarted)] == list(range(7))
    assert sum(event.size_bytes for event in world.heard(BytesMoved)) == len(DATA)
    assert summary.bytes_written == len(DATA)
    assert not summary.raw
    assert world.sink.writes == [CHUNK] * 6 + [11]
    assert not world.memory.out


@on_loop
async def test_a_sink_that_hangs_holds_up_no_download_for_which_there_is_room() -> None:
    """Those that were under way arrive, and others start in the room that comes to be while it hangs."""
    world = await stored(max_chunks=7)
    world.disk.free, world.memory_probe.available = 0, MEMORY_RESERVE_BYTES + 2 * CHUNK
    arrive, arrived, sink = asyncio.Event(), 0, HangingSink()

    async def hook(operation: Operation, phase: Phase) -> None:
        nonlocal arrived
        if operation.key in PLAIN_KEYS[1:] and phase is Phase.MIDWAY:
            await arrive.wait()
        arrived += operation.key in PLAIN_KEYS and phase is Phase.AFTER

    world.store.hooks.append(hook)
    getting = asyncio.ensure_future(world.get(sink=sink))
    await until(sink.hangs.is_set)
    await turns()
    assert len(world.heard(ChunkStarted)) == 3
    world.memory_probe.available = MEMORY_RESERVE_BYTES + 20 * CHUNK
    world.clock.advance(1)
    await until(lambda: len(world.heard(ChunkStarted)) == 7)
    arrive.set()
    await until(lambda: arrived == 7)
    await turns()
    assert not sink.data
    sink.release.set()
    await getting
    assert sink.data == DATA


@pytest.mark.parametrize("limit", [1, 2, 4])
@on_quick_loop
async def test_a_slow_sink_starts_no_more_than_there_is_room_for(limit: int) -> None:
    world = await stored(max_chunks=limit)
    sink = HangingSink()
    getting = asyncio.ensure_future(world.get(sink=sink))
    await until(sink.hangs.is_set)
    await turns()
    assert len(world.heard(ChunkStarted)) == limit
    assert len(world.memory.out) == limit
    sink.release.set()
    await getting
    assert sink.data == DATA
    assert world.memory.peak == limit


# --- damage -----------------------------------------------------------------------------------------------------------


async def fails_at(world: World, index: int, expected: type[IntegrityError]) -> None:
    """See that get emits exactly the chunks before `index`, and says which one it was."""
    error = await failure_of(world.get())
    assert type(error) is expected
    assert f"chunk {index}" in error.message
    assert world.sink.data == DATA[: index * CHUNK]


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("max_chunks", [None, 1])
@pytest.mark.parametrize("index", [0, 1, 3, 6])
@pytest.mark.parametrize("at", [0, -1])
@on_quick_loop
async def test_one_flipped_bit(at: int, index: int, max_chunks: int | None, cipher: Cipher | None) -> None:
    world = await stored(cipher, max_chunks=max_chunks)
    await world.damage(PLAIN_KEYS[index], at=at)
    await fails_at(world, index, ChunkDamaged)


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("index", [0, 3, 6])
@on_quick_loop
async def test_a_missing_chunk(index: int, cipher: Cipher | None) -> None:
    world = await stored(cipher)
    await world.delete(PLAIN_KEYS[index])
    await fails_at(world, index, ChunkMissing)


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("change", [b"", b"x", None])
@on_quick_loop
async def test_a_chunk_of_another_length(change: bytes | None, cipher: Cipher | None) -> None:
    world = await stored(cipher)
    body = await world.read(PLAIN_KEYS[2])
    await world.write(PLAIN_KEYS[2], {b"": b"", b"x": body + b"x", None: body[:-1]}[change])
    await fails_at(world, 2, ChunkDamaged)


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@on_quick_loop
async def test_a_swapped_pair(cipher: Cipher | None) -> None:
    world = await stored(cipher)
    first, second = await world.read(PLAIN_KEYS[2]), await world.read(PLAIN_KEYS[3])
    await world.write(PLAIN_KEYS[2], second)
    await world.write(PLAIN_KEYS[3], first)
    await fails_at(world, 2, ChunkDamaged)


@pytest.mark.parametrize(
    "edit",
    [
        lambda manifest: manifest["chunks"].reverse(),
        lambda manifest: manifest["chunks"].pop(),
        lambda manifest: manifest.update(total_bytes=manifest["total_bytes"] - 1),
        lambda manifest: manifest.update(final_chain="0" * 64),
        lambda manifest: manifest["chunks"][3].update(sha256=manifest["chunks"][2]["sha256"]),
        lambda manifest: manifest["chunks"][3].update(s3_key="other/chunk-000003"),
        lambda manifest: manifest["chunks"][3].update(s3_key=manifest["chunks"][2]["s3_key"]),
        lambda manifest: manifest.update(name="another"),
        lambda manifest: manifest.update(encrypted=True),
    ],
)
@on_quick_loop
async def test_an_edited_manifest_lets_nothing_out(edit) -> None:  # type: ignore[no-untyped-def]
    world = await stored()
    manifest = await world.manifest()
    assert manifest is not None
    edit(manifest)
    await world.rewrite_manifest(**manifest)
    assert isinstance(await failure_of(world.get()), IntegrityError)
    assert world.sink.data == b""


@on_loop
async def test_a_newer_format_is_not_guessed_at() -> None:
    world = await stored()
    await world.rewrite_manifest(version=2)
    assert isinstance(await failure_of(world.get()), UnsupportedFormat)
    assert world.sink.data == b""


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@on_quick_loop
async def test_damage_on_the_way_is_mended_by_another_look(cipher: Cipher | None) -> None:
    world = await stored(cipher)
    spoiled: set[str] = set()

    def in_transit(key: str, body: bytes) -> bytes:
        if key in spoiled or "chunk" not in key:
            return body
        spoiled.add(key)
        return bytes([body[0] ^ 1]) + body[1:]

    world.store.in_transit = in_transit
    assert await world.restored() == DATA
    assert len(world.store.keys("get")) == 1 + 2 * 7


@on_loop
async def test_damage_in_the_bucket_is_looked_at_twice_and_no_more() -> None:
    world = await stored(max_chunks=1)
    await world.damage(PLAIN_KEYS[0])
    await failure_of(world.get())
    assert world.store.keys("get") == [world.location.manifest_key, PLAIN_KEYS[0], PLAIN_KEYS[0]]
    assert not world.clock.naps


# --- keys -------------------------------------------------------------------------------------------------------------


@on_loop
async def test_the_wrong_key_lets_nothing_out() -> None:
    world = await stored(aes())
    other = world.elsewhere(cipher=aes(OTHER_KEY))
    assert isinstance(await failure_of(other.get()), IntegrityError | DecryptionFailed)
    assert other.sink.data == b""


@on_loop
async def test_no_key_for_a_sealed_stream() -> None:
    world = (await stored(aes())).elsewhere(cipher=World().cipher)
    error = await failure_of(world.get())
    assert isinstance(error, KeyRequired)
    assert "--key" in error.hint
    assert world.store.keys("get") == [world.location.manifest_key]


@on_loop
async def test_a_key_for_a_stream_that_says_it_is_plain_is_a_warning_sign() -> None:
    world = (await stored()).elsewhere(cipher=aes())
    error = await failure_of(world.get())
    assert isinstance(error, DowngradeRefused)
    assert "leave the key away" in error.hint
    assert "--allow-unencrypted" in error.hint
    assert world.sink.data == b""


@on_loop
async def test_raw_gives_out_the_sealed_bytes_verified() -> None:
    world = (await stored(aes())).elsewhere(cipher=World().cipher)
    summary = await world.get(raw=True)
    sealed = b"".join([await world.read(key) for key in PLAIN_KEYS[:7]])
    assert world.sink.data == sealed
    assert summary.raw
    assert summary.bytes_written == len(sealed)
    await world.damage(PLAIN_KEYS[2])
    assert isinstance(await failure_of(world.get(raw=True)), ChunkDamaged)
    assert world.sink.data == sealed[: 2 * (CHUNK + 28)]


@on_loop
async def test_raw_of_a_plain_stream_is_the_stream() -> None:
    world = await stored()
    summary = await world.get(raw=True)
    assert world.sink.data == DATA
    assert not summary.raw


async def without_sealed_facts(world: World) -> None:
    """Make the manifest one of s3duct 0.3.0 over an age stream: nobody but the store knows the sizes."""
    manifest = await world.manifest()
    assert manifest is not None
    chunks = [
        {key: value for key, value in chunk.items() if not key.startswith("encrypted")}
        for chunk in manifest["chunks"]
    ]
    await world.rewrite_manifest(chunks=chunks, encryption_method="age")


@on_loop
async def test_raw_asks_the_store_for_sizes_that_the_manifest_lacks() -> None:
    world = (await stored(aes())).elsewhere(cipher=World().cipher)
    await without_sealed_facts(world)
    world.store.hooks.append(
        fails_for(lambda operation: operation.method == "head", error=unavailable, times=1)
    )
    await world.get(raw=True)
    assert world.sink.data == b"".join([await world.read(key) for key in PLAIN_KEYS[:7]])


@on_loop
async def test_raw_of_a_chunk_that_is_missing_comes_in_its_turn() -> None:
    world = (await stored(aes())).elsewhere(cipher=World().cipher)
    await without_sealed_facts(world)
    await world.delete(PLAIN_KEYS[2])
    error = await failure_of(world.get(raw=True))
    assert isinstance(error, ChunkMissing)
    assert world.sink.data == await world.read(PLAIN_KEYS[0]) + await world.read(PLAIN_KEYS[1])


@on_loop
async def test_an_object_that_is_empty_where_nobody_knows_its_size_is_damage() -> None:
    world = (await stored(aes())).elsewhere(cipher=World().cipher)
    await without_sealed_facts(world)
    await world.bucket.put(PLAIN_KEYS[2], b"")
    error = await failure_of(world.get(raw=True))
    assert isinstance(error, ChunkDamaged)
    assert "its object is empty" in error.message
    assert world.sink.data == await world.read(PLAIN_KEYS[0]) + await world.read(PLAIN_KEYS[1])


@on_loop
async def test_what_is_verified_does_not_wait_for_the_size_of_what_comes_later() -> None:
    world = (await stored(aes())).elsewhere(cipher=World().cipher)
    await without_sealed_facts(world)
    go_on = asyncio.Event()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.method == "head" and operation.key == PLAIN_KEYS[3] and phase is Phase.BEFORE:
            await go_on.wait()

    world.store.hooks.append(hook)
    getting = asyncio.ensure_future(world.get(raw=True))
    await until(lambda: len(world.sink.writes) == 3)
    go_on.set()
    await getting
    assert world.sink.data == b"".join([await world.read(key) for key in PLAIN_KEYS[:7]])
    assert world.store.keys("head") == PLAIN_KEYS[:7]  # each is asked for once


# --- the other end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [0, 1, 3])
@on_quick_loop
async def test_a_consumer_that_has_seen_enough(taken: int) -> None:
    world = await stored(max_chunks=2)
    sink = FakeSink(closes_after=taken * CHUNK)
    assert isinstance(await failure_of(world.get(sink=sink)), SinkClosed)
    assert sink.data == DATA[: taken * CHUNK]
    assert len(world.store.keys("get")) <= 1 + taken + 3


@on_loop
async def test_an_output_that_fails() -> None:
    world = await stored()

    class FullSink(FakeSink):
        def write_all(self, view: memoryview) -> None:
            if len(self.data) == 2 * CHUNK:
                raise SinkError("no space left")
            super().write_all(view)

    sink = FullSink()
    assert isinstance(await failure_of(world.get(sink=sink)), SinkError)
    assert sink.data == DATA[: 2 * CHUNK]


@on_loop
async def test_a_store_that_fails_for_good_lets_out_what_came_before() -> None:
    world = await stored()
    world.store.hooks.append(fails_for(lambda operation: operation.key == PLAIN_KEYS[4], error=refused))
    await failure_of(world.get())
    assert world.sink.data == DATA[: 4 * CHUNK]


@on_loop
async def test_a_body_that_breaks_off_is_fetched_again_whole() -> None:
    world = await stored(aes())
    world.store.hooks.append(
        fails_for(lambda operation: operation.key == PLAIN_KEYS[1], phase=Phase.MIDWAY, times=3)
    )
    assert await world.restored() == DATA
    assert world.store.keys("get").count(PLAIN_KEYS[1]) == 4
    assert len(world.clock.naps) == 3


@on_loop
async def test_a_body_that_breaks_off_for_ever_is_an_error_in_the_end() -> None:
    world = await stored()
    world.store.hooks.append(fails_for(lambda operation: operation.key == PLAIN_KEYS[1], phase=Phase.MIDWAY))
    assert isinstance(await failure_of(world.get()), StoreUnavailable)
    assert world.sink.data == DATA[:CHUNK]


@on_loop
async def test_the_chain_is_verified_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over millions of records it takes seconds, in which no signal would be heard."""
    world = await stored()
    threads: list[threading.Thread] = []
    verify_chain = Manifest.verify_chain

    def noted(manifest: Manifest) -> None:
        threads.append(threading.current_thread())
        verify_chain(manifest)

    monkeypatch.setattr(Manifest, "verify_chain", noted)
    await world.get()
    assert threads
    assert threading.current_thread() not in threads
