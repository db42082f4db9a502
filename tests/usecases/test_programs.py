"""put and get with a program at the other end of the pipe: its failure is the run's, and it never outlives the run."""

from __future__ import annotations

import asyncio
import signal

import pytest

from s3duct.app.pipeline.attended import attended
from s3duct.domain.errors import (
    ChunkDamaged,
    ConsumerFailed,
    Interrupted,
    ProducerFailed,
    SinkClosed,
    SourceError,
    StoreError,
    StreamExists,
    StreamNotFound,
    UsageError,
)
from s3duct.domain.events import Notice
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.pipe import HangingSource
from tests.fakes.process import FakeConsumer, FakeProducer
from tests.usecases.loop import failure_of, on_loop, turns, until
from tests.usecases.world import CHUNK, NAME, PLAIN_KEYS, World, content

DATA = content(3 * CHUNK + 17)


def ended_notices(world: World) -> list[str]:
    return [notice.message for notice in world.heard(Notice) if "fake was ended" in notice.message]


# --- put ---------------------------------------------------------------------------------------------------------------


@on_loop
async def test_the_output_of_a_program_that_ends_well_becomes_a_stream() -> None:
    world, producer = World(), FakeProducer(DATA)
    await world.put(producer)
    assert producer.done == ["start", "end"]
    assert await world.restored() == DATA
    assert ended_notices(world) == []


@pytest.mark.parametrize("written", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, len(DATA)])
@on_loop
async def test_a_program_that_fails_gets_no_manifest_and_is_continued(written: int) -> None:
    """The chunk that it was cut off in is not kept: it would contradict the longer one of the next run."""
    world, producer = World(), FakeProducer(DATA[:written], status=1)
    error = await failure_of(world.put(producer))
    assert isinstance(error, ProducerFailed)
    assert "exited with status 1" in error.message
    assert producer.done == ["start", "end"]
    assert await world.manifest() is None
    assert set(world.journals.recorded()) == set(range(written // CHUNK))
    again = world.restarted()
    assert (await again.put(FakeProducer(DATA))).chunks_resumed == written // CHUNK
    assert await again.restored() == DATA


@on_loop
async def test_a_program_that_fails_in_the_stored_part_is_told_as_such() -> None:
    world = World()
    await world.put_cut_off(DATA, stored={0, 1})
    again = world.restarted()
    error = await failure_of(again.put(FakeProducer(DATA[: CHUNK + 5], status=2)))
    assert isinstance(error, ProducerFailed)
    assert set(again.journals.recorded()) == {0, 1}


@on_loop
async def test_a_program_that_fails_replaces_nothing() -> None:
    world = World()
    await world.put(DATA)
    error = await failure_of(world.elsewhere().put(FakeProducer(DATA[:CHUNK], status=1), clobber=True))
    assert isinstance(error, ProducerFailed)
    assert await world.restored() == DATA


@on_loop
async def test_a_program_that_cannot_be_started_leaves_everything_untouched() -> None:
    world, producer = World(), FakeProducer(DATA, startable=False)
    assert isinstance(await failure_of(world.put(producer)), UsageError)
    assert await world.objects() == {}
    assert world.journals.contents == {}


@on_loop
async def test_a_program_is_not_started_for_a_put_that_may_not_be() -> None:
    world = World()
    await world.put(DATA)
    producer = FakeProducer(DATA)
    assert isinstance(await failure_of(world.elsewhere().put(producer)), StreamExists)
    assert producer.done == ["end"]


@on_loop
async def test_a_program_is_ended_when_the_store_fails() -> None:
    world, producer = World(), FakeProducer(DATA, hangs=True)

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.writes and phase is Phase.BEFORE:
            raise StoreError("down for good")

    world.store.hooks.append(hook)
    assert isinstance(await failure_of(world.put(producer)), StoreError)
    assert producer.done == ["start", "end"]
    assert ended_notices(world) == ["fake was ended: it is not needed any more"]


@on_loop
async def test_a_request_to_stop_is_passed_on_and_ends_the_wait_for_a_program() -> None:
    """It has written everything and closed its output, but it goes on."""
    world, producer = World(), FakeProducer(DATA, hangs=True)
    putting = asyncio.ensure_future(world.put(producer))
    await until(producer.waited_for.is_set)
    world.stop.set(signal.SIGHUP)
    error = await failure_of(putting)
    assert isinstance(error, Interrupted)
    assert error.signal_number == signal.SIGHUP
    assert producer.done == ["start", f"signal {signal.SIGHUP.value}", "end"]
    assert await world.manifest() is None
    assert set(world.journals.recorded()) == {0, 1, 2}


@on_loop
async def test_a_run_that_hears_of_the_stop_at_once_still_passes_it_on() -> None:
    """It was asked while it was about to go on: it ends before anybody else has had a turn."""
    world, producer = World(), FakeProducer(DATA)

    async def run() -> None:
        async with attended(producer, stop=world.stop, listener=world.hear, hint=""):
            producer.start()
            await turns()
            world.stop.set(signal.SIGTERM)
            raise world.stop.as_error("")

    assert isinstance(await failure_of(run()), Interrupted)
    assert producer.done == ["start", f"signal {signal.SIGTERM.value}", "end"]


@on_loop
async def test_a_program_that_a_signal_ended_first_was_stopped_with_the_run() -> None:
    world, producer = World(), FakeProducer(DATA, status=130)
    putting = asyncio.ensure_future(world.put(producer))
    await until(producer.waited_for.is_set)
    asyncio.get_running_loop().call_later(
        0.01, world.stop.set, signal.SIGINT
    )  # it hears of it a moment later
    assert isinstance(await failure_of(putting), Interrupted)


@on_loop
async def test_a_process_that_leaves_at_once_takes_its_program_along() -> None:
    world, producer = World(), FakeProducer(DATA, hangs=True)
    putting = asyncio.ensure_future(world.put(producer))
    await until(producer.waited_for.is_set)
    world.stop.set(signal.SIGTERM)
    world.stop.leave_now()
    assert "kill" in producer.done
    await failure_of(putting)


# --- get ---------------------------------------------------------------------------------------------------------------


async def stored(data: bytes = DATA) -> World:
    world = World()
    await world.put(data, allow_empty=True)
    return world.elsewhere()


@pytest.mark.parametrize("size_bytes", [0, 1, len(DATA)])
@on_loop
async def test_a_program_gets_the_whole_stream_and_its_end(size_bytes: int) -> None:
    world, consumer = await stored(DATA[:size_bytes]), FakeConsumer()
    await world.get(sink=consumer)
    assert (consumer.data, consumer.whole) == (DATA[:size_bytes], True)
    assert consumer.done == ["start", "end"]
    assert ended_notices(world) == []


@on_loop
async def test_a_program_that_fails_after_all_fails_the_get() -> None:
    world, consumer = await stored(), FakeConsumer(status=3)
    error = await failure_of(world.get(sink=consumer))
    assert isinstance(error, ConsumerFailed)
    assert consumer.data == DATA


@on_loop
async def test_a_program_that_wants_no_more_is_told_of() -> None:
    world, consumer = await stored(), FakeConsumer(closes_after=10)
    assert isinstance(await failure_of(world.get(sink=consumer)), SinkClosed)
    assert any("closed" in notice.message for notice in world.heard(Notice))


@on_loop
async def test_a_program_never_sees_the_end_of_a_damaged_stream() -> None:
    world, consumer = await stored(), FakeConsumer()
    await world.damage(PLAIN_KEYS[2])
    assert isinstance(await failure_of(world.get(sink=consumer)), ChunkDamaged)
    assert consumer.data == DATA[: 2 * CHUNK]
    assert not consumer.whole
    assert consumer.done == ["start", "end"]
    assert ended_notices(world) == ["fake was ended: its input is not whole"]


@on_loop
async def test_a_program_is_not_started_for_a_stream_that_is_not_there() -> None:
    world, consumer = World(), FakeConsumer()
    assert isinstance(await failure_of(world.get(sink=consumer)), StreamNotFound)
    assert consumer.done == ["end"]


@on_loop
async def test_a_request_to_stop_ends_the_wait_for_a_consumer() -> None:
    world, consumer = await stored(), FakeConsumer(hangs=True)
    getting = asyncio.ensure_future(world.get(sink=consumer))
    await until(consumer.waited_for.is_set)
    world.stop.set(signal.SIGTERM)
    assert isinstance(await failure_of(getting), Interrupted)
    assert consumer.done == ["start", f"signal {signal.SIGTERM.value}", "end"]


# --- guards of the size ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [len(DATA) - 1, len(DATA) + 1, 3 * CHUNK, 4 * CHUNK, CHUNK + 1])
@on_loop
async def test_an_input_of_another_size_gets_no_manifest(expected: int) -> None:
    world = World()
    error = await failure_of(world.put(DATA, expected_bytes=expected))
    assert type(error) is SourceError
    assert str(expected) in error.message
    assert await world.manifest() is None
    assert set(world.journals.recorded()) <= {0, 1, 2}
    again = world.restarted()
    await again.put(DATA, expected_bytes=len(DATA), min_bytes=len(DATA))
    assert await again.restored() == DATA


@on_loop
async def test_an_input_that_is_too_large_is_not_read_to_its_end() -> None:
    source = HangingSource(DATA)
    error = await failure_of(World().put(source, expected_bytes=len(DATA) - 1))
    source.release.set()
    assert not source.hangs.is_set()
    assert type(error) is SourceError


@on_loop
async def test_an_input_that_is_too_short_keeps_its_whole_chunks() -> None:
    world = World()
    error = await failure_of(world.put(DATA[:-1], min_bytes=len(DATA)))
    assert type(error) is SourceError
    assert set(world.journals.recorded()) == {0, 1, 2}
    again = world.restarted()
    assert (await again.put(DATA, min_bytes=len(DATA))).chunks_resumed == 3


@on_loop
async def test_sizes_that_contradict_each_other_are_wrong_usage() -> None:
    world = World()
    assert isinstance(await failure_of(world.put(DATA, expected_bytes=5, min_bytes=6)), UsageError)


@on_loop
async def test_an_empty_input_needs_to_be_allowed_even_if_it_is_expected() -> None:
    world = World()
    assert type(await failure_of(world.put(b"", expected_bytes=0))) is SourceError
    await world.put(b"", expected_bytes=0, allow_empty=True)
    assert (await world.manifest() or {})["name"] == NAME
