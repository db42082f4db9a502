"""The two ends of the pipe in memory: sources that read in odd steps, fail or hang, and sinks that close or hang."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Sequence
from itertools import cycle

from s3duct.domain.errors import SinkClosed
from s3duct.domain.ports.pipe import Sink, Source

# Nothing here waits that long: it keeps a test that has failed from hanging.
PATIENCE_S = 20.0


class FakeSource(Source):
    """Gives out `data`, at most the next of `reads` bytes at a time (all that is asked for if there are none)."""

    def __init__(self, data: bytes, *, reads: Sequence[int] = (), warning: str = "") -> None:
        """Begin at the start of `data`."""
        self.data = data
        self.position = 0
        self._reads = cycle(reads) if reads else None
        self._warning = warning

    def read_into(self, view: memoryview) -> int:
        """Copy the next bytes."""
        most = len(view) if self._reads is None else min(next(self._reads), len(view))
        piece = self.data[self.position : self.position + most]
        view[: len(piece)] = piece
        self.position += len(piece)
        return len(piece)

    def completeness_warning(self, total_bytes: int) -> str:
        """As told."""
        return self._warning


class FailingSource(FakeSource):
    """Gives out `data`, then raises `error`."""

    def __init__(self, data: bytes, error: BaseException, *, reads: Sequence[int] = ()) -> None:
        """Take the data that can be read, and the error behind it."""
        super().__init__(data, reads=reads)
        self._error = error

    def read_into(self, view: memoryview) -> int:
        """Copy, or raise at the end."""
        size = super().read_into(view)
        if not size:
            raise self._error
        return size


class HangingSource(FakeSource):
    """Gives out `data`, then hangs like a producer that is busy, until `release` is set; then it has ended.

    `hangs` is set when it hangs.
    """

    def __init__(self, data: bytes) -> None:
        """Take the data that can be read at once."""
        super().__init__(data)
        self.hangs = threading.Event()
        self.release = threading.Event()

    def read_into(self, view: memoryview) -> int:
        """Copy, or hang at the end."""
        size = super().read_into(view)
        if not size:
            self.hangs.set()
            self.release.wait(PATIENCE_S)
        return size


class FakeSink(Sink):
    """Keeps what is written; `writes` holds the sizes. With `closes_after` it takes that many bytes, then it is closed."""

    def __init__(self, *, closes_after: int | None = None) -> None:
        """Begin empty."""
        self.data = b""
        self.writes: list[int] = []
        self._closes_after = closes_after

    def write_all(self, view: memoryview) -> None:
        """Take all of it, or refuse."""
        if self._closes_after is not None and len(self.data) + len(view) > self._closes_after:
            raise SinkClosed("the consumer closed the pipe")
        self.data += bytes(view)
        self.writes.append(len(view))


class HangingSink(FakeSink):
    """Hangs in its first write like a consumer that is busy, until `release` is set. `hangs` is set when it hangs.

    As a system call would, it keeps hold of the buffer it was given: the view cannot be released meanwhile.
    """

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.hangs = threading.Event()
        self.release = threading.Event()

    def write_all(self, view: memoryview) -> None:
        """Hang, then take it."""
        if not self.release.is_set():
            held = pickle.PickleBuffer(view)
            self.hangs.set()
            self.release.wait(PATIENCE_S)
            held.release()
        super().write_all(view)
