"""Runs `s3duct` as users do: a process of its own, fed and drained by threads."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

# Beside the interpreter that runs the tests: the installation under test, whatever PATH says.
COMMAND = Path(sys.executable).with_name("s3duct")
LONGEST_RUN_S = 120.0
_READ_BYTES = 1 << 18
_SMALL_BYTES = 32 << 20

Input = bytes | Iterable[bytes] | IO[bytes] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `stdout` holds everything if it was small, nothing otherwise; size and digest are of all of it."""

    code: int
    stdout: bytes
    stdout_bytes: int
    stdout_sha256: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """Lines of stderr."""
        return self.stderr.splitlines()

    def expect(self, code: int) -> Self:
        """Return self, if that is the exit code."""
        assert self.code == code, f"exit code {self.code} instead of {code}; stderr:\n{self.stderr}"
        return self


class Running:
    """A run that is under way. Use as a context manager: what still runs at its end is killed."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        stdin: Input = None,
        environment: Mapping[str, str] | None = None,
        command: Path = COMMAND,
        on_output: Callable[[int], object] | None = None,
        on_offered: Callable[[int], object] | None = None,
        drain_stdout: bool = True,
    ) -> None:
        """Start it.

        Args:
            arguments: behind the command's name.
            stdin: bytes, pieces (a generator may take its time), an open file, or None for an empty input.
            environment: beside this process's own, which the tests have cleaned.
            command: another installation.
            on_output: called before each read of stdout with the bytes read so far: a slow consumer sleeps here.
            on_offered: called after each piece of the input with the bytes written so far.
            drain_stdout: False leaves stdout to the caller (`self.process.stdout`).
        """
        self.offered_bytes = 0
        self._digest = hashlib.sha256()
        self._kept = bytearray()
        self._read_bytes = 0
        self._errors = bytearray()
        self._on_output = on_output
        self._on_offered = on_offered
        pieces = [stdin] if isinstance(stdin, bytes) else stdin
        feeds = pieces is not None and not hasattr(pieces, "fileno")
        given: Any = subprocess.PIPE if feeds else subprocess.DEVNULL if pieces is None else pieces
        self.process = subprocess.Popen(
            [str(command), *map(str, arguments)],
            bufsize=0,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        self._threads: list[threading.Thread] = []
        if feeds:
            assert pieces is not None
            self._thread(lambda: self._feed(pieces))
        if drain_stdout:
            self._thread(self._drain)
        self._thread(self._collect_errors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self._finish()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def stderr_so_far(self) -> str:
        """What it has written to stderr."""
        return bytes(self._errors).decode("utf-8", "replace")

    def wait_until_offered(self, size_bytes: int) -> None:
        """Wait until that much of the input is taken, or it has ended."""
        until(
            lambda: self.offered_bytes >= size_bytes or self.process.poll() is not None,
            f"{size_bytes} bytes are taken",
        )

    def kill(self) -> Outcome:
        """End it as a power cut would."""
        return self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> Outcome:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self, timeout_s: float = LONGEST_RUN_S) -> Outcome:
        """Wait for its end."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self._finish()
            raise AssertionError(
                f"still running after {timeout_s} s; stderr:\n{self.stderr_so_far}"
            ) from None
        self._finish()
        return Outcome(
            code=self.process.returncode,
            stdout=bytes(self._kept) if self._read_bytes == len(self._kept) else b"",
            stdout_bytes=self._read_bytes,
            stdout_sha256=self._digest.hexdigest(),
            stderr=self.stderr_so_far,
        )

    def _thread(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _feed(self, pieces: Iterable[bytes]) -> None:
        stdin = self.process.stdin
        assert stdin is not None
        with contextlib.suppress(BrokenPipeError), stdin:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    written = os.write(stdin.fileno(), view)
                    self.offered_bytes += written
                    view = view[written:]
                if self._on_offered is not None:
                    self._on_offered(self.offered_bytes)

    def _drain(self) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        while True:
            if self._on_output is not None:
                self._on_output(self._read_bytes)
            data = os.read(stdout.fileno(), _READ_BYTES)
            if not data:
                return
            self._digest.update(data)
            self._read_bytes += len(data)
            if self._read_bytes <= _SMALL_BYTES:
                self._kept += data

    def _collect_errors(self) -> None:
        stderr = self.process.stderr
        assert stderr is not None
        while data := os.read(stderr.fileno(), _READ_BYTES):
            self._errors += data

    def _finish(self) -> None:
        self.process.wait()
        for thread in self._threads:
            thread.join(LONGEST_RUN_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def run(
    *arguments: str | Path,
    stdin: Input = None,
    environment: Mapping[str, str] | None = None,
    command: Path = COMMAND,
    timeout_s: float = LONGEST_RUN_S,
) -> Outcome:
    """Run the command to its end."""
    with Running(arguments, stdin=stdin, environment=environment, command=command) as running:
        return running.wait(timeout_s)


def until(condition: Callable[[], bool], what: str, *, within_s: float = 60.0) -> None:
    """Wait for a condition; fail if it does not come true."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s} s in vain: {what}"
        time.sleep(0.005)


@contextlib.contextmanager
def producer(*arguments: str | Path) -> Iterator[IO[bytes]]:
    """Run another command; its stdout is for a run's stdin."""
    with subprocess.Popen(list(map(str, arguments)), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout
    assert process.returncode == 0
