"""Adapters of `ports.output` that keep nothing to go on from: any sink, and devices and named pipes by their path."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from s3duct.domain.errors import SinkError
from s3duct.domain.ports.output import Output, OutputPart
from s3duct.domain.ports.pipe import Sink
from s3duct.domain.ports.process import Consumer, Process


class SinkOutput(Output):
    """Writes to a sink as it comes (stdout, a pipe, a file object)."""

    def __init__(self, sink: Sink) -> None:
        """Take the sink."""
        self._sink = sink

    def check(self) -> None:
        """A sink is ready."""

    def begin(self, identity: str) -> OutputPart:
        """Whatever the content is, it begins anew."""
        return _StraightPart(self._sink, finish=lambda: None, close=lambda: None)


class ConsumerOutput(Output, Process):
    """Gives the stream to a program, which learns that its input has ended only if that is whole."""

    def __init__(self, consumer: Consumer) -> None:
        """Take the program; it is not started yet."""
        self._consumer = consumer

    @property
    def name(self) -> str:
        """The program's name."""
        return self._consumer.name

    def check(self) -> None:
        """It was looked for already."""

    def begin(self, identity: str) -> OutputPart:
        """Start it: the stream is there and readable."""
        self._consumer.start()
        return _StraightPart(self._consumer, finish=self._consumer.finish, close=lambda: None)

    def start(self) -> None:
        """Nothing: `begin` does."""

    def pass_on(self, signal_number: int) -> None:
        """As the program."""
        self._consumer.pass_on(signal_number)

    def kill(self) -> None:
        """As the program."""
        self._consumer.kill()

    def end(self) -> bool:
        """As the program."""
        return self._consumer.end()


class DeviceOutput(Output):
    """Opens a device or a named pipe and writes to it as it comes: there is nothing to rename or to go on from."""

    def __init__(self, path: Path, sink_over: Callable[[int], Sink]) -> None:
        """Remember where it is; `sink_over` makes a sink of a descriptor."""
        self._path = path
        self._sink_over = sink_over

    def check(self) -> None:
        """Opening it may rewind a tape or wait for a reader: that is left to `begin`."""

    def begin(self, identity: str) -> OutputPart:
        """Open it. A named pipe is opened once somebody reads it."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            raise SinkError(f"cannot write {str(self._path)!r}: {error.strerror}") from error
        return _StraightPart(
            self._sink_over(descriptor),
            finish=lambda: _finish(descriptor, self._path),
            close=lambda: _close(descriptor),
        )


class _StraightPart(OutputPart):
    def __init__(self, sink: Sink, *, finish: Callable[[], None], close: Callable[[], None]) -> None:
        self._sink = sink
        self._finish = finish
        self._close = close
        self._open = True
        self._written = 0

    @property
    def name(self) -> str:
        return ""

    @property
    def others(self) -> Sequence[str]:
        return ()

    def read_into(self, view: memoryview, *, offset_bytes: int) -> int:
        return 0

    def go_on_at(self, offset_bytes: int) -> None:
        if offset_bytes != self._written:
            raise ValueError("what was written straight cannot be written again")

    def write_all(self, view: memoryview) -> None:
        self._sink.write_all(view)
        self._written += len(view)

    def commit(self, size_bytes: int) -> None:
        self.go_on_at(size_bytes)
        if self._open:
            self._open = False
            self._finish()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._close()


def _finish(descriptor: int, path: Path) -> None:
    """Disks are synced; the others have nothing to sync. Tapes report late errors when they are closed."""
    try:
        try:
            if stat.S_ISBLK(os.fstat(descriptor).st_mode):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SinkError(f"cannot write {str(path)!r}: {error.strerror}") from error


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)
