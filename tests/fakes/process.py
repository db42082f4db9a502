"""Programs at the ends of the pipe in memory: they end as they are told to, and note what is done to them."""

from __future__ import annotations

import threading

from s3duct.domain.errors import ConsumerFailed, ProducerFailed, SinkError, SourceError, UsageError
from s3duct.domain.ports.process import Consumer, Process, Producer
from tests.fakes.pipe import PATIENCE_S, FakeSink, FakeSource


class FakeProcess(Process):
    """`done` lists what was done to it, in order. It ends with `status`, after `hangs` if that is set."""

    def __init__(self, *, status: int = 0, startable: bool = True, hangs: bool = False) -> None:
        """Not started."""
        self.done: list[str] = []
        self._status = status
        self._startable = startable
        self._hangs = hangs
        self._at_work = False
        self._ended = threading.Event()
        self.waited_for = threading.Event()

    @property
    def name(self) -> str:
        """Always the same."""
        return "fake"

    def start(self) -> None:
        """Be at work, or refuse."""
        if not self._startable:
            raise UsageError("cannot run fake", hint="it is one")
        self.done.append("start")
        self._at_work = True

    def pass_on(self, signal_number: int) -> None:
        """Note it."""
        self.done.append(f"signal {signal_number}")

    def kill(self) -> None:
        """Note it."""
        self.done.append("kill")

    def end(self) -> bool:
        """Note it; whoever waits for it returns."""
        was_at_work, self._at_work = self._at_work, False
        self._ended.set()
        self.done.append("end")
        return was_at_work

    def wait(self) -> bool:
        """Wait for its end; say whether it came to it by itself."""
        self.waited_for.set()
        if self._hangs:
            self._ended.wait(PATIENCE_S)
        ended_by_itself, self._at_work = not self._ended.is_set(), False
        return ended_by_itself

    @property
    def failed(self) -> bool:
        """Whether it ends with anything but 0."""
        return self._status != 0

    @property
    def told(self) -> str:
        """How it ends."""
        return f"exited with status {self._status}"


class FakeProducer(FakeProcess, FakeSource, Producer):
    """Writes `data`, then ends."""

    def __init__(
        self, data: bytes = b"", *, status: int = 0, startable: bool = True, hangs: bool = False
    ) -> None:
        """Take what it writes and how it ends."""
        FakeProcess.__init__(self, status=status, startable=startable, hangs=hangs)
        FakeSource.__init__(self, data)

    def read_into(self, view: memoryview) -> int:
        """Copy; at the end, see how it has ended."""
        assert "start" in self.done
        if self._ended.is_set():
            raise SourceError("the producer fake was ended before it had finished")
        size = FakeSource.read_into(self, view)
        if size:
            return size
        if not self.wait():
            raise SourceError("the producer fake was ended before it had finished")
        if self.failed:
            raise ProducerFailed(f"the producer fake {self.told}")
        return 0


class FakeConsumer(FakeProcess, FakeSink, Consumer):
    """Keeps what it is given; `whole` says whether it was told that this is all."""

    def __init__(
        self,
        *,
        status: int = 0,
        startable: bool = True,
        hangs: bool = False,
        closes_after: int | None = None,
    ) -> None:
        """Take how it ends."""
        FakeProcess.__init__(self, status=status, startable=startable, hangs=hangs)
        FakeSink.__init__(self, closes_after=closes_after)
        self.whole = False

    def write_all(self, view: memoryview) -> None:
        """Take it, or have gone."""
        assert "start" in self.done
        if self._ended.is_set():
            raise SinkError("fake was ended before it had the whole stream")
        if self._closes_after is not None and len(self.data) + len(view) > self._closes_after and self.failed:
            self._at_work = False
            raise ConsumerFailed(f"the consumer fake {self.told}")
        FakeSink.write_all(self, view)

    def finish(self) -> None:
        """Have all of it."""
        if self._ended.is_set():
            raise SinkError("fake was ended before it had the whole stream")
        self.whole = True
        if not self.wait():
            raise SinkError("fake was ended before it had the whole stream")
        if self.failed:
            raise ConsumerFailed(f"the consumer fake {self.told}")
