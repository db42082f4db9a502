"""What `ports.pipe` promises, over file descriptors, Python's file objects, and the fakes."""

from __future__ import annotations

import fcntl
import io
import os
import random
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

from s3duct.adapters.pipe_ends import DescriptorSink, DescriptorSource, FileSink, FileSource
from s3duct.domain.errors import ExitCode, SinkClosed, SinkError, SourceError
from s3duct.domain.ports.pipe import Sink, Source
from s3duct.domain.sizes import MIB
from tests.fakes.pipe import FakeSink, FakeSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = random.Random(3).randbytes(300_001)


@contextmanager
def descriptor(path: Path, flags: int) -> Iterator[int]:
    opened = os.open(path, flags, 0o600)
    try:
        yield opened
    finally:
        os.close(opened)


@contextmanager
def pipe_from(data: bytes) -> Iterator[int]:
    """The reading end of a pipe into which another thread writes `data`, in odd steps."""
    read_end, write_end = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError):  # a test may leave before the end
            for start in range(0, len(data), 7777):
                os.write(write_end, data[start : start + 7777])
        os.close(write_end)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield read_end
    finally:
        os.close(read_end)
        writer.join()


class OnlyRead:
    """A file object with nothing but `read`, which gives less than asked for."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._file.read(max(1, size // 3))


class OnlyWrite(io.RawIOBase):
    """A raw file that takes at most 1000 bytes at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def write(self, data: object, /) -> int:
        piece = bytes(memoryview(cast("bytes", data))[:1000])
        self.data += piece
        return len(piece)


def drain(source: Source, step: int) -> bytes:
    view, taken = memoryview(bytearray(step)), []
    while size := source.read_into(view):
        assert 0 < size <= step
        taken.append(bytes(view[:size]))
    assert source.read_into(view) == 0  # an end is an end
    return b"".join(taken)


# --- sources -------------------------------------------------------------------------------------------------------


@contextmanager
def source_over(kind: str, data: bytes, tmp_path: Path) -> Iterator[Source]:
    path = tmp_path / "input"
    path.write_bytes(data)
    match kind:
        case "pipe":
            with pipe_from(data) as read_end:
                yield DescriptorSource(read_end)
        case "file":
            with descriptor(path, os.O_RDONLY) as opened:
                yield DescriptorSource(opened)
        case "BytesIO":
            yield FileSource(io.BytesIO(data))
        case "buffered file":
            with path.open("rb") as file:
                yield FileSource(file)
        case "raw file":
            with path.open("rb", buffering=0) as file:
                yield FileSource(cast("BinaryIO", file))
        case "raw pipe":
            with pipe_from(data) as read_end, open(read_end, "rb", buffering=0, closefd=False) as file:
                yield FileSource(cast("BinaryIO", file))
        case "only read":
            yield FileSource(cast("BinaryIO", OnlyRead(data)))
        case _:
            yield FakeSource(data, reads=[1, 1000, 99_999])


SOURCES = ["pipe", "file", "BytesIO", "buffered file", "raw file", "raw pipe", "only read", "fake"]


@pytest.mark.parametrize("step", [1, 4096, 65_537, 1 << 20])
@pytest.mark.parametrize("size_bytes", [0, 1, 5000, len(CONTENT)])
@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_gives_every_byte_and_then_ends(
    kind: str, size_bytes: int, step: int, tmp_path: Path
) -> None:
    if size_bytes / step > 10_000:
        return  # a byte at a time is shown with fewer bytes
    with source_over(kind, CONTENT[:size_bytes], tmp_path) as source:
        assert isinstance(source, Source)
        assert drain(source, step) == CONTENT[:size_bytes]
        assert source.completeness_warning(size_bytes) == ""


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_touches_only_what_it_reports(kind: str, tmp_path: Path) -> None:
    with source_over(kind, b"abc", tmp_path) as source:
        buffer = bytearray(b"." * 10)
        size = source.read_into(memoryview(buffer)[2:8])
        assert buffer == b".." + b"abc"[:size] + b"." * (8 - size)


@pytest.mark.parametrize("pause", [True, False])
def test_a_slow_producer_is_not_the_end(pause: bool) -> None:
    read_end, write_end = os.pipe()
    source, view = DescriptorSource(read_end), memoryview(bytearray(100))

    def write() -> None:
        os.write(write_end, b"late")
        os.close(write_end)

    timer = threading.Timer(0.1 if pause else 0.0, write)
    timer.start()
    assert source.read_into(view) == 4
    assert source.read_into(view) == 0
    timer.join()
    os.close(read_end)


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="pipes have one size here")
def test_pipes_at_both_ends_are_made_larger_where_they_may_be() -> None:
    """The producer runs ahead, and each end is woken a sixteenth as often."""
    ends = os.pipe()
    try:
        before = fcntl.fcntl(ends[0], fcntl.F_GETPIPE_SZ)
        try:
            fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, MIB)
        except PermissionError:
            pytest.skip("this user's pipes may not grow")
        for end, make in ((ends[0], DescriptorSource), (ends[1], DescriptorSink)):
            fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, before)
            make(end)
            assert fcntl.fcntl(end, fcntl.F_GETPIPE_SZ) == MIB
            fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 2 * before)
    finally:
        for end in ends:
            os.close(end)


def test_a_descriptor_that_cannot_be_read_is_a_source_error(tmp_path: Path) -> None:
    with descriptor(tmp_path / "out", os.O_WRONLY | os.O_CREAT) as opened:
        source = DescriptorSource(opened)
        with pytest.raises(SourceError, match="cannot read the input"):
            source.read_into(memoryview(bytearray(10)))
    with descriptor(tmp_path, os.O_RDONLY) as folder:
        source = DescriptorSource(folder)
        with pytest.raises(SourceError, match="directory"):
            source.read_into(memoryview(bytearray(10)))


@pytest.mark.parametrize("number", [999_999, -1])
def test_a_closed_descriptor_is_a_source_error(number: int) -> None:
    # `s3duct put name <&-` starts without an input.
    with pytest.raises(SourceError):
        DescriptorSource(number).read_into(memoryview(bytearray(10)))


@pytest.mark.timeout(30, func_only=True)
def test_a_descriptor_in_non_blocking_mode_is_waited_for() -> None:
    """Another process that shares it may make it so at any time."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    view = memoryview(bytearray(10))
    writer = threading.Timer(0.1, os.write, (write_end, b"late"))
    writer.start()
    assert DescriptorSource(read_end).read_into(view) == 4
    writer.join()
    os.close(write_end)
    assert DescriptorSource(read_end).read_into(view) == 0
    os.close(read_end)


def test_a_file_object_in_non_blocking_mode_is_not_the_end() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    with open(read_end, "rb", buffering=0) as raw, pytest.raises(SourceError):  # noqa: PTH123 - a descriptor
        FileSource(cast("BinaryIO", raw)).read_into(memoryview(bytearray(10)))
    os.close(write_end)


class _Failing(io.RawIOBase):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def readinto(self, buffer: object, /) -> int:
        raise self._error

    def write(self, data: object, /) -> int:
        raise self._error


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), OSError("odd"), ConnectionResetError(104, "reset")]
)
def test_a_file_object_that_fails_is_a_source_error(error: Exception) -> None:
    with pytest.raises(SourceError) as caught:
        FileSource(cast("BinaryIO", _Failing(error))).read_into(memoryview(bytearray(10)))
    assert caught.value.__cause__ is error
    assert "None" not in caught.value.message


def test_a_closed_file_object_is_a_source_error(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"x")
    with (tmp_path / "input").open("rb") as file:
        source = FileSource(file)
    with pytest.raises(SourceError):
        source.read_into(memoryview(bytearray(10)))


# --- regular files that change -------------------------------------------------------------------------------------


def test_a_file_that_grew_or_shrank_is_told(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(CONTENT)
    with descriptor(path, os.O_RDONLY) as opened:
        source = DescriptorSource(opened)
        assert drain(source, 65_536) == CONTENT
        assert source.completeness_warning(len(CONTENT)) == ""
        with path.open("ab") as grown:
            grown.write(b"more")
        warning = source.completeness_warning(len(CONTENT))
        assert str(len(CONTENT)) in warning
        assert str(len(CONTENT) + 4) in warning
        os.truncate(path, 10)
        assert "10 bytes" in source.completeness_warning(len(CONTENT))


def test_a_file_that_is_read_from_its_middle_is_complete_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"0123456789")
    with descriptor(path, os.O_RDONLY) as opened:
        os.lseek(opened, 4, os.SEEK_SET)  # what a shell's `{ read line; s3duct put …; } < file` leaves
        source = DescriptorSource(opened)
        assert drain(source, 100) == b"456789"
        assert source.completeness_warning(6) == ""
        assert source.completeness_warning(5) != ""


def test_what_has_no_size_has_nothing_to_say(tmp_path: Path) -> None:
    with pipe_from(b"abc") as read_end:
        assert DescriptorSource(read_end).completeness_warning(99) == ""
    opened = os.open("/dev/zero", os.O_RDONLY)
    assert DescriptorSource(opened).completeness_warning(5) == ""
    os.close(opened)


# --- sinks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["pipe", "file", "BytesIO", "buffered file", "raw file", "short writes", "fake"]
)
def test_a_sink_takes_every_byte(kind: str, tmp_path: Path) -> None:
    path, view = tmp_path / "output", memoryview(CONTENT)
    pieces = [view[:1], view[1:1], view[1:200_000], view[200_000:]]

    def write_to(sink: Sink) -> None:
        assert isinstance(sink, Sink)
        for piece in pieces:
            sink.write_all(piece)

    match kind:
        case "pipe":
            read_end, write_end = os.pipe()
            found: list[bytes] = []
            with open(read_end, "rb") as file:  # noqa: PTH123 - a descriptor
                reader = threading.Thread(target=lambda: found.append(file.read()))
                reader.start()
                write_to(DescriptorSink(write_end))
                os.close(write_end)
                reader.join()
            assert found == [CONTENT]
            return
        case "file":
            with descriptor(path, os.O_WRONLY | os.O_CREAT) as opened:
                write_to(DescriptorSink(opened))
        case "BytesIO":
            buffer = io.BytesIO()
            write_to(FileSink(buffer))
            path.write_bytes(buffer.getvalue())
        case "buffered file":
            with path.open("wb") as buffered:
                write_to(FileSink(buffered))
        case "raw file":
            with path.open("wb", buffering=0) as unbuffered:
                write_to(FileSink(cast("BinaryIO", unbuffered)))
        case "short writes":
            raw = OnlyWrite()
            write_to(FileSink(cast("BinaryIO", raw)))
            path.write_bytes(raw.data)
        case _:
            fake = FakeSink()
            write_to(fake)
            path.write_bytes(fake.data)
    assert path.read_bytes() == CONTENT


def test_a_consumer_that_has_gone_is_a_closed_sink() -> None:
    for wrap in ("descriptor", "raw"):
        read_end, write_end = os.pipe()
        os.close(read_end)
        with open(write_end, "wb", buffering=0) as raw:  # noqa: PTH123 - a descriptor
            sink = DescriptorSink(write_end) if wrap == "descriptor" else FileSink(cast("BinaryIO", raw))
            with pytest.raises(SinkClosed) as caught:
                sink.write_all(memoryview(b"x"))
        assert caught.value.exit_code is ExitCode.SIGPIPE
    fake = FakeSink(closes_after=0)
    with pytest.raises(SinkClosed):
        fake.write_all(memoryview(b"x"))


def test_a_consumer_that_goes_in_the_middle_is_a_closed_sink() -> None:
    read_end, write_end = os.pipe()

    def take_some() -> None:
        os.read(read_end, 1000)
        os.close(read_end)

    reader = threading.Thread(target=take_some)
    reader.start()
    with pytest.raises(SinkClosed):
        DescriptorSink(write_end).write_all(memoryview(bytes(10 << 20)))
    reader.join()
    os.close(write_end)


def test_a_full_disk_is_a_sink_error() -> None:
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - a device
        for sink in (DescriptorSink(full.fileno()), FileSink(cast("BinaryIO", full))):
            with pytest.raises(SinkError, match="No space left") as caught:
                sink.write_all(memoryview(b"x"))
            assert not isinstance(caught.value, SinkClosed)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), OSError("odd")])
def test_a_file_object_that_cannot_write_is_a_sink_error(error: Exception) -> None:
    with pytest.raises(SinkError) as caught:
        FileSink(cast("BinaryIO", _Failing(error))).write_all(memoryview(b"x"))
    assert caught.value.__cause__ is error
    assert "None" not in caught.value.message


def test_a_closed_output_is_a_sink_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError):
        DescriptorSink(999_999).write_all(memoryview(b"x"))
    with (tmp_path / "output").open("wb") as file:
        sink = FileSink(file)
    with pytest.raises(SinkError):
        sink.write_all(memoryview(b"x"))


@pytest.mark.timeout(10, func_only=True)  # it must not go on trying for ever
def test_a_file_object_in_non_blocking_mode_loses_nothing_silently() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with open(write_end, "wb", buffering=0) as raw, pytest.raises(SinkError) as caught:  # noqa: PTH123 - a descriptor
        FileSink(cast("BinaryIO", raw)).write_all(memoryview(bytes(10 << 20)))
    assert not isinstance(caught.value, SinkClosed)
    os.close(read_end)


@pytest.mark.timeout(30, func_only=True)
def test_an_output_in_non_blocking_mode_is_waited_for() -> None:
    data = random.Random(1).randbytes(1 << 20)
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    taken = bytearray()
    with open(read_end, "rb") as consumer:  # noqa: PTH123 - a descriptor
        reader = threading.Thread(target=lambda: taken.extend(consumer.read()))
        reader.start()
        try:
            DescriptorSink(write_end).write_all(memoryview(data))
        finally:
            os.close(write_end)
            reader.join()
    assert taken == data
