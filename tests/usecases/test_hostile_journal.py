"""What lies in `.resume/` is anybody's who can write to the bucket, and a machine that puts may not be allowed to delete."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from s3duct.app.pipeline import bucket_journal
from s3duct.domain.claim import MAX_CLAIM_BYTES, SEGMENT_RECORDS
from s3duct.domain.errors import AccessDenied, JournalDamaged, RunInProgress, StreamExists
from s3duct.domain.journal_codec import checked_line
from s3duct.domain.resume import OnDivergence, ResumeFrom
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for, unavailable
from tests.fault.invariant import watched
from tests.support.sealing import open_message
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, until
from tests.usecases.world import CHUNK, NAME, World, aes, content

CLAIM = f"{NAME}/.resume/claim.json"
DATA, OTHER = content(6 * CHUNK + 3), content(6 * CHUNK, 1)


def no_deletes(world: World) -> World:
    """Credentials that may put, get and list."""

    def denied() -> AccessDenied:
        return AccessDenied("access denied (a rule of the test)")

    world.store.hooks.append(fails_for(lambda operation: operation.method == "delete", error=denied))
    return world


def stopping_after(world: World, chunks: int) -> World:
    """It is asked to stop once so many chunks are on record, as by ^C."""

    async def hook(operation: Operation, phase: Phase) -> None:
        if len(world.journals.recorded()) >= chunks:
            world.stop.set(2)

    world.store.hooks.append(hook)
    return world


@on_loop
async def test_without_the_right_to_delete_a_run_that_was_stopped_goes_on() -> None:
    world = World(max_chunks=1)
    stopping_after(no_deletes(world), 2)
    await failure_of(world.put(DATA))
    assert any(key.endswith("/released") for key in await world.resume_keys())
    again = no_deletes(world.restarted())
    assert (await again.put(DATA)).chunks_resumed >= 2
    assert await again.restored() == DATA


@on_loop
async def test_without_the_right_to_delete_a_dead_run_is_taken_over() -> None:
    world = no_deletes(World())
    await world.put_cut_off(DATA, stored={0, 1, 2})
    world.let_claims_go_stale()
    other = no_deletes(world.elsewhere())
    assert (await other.put(DATA)).chunks_resumed == 3
    assert await other.restored() == DATA


@pytest.mark.parametrize("body", [b"x" * (MAX_CLAIM_BYTES + 1), b"\0" * 100_000], ids=["by-one", "by-far"])
@on_quick_loop
async def test_a_claim_that_is_too_large_is_nobodys(body: bytes) -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1, 2})
    await world.write(CLAIM, body)
    assert isinstance(await failure_of(world.restarted().put(DATA)), RunInProgress)
    again = world.restarted()
    assert (await again.put(DATA, takeover=True)).chunks_resumed == 3
    assert await again.restored() == DATA


@on_loop
async def test_a_machine_that_comes_back_after_another_one_met_another_input_goes_on_with_that_one() -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1, 2, 3, 4})
    world.let_claims_go_stale()
    new = DATA[: 2 * CHUNK] + OTHER[2 * CHUNK :]
    other = world.elsewhere()
    await other.put_cut_off(new, stored={0, 1, 2, 3}, on_divergence=OnDivergence.RESTART)
    world.let_claims_go_stale()
    back = watched(world.restarted())
    assert (await back.put(new)).chunks_resumed == 4
    assert await back.restored() == new


@pytest.mark.parametrize("clobber", [False, True])
@on_quick_loop
async def test_a_run_that_lost_the_claim_while_its_manifest_could_not_be_written_writes_none(
    clobber: bool,
) -> None:
    """Otherwise it would hide the stream of the one that took the name, and name chunks that this one has removed."""
    world = World()
    if clobber:
        await world.put(b"older")
        world = world.restarted()
    out_of_reach = asyncio.Event()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.writes and operation.key == world.location.manifest_key and not out_of_reach.is_set():
            await out_of_reach.wait()
            raise unavailable()

    world.store.hooks.append(hook)
    slow = asyncio.ensure_future(world.put(DATA, clobber=clobber))
    await until(lambda: world.location.manifest_key in world.store.writes)
    other = watched(world.elsewhere())
    new = DATA[: 2 * CHUNK] + OTHER[2 * CHUNK :]
    await other.put(new, clobber=True, takeover=True, on_divergence=OnDivergence.RESTART)
    out_of_reach.set()
    error = await failure_of(slow)
    assert isinstance(error, RunInProgress if clobber else StreamExists)
    assert await other.restored() == new


@on_loop
async def test_a_copy_that_does_not_fit_is_left_aside_where_the_local_journal_is_asked_for() -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1, 2})
    segment = await first_segment(world)
    header, *records = [json.loads(line) for line in (await world.read(segment)).splitlines()]
    records.append({**records[-1], "index": 3})
    await world.write(segment, b"".join(map(line_of, [header, *records])))
    assert isinstance(await failure_of(world.restarted().put(DATA)), JournalDamaged)
    again = world.restarted()
    assert (await again.put(DATA, resume_from=ResumeFrom.LOCAL)).chunks_resumed == 3
    assert await again.restored() == DATA


@pytest.mark.parametrize("forged", [0, 1, 2])
@on_quick_loop
async def test_a_sealed_journal_is_sealed_in_each_segment(forged: int) -> None:
    """Whoever has no key could put records of his own among genuine ones otherwise."""
    world = World(cipher=aes(), chunk_bytes=16)
    data = content(16 * (2 * SEGMENT_RECORDS + 2))
    await world.put_cut_off(data, stored=set(range(2 * SEGMENT_RECORDS + 1)), seal_manifest=True)
    segments = [key for key in await world.resume_keys() if key.endswith(".jsonl")]
    assert len(segments) == 3
    plain = open_message(world.cipher, bytearray(await world.read(segments[forged])))
    await world.write(segments[forged], plain)
    error = await failure_of(world.elsewhere().put(data, seal_manifest=True, takeover=True))
    assert isinstance(error, JournalDamaged)
    assert "not sealed" in error.message


@on_quick_loop
async def test_a_header_that_names_very_many_earlier_runs_is_read_in_no_time() -> None:
    """Gone through for each record, it would take longer than any test may."""
    world = World()
    await world.put_cut_off(DATA, stored={0, 1, 2})
    segment = await first_segment(world)
    header, *records = [json.loads(line) for line in (await world.read(segment)).splitlines()]
    real, header["generation"] = header["generation"], "f" * 8
    header["earlier"] = [
        {"run_id": f"{number:08x}", "generation": f"{number:08x}"} for number in range(16_000)
    ]
    header["earlier"].append({"run_id": "0" * 8, "generation": real})
    await world.write(segment, b"".join(map(line_of, [header, *records])))
    await world.write(segment.replace("000000.jsonl", "000001.jsonl"), 2000 * line_of(records[-1]))
    other = world.elsewhere()
    assert (await other.put(DATA, takeover=True)).chunks_resumed == 3
    assert await other.restored() == DATA


@on_loop
async def test_a_stream_is_replaced_though_the_clean_up_of_its_run_was_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of it was carried on from another run, and the segment that told of its manifest is gone already."""
    monkeypatch.setattr(bucket_journal, "SEGMENT_RECORDS", 1)
    world = World()
    await world.put_cut_off(DATA, stored=set(range(7)))
    world.let_claims_go_stale()
    other = world.elsewhere()
    last = f"/{7:06d}.jsonl"

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.method == "delete" and not operation.key.endswith(("/now", last)):
            raise AccessDenied("cut off")

    other.store.hooks.append(hook)
    await other.put(DATA)
    claimed = json.loads(await world.read(CLAIM))["run_id"]
    for key in await world.resume_keys():
        if key.endswith(last) and claimed in key:
            await world.delete(key)
    world.let_claims_go_stale()
    third = watched(world.elsewhere(seed=3000))
    await third.put(OTHER, clobber=True)
    assert await third.restored() == OTHER


async def first_segment(world: World) -> str:
    """Its key."""
    return next(key for key in await world.resume_keys() if key.endswith(".jsonl"))


def line_of(fields: dict[str, Any]) -> bytes:
    """A line as anybody can write it who can write to the bucket."""
    return checked_line({key: value for key, value in fields.items() if key != "check"})
