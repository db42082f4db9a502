"""Adapters of `ports.pipe`: file descriptors (stdin and stdout of the command) and Python's file objects."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
from collections.abc import Callable
from typing import BinaryIO, TypeVar

from s3duct.domain.errors import SinkClosed, SinkError, SourceError
from s3duct.domain.ports.pipe import Sink, Source

T = TypeVar("T")

# What Linux lets anyone have (fs.pipe-max-size); the default, 64 KiB, wakes both ends sixteen times as often.
_PIPE_BYTES = 1 << 20


class DescriptorSource(Source):
    """Reads a file descriptor. A regular file is checked against its size at the end."""

    def __init__(self, descriptor: int) -> None:
        """Take the descriptor; it is not closed here."""
        self._descriptor = descriptor
        try:
            self._start = _regular_file_position(descriptor)
        except (OSError, ValueError, OverflowError) as error:
            raise SourceError(f"cannot read the input: {_reason(error)}") from error
        _widen(descriptor)

    def read_into(self, view: memoryview) -> int:
        """Read what there is, at least one byte unless at the end."""
        while True:
            try:
                return os.readv(self._descriptor, [view])
            except BlockingIOError:
                _wait_for(self._descriptor, select.POLLIN)
            except OSError as error:
                raise SourceError(f"cannot read the input: {error.strerror}") from error

    def completeness_warning(self, total_bytes: int) -> str:
        """A regular file whose size is not what was read changed underneath us."""
        if self._start is None:
            return ""
        size = os.fstat(self._descriptor).st_size - self._start
        if size == total_bytes:
            return ""
        return f"the input file holds {size} bytes, but {total_bytes} were read: it changed during the put"


class DescriptorSink(Sink):
    """Writes a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        """Take the descriptor; it is not closed here."""
        self._descriptor = descriptor
        _widen(descriptor)

    def write_all(self, view: memoryview) -> None:
        """Write all of it, in as many calls as it takes."""
        while view:
            try:
                written = os.write(self._descriptor, view)
            except BlockingIOError:
                _wait_for(self._descriptor, select.POLLOUT)
                continue
            except BrokenPipeError as error:
                raise SinkClosed("the consumer closed the pipe before the stream had ended") from error
            except OSError as error:
                raise SinkError(f"cannot write the output: {error.strerror}") from error
            view = view[written:]


class FileSource(Source):
    """Reads a binary file object of Python: anything with `readinto` or `read`."""

    def __init__(self, file: BinaryIO) -> None:
        """Take the file object; it is not closed here."""
        self._file = file

    def read_into(self, view: memoryview) -> int:
        """Read what there is."""
        try:
            readinto: Callable[[memoryview], int | None] | None = getattr(self._file, "readinto", None)
            if readinto is not None:
                return _not_none(readinto(view))
            data = self._file.read(len(view))
            _not_none(data)
        except (OSError, ValueError) as error:  # ValueError: it is closed
            raise SourceError(f"cannot read the input: {_reason(error)}") from error
        view[: len(data)] = data
        return len(data)

    def completeness_warning(self, total_bytes: int) -> str:
        """A file object has nothing to say."""
        return ""


class FileSink(Sink):
    """Writes a binary file object of Python."""

    def __init__(self, file: BinaryIO) -> None:
        """Take the file object; it is neither flushed nor closed here."""
        self._file = file

    def write_all(self, view: memoryview) -> None:
        """Write all of it; raw files may take less at a time."""
        while view:
            try:
                written: int | None = self._file.write(view)
            except BrokenPipeError as error:
                raise SinkClosed("the consumer closed the pipe before the stream had ended") from error
            except (OSError, ValueError) as error:  # ValueError: it is closed
                raise SinkError(f"cannot write the output: {_reason(error)}") from error
            if written is None:
                raise SinkError("the output is in non-blocking mode", hint="give a blocking file object")
            view = view[written:]


def _widen(descriptor: int) -> None:
    """Let a pipe hold more at once. What is no pipe, or may not grow (a user's pipes have a limit), stays as it is."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux
        with contextlib.suppress(OSError, ValueError):
            if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < _PIPE_BYTES:
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _wait_for(descriptor: int, readiness: int) -> None:
    """Wait as a blocking descriptor does: whoever shares this one may have made it a non-blocking one, at any time."""
    poll = select.poll()
    poll.register(descriptor, readiness)
    poll.poll()


def _not_none(answer: T | None) -> T:
    """A file object that answers None has nothing ready but has not ended: it is in non-blocking mode."""
    if answer is None:
        raise SourceError("the input is in non-blocking mode", hint="give a blocking file object")
    return answer


def _regular_file_position(descriptor: int) -> int | None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    return os.lseek(descriptor, 0, os.SEEK_CUR)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
