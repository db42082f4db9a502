"""The Python API: streams from and to file objects, with and without an event loop."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.app.api import (
    AsyncS3duct,
    BufferWishes,
    PutOptions,
    S3duct,
    Settings,
    consumer,
    output_at,
    producer,
    sink_of_descriptor,
    source_of_descriptor,
)
from s3duct.domain.errors import (
    ChunkDamaged,
    ConsumerFailed,
    KeySpecError,
    OutputExists,
    ProducerFailed,
    SinkClosed,
    SourceError,
    StoreUnavailable,
    StreamExists,
    StreamNotFound,
    UsageError,
)
from s3duct.domain.events import ChunkFinished, Event, TransferStarted
from s3duct.domain.ports.object_store import Bytes, ObjectStore, StoredObject
from s3duct.domain.retry import NO_RETRIES
from tests.fakes.pipe import FakeSink, FakeSource
from tests.usecases.loop import failure_of, on_loop
from tests.usecases.world import CHUNK, content

DATA = content(5 * CHUNK + 7)
OPTIONS = PutOptions(chunk_size_bytes=CHUNK)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A local folder as the bucket, and folders of the test's own."""
    return Settings(
        bucket=f"file://{tmp_path / 'bucket'}",
        scratch_dir=tmp_path / "scratch",
        state_dir=tmp_path / "state",
        retry_policy=NO_RETRIES,
    )


@pytest.fixture
def sealed(settings: Settings, tmp_path: Path) -> Settings:
    """The same with a key."""
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    return Settings(
        bucket=settings.bucket,
        scratch_dir=settings.scratch_dir,
        state_dir=settings.state_dir,
        retry_policy=NO_RETRIES,
        key=f"file:{key}",
        prefix="backups",
    )


# --- without an event loop -------------------------------------------------------------------------------------------


def test_there_and_back_through_file_objects(settings: Settings) -> None:
    s3duct = S3duct(settings)
    summary = s3duct.put("a/stream", io.BytesIO(DATA), OPTIONS)
    assert summary.manifest.total_bytes == len(DATA)
    restored = io.BytesIO()
    assert s3duct.get("a/stream", restored).bytes_written == len(DATA)
    assert restored.getvalue() == DATA
    assert [stream.name for stream in s3duct.list()] == ["a/stream"]
    assert s3duct.verify("a/stream").ok
    assert s3duct.verify("a/stream", deep=True).plain_checked


def test_there_and_back_sealed_under_a_prefix(sealed: Settings) -> None:
    s3duct = S3duct(sealed)
    s3duct.put(
        "stream", io.BytesIO(DATA), PutOptions(chunk_size_bytes=CHUNK, seal_manifest=True, tags={"a": "b"})
    )
    restored = io.BytesIO()
    s3duct.get("stream", restored)
    assert restored.getvalue() == DATA
    (stream,) = s3duct.list()
    assert stream.manifest is not None
    assert stream.manifest.tags == {"a": "b"}


def test_there_and_back_through_files(settings: Settings, tmp_path: Path) -> None:
    original, restored = tmp_path / "original", tmp_path / "restored"
    original.write_bytes(DATA)
    s3duct = S3duct(settings)
    for buffering in (-1, 0):
        name = f"stream{buffering}"
        with original.open("rb", buffering=buffering) as source:
            s3duct.put(name, cast("io.BufferedReader", source), OPTIONS)
        with restored.open("wb", buffering=buffering) as sink:
            s3duct.get(name, cast("io.BufferedWriter", sink))
        assert restored.read_bytes() == DATA


def test_an_output_at_a_path_is_complete_or_not_there(settings: Settings, tmp_path: Path) -> None:
    s3duct = S3duct(settings)
    s3duct.put("stream", io.BytesIO(DATA), OPTIONS)
    target = tmp_path / "restored"
    assert s3duct.get("stream", output_at(target)).size_bytes == len(DATA)
    assert target.read_bytes() == DATA
    with pytest.raises(OutputExists):
        s3duct.get("stream", output_at(target))
    s3duct.get("stream", output_at(target, replace=True), offset_bytes=10, length_bytes=20)
    assert target.read_bytes() == DATA[10:30]


def test_a_part_of_a_stream(settings: Settings) -> None:
    s3duct = S3duct(settings)
    s3duct.put("stream", io.BytesIO(DATA), OPTIONS)
    restored = io.BytesIO()
    summary = s3duct.get("stream", restored, offset_bytes=CHUNK - 1, length_bytes=2)
    assert restored.getvalue() == DATA[CHUNK - 1 : CHUNK + 1]
    assert (summary.start, summary.stop, summary.chunks_downloaded) == (CHUNK - 1, CHUNK + 1, 2)
    with pytest.raises(UsageError):
        s3duct.get("stream", io.BytesIO(), length_bytes=0)


def test_there_and_back_through_descriptors(settings: Settings, tmp_path: Path) -> None:
    original, restored = tmp_path / "original", tmp_path / "restored"
    original.write_bytes(DATA)
    s3duct = S3duct(settings)
    with original.open("rb") as source:
        assert s3duct.put("stream", source_of_descriptor(source.fileno()), OPTIONS).warnings == ()
    with restored.open("wb") as sink:
        s3duct.get("stream", sink_of_descriptor(sink.fileno()))
    assert restored.read_bytes() == DATA


def test_ends_of_ones_own_are_taken_as_they_are(settings: Settings) -> None:
    s3duct = S3duct(settings)
    assert s3duct.put("stream", FakeSource(DATA, warning="perhaps"), OPTIONS).warnings == ("perhaps",)
    sink = FakeSink()
    s3duct.get("stream", sink)
    assert sink.data == DATA


class Sip(io.RawIOBase):
    """A raw file that takes little at a time, as sockets and pipes may."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Bytes) -> int:  # type: ignore[override]
        self.taken += bytes(data[:100])
        return min(len(data), 100)


def test_there_and_back_through_programs(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    s3duct = S3duct(settings)
    s3duct.put("n", producer(["cat", str(tmp_path / "data")]), OPTIONS)
    s3duct.get("n", consumer(["sh", "-c", f"cat > '{tmp_path}/restored'"]))
    assert (tmp_path / "restored").read_bytes() == DATA
    with pytest.raises(ProducerFailed):
        s3duct.put("other", producer(["false"]))
    with pytest.raises(ConsumerFailed):
        s3duct.get("n", consumer(["sh", "-c", "cat >/dev/null; exit 1"]))
    with pytest.raises(SourceError):
        s3duct.put("other", io.BytesIO(DATA), PutOptions(expected_bytes=len(DATA) + 1))


def test_a_file_object_that_takes_little_at_a_time_gets_all(settings: Settings) -> None:
    s3duct = S3duct(settings)
    s3duct.put("stream", io.BytesIO(DATA), OPTIONS)
    sip = Sip()
    s3duct.get("stream", cast("io.BytesIO", sip))
    assert sip.taken == DATA


def test_a_consumer_that_has_gone_is_an_error_of_the_domain(settings: Settings) -> None:
    s3duct = S3duct(settings)
    s3duct.put("stream", io.BytesIO(DATA), OPTIONS)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as gone, pytest.raises(SinkClosed):
        s3duct.get("stream", cast("io.BytesIO", gone))


def test_errors_are_those_of_the_domain(settings: Settings, tmp_path: Path) -> None:
    s3duct = S3duct(settings)
    s3duct.put("stream", io.BytesIO(DATA), OPTIONS)
    with pytest.raises(StreamExists):
        s3duct.put("stream", io.BytesIO(DATA), OPTIONS)
    with pytest.raises(StreamNotFound):
        s3duct.get("another", io.BytesIO())
    with pytest.raises(StreamNotFound):
        s3duct.verify("another")
    with pytest.raises(SourceError):
        s3duct.put("empty", io.BytesIO())
    with pytest.raises(UsageError):
        s3duct.put("../stream", io.BytesIO(DATA))
    with pytest.raises(UsageError):
        S3duct(settings, buffers=BufferWishes(max_chunks=0)).put("other", io.BytesIO(DATA))
    with pytest.raises(KeySpecError):
        S3duct(Settings(bucket=settings.bucket, key="file:/nowhere")).put("other", io.BytesIO(DATA))
    (tmp_path / "bucket/stream/chunk-000002").write_bytes(b"x")
    restored = io.BytesIO()
    with pytest.raises(ChunkDamaged):
        s3duct.get("stream", restored)
    assert restored.getvalue() == DATA[: 2 * CHUNK]
    assert s3duct.verify("stream", deep=True).mismatched == (2,)


def test_events_are_those_of_the_domain(settings: Settings) -> None:
    events: list[Event] = []
    threads: set[int] = set()

    def listener(event: Event) -> None:
        events.append(event)
        threads.add(threading.get_ident())

    s3duct = S3duct(settings, listener=listener)
    s3duct.put("stream", io.BytesIO(DATA), OPTIONS)
    s3duct.get("stream", io.BytesIO())
    assert isinstance(events[0], TransferStarted)
    assert sum(isinstance(event, ChunkFinished) for event in events) == 12
    assert threads == {threading.get_ident()}


def test_inside_a_running_loop_the_blocking_api_says_so() -> None:
    """And does not leave a coroutine behind that was never awaited: warnings are errors here."""

    async def inside() -> None:
        with pytest.raises(RuntimeError):
            S3duct(Settings(bucket="file:///nowhere")).verify("stream")

    asyncio.run(inside())


def test_an_unfinished_put_resumes_in_another_object(settings: Settings) -> None:
    class Torn(io.BytesIO):
        def readinto(self, view: memoryview) -> int:  # type: ignore[override]
            if self.tell() >= 3 * CHUNK:
                raise OSError("the tape is torn")
            return super().readinto(view[: CHUNK // 2])

    with pytest.raises(SourceError):
        S3duct(settings).put("stream", Torn(DATA), OPTIONS)
    S3duct(settings).put("stream", io.BytesIO(DATA), OPTIONS)
    restored = io.BytesIO()
    S3duct(settings).get("stream", restored)
    assert restored.getvalue() == DATA


# --- with one ----------------------------------------------------------------------------------------------------------


@on_loop
async def test_there_and_back_on_a_loop() -> None:
    s3duct = AsyncS3duct(Settings(bucket="memory"), store=MemoryObjectStore())
    await s3duct.put("stream", io.BytesIO(DATA), OPTIONS)
    restored = io.BytesIO()
    await s3duct.get("stream", restored)
    assert restored.getvalue() == DATA
    assert [stream.name async for stream in s3duct.list()] == ["stream"]
    assert (await s3duct.verify("stream", deep=True)).ok


@on_loop
async def test_many_streams_at_once_on_one_loop() -> None:
    s3duct = AsyncS3duct(Settings(bucket="memory"), store=MemoryObjectStore())
    streams = {f"stream{seed}": content(3 * CHUNK + seed, seed) for seed in range(8)}
    await asyncio.gather(*(s3duct.put(name, io.BytesIO(data), OPTIONS) for name, data in streams.items()))
    sinks = {name: io.BytesIO() for name in streams}
    await asyncio.gather(*(s3duct.get(name, sink) for name, sink in sinks.items()))
    assert {name: sink.getvalue() for name, sink in sinks.items()} == streams


# --- a store of one's own ------------------------------------------------------------------------------------------------


class Flaky(MemoryObjectStore):
    """A store of the caller's own, which fails now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = False

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        if self.failing:
            raise StoreUnavailable("not now")
        return await super().put(key, data, create_only=create_only, storage_class=storage_class)

    async def get(self, key: str) -> AsyncIterator[Bytes]:
        if self.failing:
            raise StoreUnavailable("not now")
        async for piece in super().get(key):
            yield piece


@on_loop
async def test_a_store_of_ones_own_takes_the_place_of_the_bucket(tmp_path: Path) -> None:
    store = Flaky()
    as_port: ObjectStore = store
    settings = Settings(bucket="mine", state_dir=tmp_path / "state", retry_policy=NO_RETRIES)
    s3duct = AsyncS3duct(settings, store=as_port)
    store.failing = True
    assert isinstance(await failure_of(s3duct.put("stream", io.BytesIO(DATA), OPTIONS)), StoreUnavailable)
    store.failing = False
    await s3duct.put("stream", io.BytesIO(DATA), OPTIONS)
    store.failing = True
    assert isinstance(await failure_of(s3duct.get("stream", io.BytesIO())), StoreUnavailable)
    assert not list((tmp_path / "state").glob("*.jsonl"))


def test_settings_do_not_show_the_key() -> None:
    assert "0011" not in repr(Settings(bucket="b", key="hex:0011"))
