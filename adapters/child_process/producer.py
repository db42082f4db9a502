"""Adapter of `ports.process`: a program whose standard output is the stream."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence

from s3duct.adapters.child_process.child import Child, Ending
from s3duct.adapters.child_process.latch import wait_for
from s3duct.domain.errors import ProducerFailed, SourceError
from s3duct.domain.ports.process import Producer

# How long a program may take to notice that its pipe is closed, or to follow a signal that was passed on, before SIGTERM.
_AFTER_CLOSING_S = 1.0


class ChildProducer(Producer):
    """Runs a command and reads its output. Its stderr is this process's."""

    def __init__(self, command: Sequence[str], *, stdin: int | None = None) -> None:
        """Look for the program; start nothing.

        Args:
            command: the program and its arguments.
            stdin: descriptor of its standard input, or None: this process's own.

        Raises:
            UsageError: there is no such program.
        """
        self._child = Child(command)
        self._stdin = stdin
        self._pipe = -1
        self._whole = False
        self._reading = threading.Lock()  # held while the pipe is used, so that it is not closed meanwhile

    @property
    def name(self) -> str:
        """The program's name."""
        return self._child.name

    def start(self) -> None:
        """Start it, unless it has been ended already."""
        with self._reading:
            if self._child.abandoned.is_set:
                raise self._abandoned()
            process = self._child.start(stdin=self._stdin, stdout=subprocess.PIPE)
            if process.stdout is None:
                raise AssertionError("a process was started without its pipe")
            self._pipe = os.dup(process.stdout.fileno())
            process.stdout.close()

    def read_into(self, view: memoryview) -> int:
        """Read what there is; at the end, wait for the program and see how it has ended."""
        with self._reading:
            if not self._readable():
                return 0
            try:
                size = os.readv(self._pipe, [view])
            except OSError as error:
                raise SourceError(f"cannot read the output of {self.name}: {error.strerror}") from error
            if not size:
                self._check(self._child.wait())
                self._whole = True
            return size

    def completeness_warning(self, total_bytes: int) -> str:
        """Nothing to say: a program that has ended well has given all."""
        return ""

    def pass_on(self, signal_number: int) -> None:
        """Send it the signal."""
        self._child.pass_on(signal_number)

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()

    def end(self) -> bool:
        """Close its pipe, so that it gets SIGPIPE if it writes; then SIGTERM, then SIGKILL."""
        child = self._child
        child.abandoned.set()
        with self._reading:
            if self._pipe < 0:
                return False
            was_at_work = not child.ended.is_set
            os.close(self._pipe)
            self._pipe = -1
        if self._whole:
            child.reap()  # what it left running is its own business
        else:
            child.end(patience_s=_AFTER_CLOSING_S)
        return was_at_work

    def _readable(self) -> bool:
        """Wait for data or the end of them. Data of a program that has failed are given before that is said."""
        child = self._child
        if self._pipe < 0 or child.abandoned.is_set:
            raise self._abandoned()
        if wait_for(child.ended, child.abandoned, pipe=self._pipe):
            return True
        if child.ended.is_set:
            # Whatever it has started holds the pipe and may go on writing: for that of a failed program nobody waits.
            self._check(child.ending)
            if wait_for(child.abandoned, pipe=self._pipe):
                return True
        raise self._abandoned()

    def _check(self, ending: Ending | None) -> None:
        if ending is None:
            raise self._abandoned()
        if not ending.well:
            raise ProducerFailed(
                f"the producer {self.name} {ending}",
                hint="no manifest was written, what is stored is kept: run the same command again to go on from there",
            )

    def _abandoned(self) -> SourceError:
        return SourceError(f"the producer {self.name} was ended before it had finished")
