"""What lies in the bucket while a put goes on, when it is written, and what is left of it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import Any

import pytest

from s3duct.domain.claim import REFRESH_EVERY_S, SEGMENT_RECORDS
from s3duct.domain.errors import RunInProgress, SourceError, StoreError, UsageError
from s3duct.domain.events import Notice, TransferStarted
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for, refused, unavailable
from tests.fakes.pipe import FakeSource
from tests.support.sealing import open_message
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, until
from tests.usecases.world import CHUNK, NAME, World, aes, content

CLAIM = f"{NAME}/.resume/claim.json"
SEGMENT = re.compile(rf"{NAME}/\.resume/([0-9a-f]{{32}})/([0-9]{{6}})\.jsonl")
DATA = content(4 * CHUNK)


def is_segment(operation: Operation) -> bool:
    """Whether it writes a segment."""
    return operation.method == "put" and SEGMENT.fullmatch(operation.key) is not None


async def lines_in(world: World) -> list[dict[str, Any]]:
    """The journal in the bucket, line by line."""
    keys = [key for key in await world.resume_keys() if SEGMENT.fullmatch(key)]
    return [json.loads(line) for key in keys for line in (await world.read(key)).splitlines()]


@on_loop
async def test_the_copy_says_what_the_journal_says_but_where_it_lies() -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1, 2})
    (text,) = world.journals.contents.values()
    header, *records = [json.loads(line) for line in text.splitlines()]
    copied, *copies = await lines_in(world)
    by_index = sorted(records, key=lambda record: int(record["index"]))
    assert sorted(copies, key=lambda record: int(record["index"])) == by_index
    assert header.pop("destination") == "memory"
    assert {**header, "check": ""} == {**copied, "check": ""}


@on_loop
async def test_nothing_is_left_of_it_when_the_put_has_ended() -> None:
    world = World()
    await world.put(DATA)
    assert await world.resume_keys() == []
    removed = [op.key for op in world.store.operations if op.method == "delete"]
    assert removed == [*sorted(removed[:-1], reverse=True), CLAIM]
    manifest = next(op for op in world.store.operations if op.writes and "manifest" in op.key)
    assert all(op.number > manifest.number for op in world.store.operations if op.method == "delete")


@on_loop
async def test_a_chunk_counts_only_when_the_bucket_has_its_record() -> None:
    """The manifest names no chunk of which another machine could not know."""
    world = World()

    async def hook(operation: Operation, phase: Phase) -> None:
        if phase is Phase.BEFORE and operation.writes and "manifest" in operation.key:
            copied = {line["index"] for line in await lines_in(world) if "index" in line}
            assert copied == {0, 1, 2, 3}

    world.store.hooks.append(hook)
    await world.put(DATA)


@on_quick_loop
async def test_records_that_wait_go_together_and_full_segments_are_never_written_again() -> None:
    """Linear: every record is written a bounded number of times, however many there are."""
    chunks = 3 * SEGMENT_RECORDS + 5
    world = World(max_chunks=8)
    sizes: list[int] = []

    async def hook(operation: Operation, phase: Phase) -> None:
        if phase is Phase.AFTER and is_segment(operation):
            sizes.append(len((await world.read(operation.key)).splitlines()))

    world.store.hooks.append(hook)
    kept = fails_for(lambda op: op.writes and "manifest" in op.key, error=refused)
    world.store.hooks.append(kept)
    await failure_of(world.put(content(chunks * CHUNK)))
    keys = [key for key in await world.resume_keys() if SEGMENT.fullmatch(key)]
    assert [key[-12:] for key in keys] == [f"{number:06d}.jsonl" for number in range(4)]
    assert max(sizes) == 1 + SEGMENT_RECORDS
    writes = [op.key for op in world.store.operations if is_segment(op)]
    assert writes == sorted(writes)
    again = world.restarted()
    assert (await again.put(content(chunks * CHUNK))).chunks_resumed == chunks
    rewritten = {op.key for op in again.store.operations if is_segment(op)}
    assert rewritten == {keys[-1]}


@pytest.mark.parametrize("seal", [False, True])
@on_quick_loop
async def test_it_is_sealed_if_the_manifest_will_be(seal: bool) -> None:
    world = World(cipher=aes())
    await world.put_cut_off(DATA, stored={0, 1}, seal_manifest=seal)
    (key,) = [key for key in await world.resume_keys() if SEGMENT.fullmatch(key)]
    stored = await world.read(key)
    text = open_message(world.cipher, bytearray(stored)) if seal else stored
    assert text.count(b'"s3_key"') == 2
    assert (b"s3_key" in stored) is not seal
    assert NAME.encode() not in await world.read(CLAIM)


@on_loop
async def test_an_empty_source_leaves_no_claim() -> None:
    world = World()
    assert isinstance(await failure_of(world.put(b"")), SourceError)
    assert await world.resume_keys() == []
    assert world.journals.contents == {}


@on_loop
async def test_trouble_with_the_copy_is_retried_and_ends_the_run_if_it_stays() -> None:
    world = World()
    world.store.hooks.append(fails_for(is_segment, error=unavailable, times=2))
    await world.put(DATA)
    assert world.clock.naps
    broken = World()
    broken.store.hooks.append(fails_for(lambda op: is_segment(op) and op.number > 8, error=refused))
    assert isinstance(await failure_of(broken.put(DATA)), StoreError)
    again = broken.restarted()
    await again.put(DATA)
    assert await again.restored() == DATA


@on_loop
async def test_a_copy_that_cannot_be_removed_is_told_and_goes_next_time() -> None:
    world = World()
    world.store.hooks.append(fails_for(lambda op: op.method == "delete", error=refused))
    await world.put(DATA)
    assert any("journal could not be removed" in event.message for event in world.heard(Notice))
    assert await world.resume_keys()
    again = world.restarted()
    await again.put(DATA)
    assert not again.store.writes
    assert await again.resume_keys() == []
    assert again.journals.contents == {}


# --- signs of life ------------------------------------------------------------------------------------------------------


def source_behind(gate: threading.Event) -> FakeSource:
    """A source of `DATA` that gives nothing before the gate is open."""
    source = FakeSource(DATA)
    read_into = source.read_into

    def wait_and_read(view: memoryview) -> int:
        gate.wait()
        return read_into(view)

    source.read_into = wait_and_read  # type: ignore[method-assign]
    return source


@on_loop
async def test_a_run_that_waits_for_its_input_shows_that_it_lives() -> None:
    world = World()
    gate = threading.Event()
    putting = asyncio.ensure_future(world.put(source_behind(gate)))
    await until(lambda: bool(world.heard(TransferStarted)))

    def refreshes() -> int:
        return sum(1 for operation in world.store.operations if is_segment(operation))

    for count in range(2, 6):
        world.clock.advance(REFRESH_EVERY_S - 1)
        for _ in range(50):
            await asyncio.sleep(0)
        assert refreshes() == count - 1
        world.clock.advance(1)
        await until(lambda count=count: refreshes() == count)  # type: ignore[misc]
        await asyncio.sleep(0.01)
    gate.set()
    await putting
    assert await world.restored() == DATA


@on_loop
async def test_a_run_that_waits_for_its_input_notices_that_it_was_taken_over() -> None:
    world = World()
    gate = threading.Event()
    putting = asyncio.ensure_future(world.put(source_behind(gate)))
    await until(lambda: bool(world.heard(TransferStarted)))
    await world.elsewhere().put(content(CHUNK, 9), resume=False, takeover=True)
    world.clock.advance(REFRESH_EVERY_S)
    error = await failure_of(putting)
    gate.set()
    assert isinstance(error, RunInProgress)
    assert "taken over" in error.message
    assert await world.elsewhere().restored() == content(CHUNK, 9)


# --- names and strangers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a/.resume", ".resume/a", "a/.resume/b"])
@on_quick_loop
async def test_no_stream_lies_among_journals(name: str) -> None:
    world = World(name=name)
    assert isinstance(await failure_of(world.put(DATA)), UsageError)
    assert await world.objects() == {}


@on_loop
async def test_list_and_verify_do_not_see_it() -> None:
    world = World()
    await world.put(DATA)
    again = world.restarted()
    await again.put_cut_off(content(4 * CHUNK, 1), stored={0, 1}, clobber=True)
    assert await again.resume_keys()
    assert [stream.name for stream in await again.listed()] == [NAME]
    assert (await again.verify(deep=True)).ok


@on_loop
async def test_what_others_put_beside_it_stays() -> None:
    world = World()
    mine = f"{NAME}/.resume/notes.txt"
    await world.write(mine, b"hands off")
    await world.put(DATA)
    assert await world.resume_keys() == [mine]
