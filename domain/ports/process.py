"""Port: a program at the other end of the pipe, started and ended by the run that it gives its data to or takes it from.

All methods may be called from any thread. None raises because the program has ended.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from s3duct.domain.ports.pipe import Sink, Source


@runtime_checkable
class Process(Protocol):
    """A program that runs beside this one."""

    @property
    def name(self) -> str:
        """Its name. Its arguments are nobody's business: they may hold passwords."""
        ...

    def start(self) -> None:
        """Start it. Call this once.

        Raises:
            UsageError: it cannot be started.
        """
        ...

    def pass_on(self, signal_number: int) -> None:
        """Let it have a signal that this process got, unless it got the same one from the terminal."""
        ...

    def kill(self) -> None:
        """End it at once, without waiting for that: this process is about to be gone."""
        ...

    def end(self) -> bool:
        """See to it that it has ended and is waited for; a read or a write that waits for it returns.

        It is asked before it is forced, and takes some seconds at most. Idempotent, and nothing before the start.

        Returns:
            Whether it had still been at work.
        """
        ...


@runtime_checkable
class Producer(Source, Process, Protocol):
    """A program whose output is the stream.

    `read_into` returns 0 once the program has ended well, and raises `ProducerFailed` if it ends in any other way: a program
    that has closed its output is waited for.
    """


@runtime_checkable
class Consumer(Sink, Process, Protocol):
    """A program that takes the stream.

    `write_all` raises `ConsumerFailed` if the program has failed, and `SinkClosed` if it has ended well without wanting
    all of it. A program whose stream is not whole never sees the end of its input: `end` forces it first.
    """

    def finish(self) -> None:
        """Tell it that the stream is whole, and wait for it to end.

        Raises:
            ConsumerFailed: it did not end well.
        """
        ...
