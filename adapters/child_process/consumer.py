"""Adapter of `ports.process`: a program that takes the stream on its standard input."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence

from s3duct.adapters.child_process.child import Child, Ending
from s3duct.adapters.child_process.latch import wait_for
from s3duct.domain.errors import ConsumerFailed, SinkClosed, SinkError
from s3duct.domain.ports.process import Consumer


class ChildConsumer(Consumer):
    """Runs a command and writes to its input. Its stderr is this process's."""

    def __init__(self, command: Sequence[str], *, stdout: int | None = None) -> None:
        """Look for the program; start nothing.

        Args:
            command: the program and its arguments.
            stdout: descriptor of its standard output, or None: this process's own.

        Raises:
            UsageError: there is no such program.
        """
        self._child = Child(command)
        self._stdout = stdout
        self._pipe = -1
        self._satisfied = False
        self._writing = threading.Lock()  # held while the pipe is used, so that it is not closed meanwhile

    @property
    def name(self) -> str:
        """The program's name."""
        return self._child.name

    def start(self) -> None:
        """Start it, unless it has been ended already."""
        with self._writing:
            if self._child.abandoned.is_set:
                raise self._abandoned()
            process = self._child.start(stdin=subprocess.PIPE, stdout=self._stdout)
            if process.stdin is None:
                raise AssertionError("a process was started without its pipe")
            self._pipe = os.dup(process.stdin.fileno())
            process.stdin.close()
            # A write that waits could not be given up. The program's end of the pipe is another: it stays as it is.
            os.set_blocking(self._pipe, False)

    def write_all(self, view: memoryview) -> None:
        """Write all of it, as fast as the program takes it."""
        with self._writing:
            while view:
                self._wait_until_writable()
                try:
                    written = os.write(self._pipe, view)
                except BlockingIOError:
                    continue
                except BrokenPipeError as error:
                    self._check(self._child.wait())
                    raise SinkClosed(f"{self.name} closed its input before the stream had ended") from error
                except OSError as error:
                    raise SinkError(f"cannot write to {self.name}: {error.strerror}") from error
                view = view[written:]

    def finish(self) -> None:
        """Close its input, and wait for it."""
        with self._writing:
            if self._pipe < 0 or self._child.abandoned.is_set:
                raise self._abandoned()
            self._close()
        self._check(self._child.wait())
        self._satisfied = True

    def pass_on(self, signal_number: int) -> None:
        """Send it the signal."""
        self._child.pass_on(signal_number)

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()

    def end(self) -> bool:
        """SIGTERM, then SIGKILL, and only then close its input: it must not take that for the end of the stream."""
        child = self._child
        child.abandoned.set()
        with self._writing:  # a start or a write that is under way returns first
            was_at_work = child.started and not child.ended.is_set
        if self._satisfied:
            child.reap()  # what it left running is its own business
        else:
            child.end(patience_s=0.0)
        with self._writing:
            self._close()
        return was_at_work

    def _close(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def _wait_until_writable(self) -> None:
        child = self._child
        if self._pipe < 0 or child.abandoned.is_set:
            raise self._abandoned()
        if wait_for(child.ended, child.abandoned, pipe=self._pipe, writing=True):
            return
        if child.ended.is_set:
            # Whatever it has started may go on reading: for that of a failed program nobody waits.
            self._check(child.ending)
            if wait_for(child.abandoned, pipe=self._pipe, writing=True):
                return
        raise self._abandoned()

    def _check(self, ending: Ending | None) -> None:
        if ending is None:
            raise self._abandoned()
        if not ending.well:
            raise ConsumerFailed(
                f"the consumer {self.name} {ending}",
                hint="what it was given is verified; see what it says itself",
            )

    def _abandoned(self) -> SinkError:
        return SinkError(f"{self.name} was ended before it had the whole stream")
