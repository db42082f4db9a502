"""Runs an age plugin and exchanges stanzas with it over its standard input and output (c2sp.org/age-plugin).

A plugin is a program of the user's choice, but what it says is bounded and checked as if it were hostile: its answers
end in the headers of files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

from s3duct.adapters.age.header import BODY_COLUMNS, MAX_HEADER_BYTES, Stanza, read_stanza, write_stanza
from s3duct.adapters.age.plugin_user import printable
from s3duct.domain.errors import CiphertextDamaged, KeySpecError, KeyUnavailable

BINARY_PREFIX = "age-plugin-"
# Two headers' worth: all that a plugin may have to say. The longest line is the first one of a stanza.
MAX_ANSWER_BYTES = 2 * MAX_HEADER_BYTES
MAX_LINE_BYTES = 16 * 1024
# How long a plugin may take to end once nothing is asked of it any more. While it is asked, a human may have to fetch
# a key, so nothing but its end is a reason to give up.
_GRACE_S = 2.0
# Characters that the specification allows; dots only between others, so that no name is a step in a path.
_NAME = re.compile(r"[a-z0-9+_-]+(\.[a-z0-9+_-]+)*")
_SHORTEST_SECRET = 4
# One human cannot follow two plugins at once.
_ONE_AT_A_TIME = threading.Lock()
_halted = threading.Event()
_at_work: list[subprocess.Popen[bytes]] = []


def halt() -> None:
    """End the plugin at work, and ask no other one: this process is about to end, and must not wait for a human.

    Whoever waits for a plugin gets `KeyUnavailable`. Call it from any thread.
    """
    _halted.set()
    for process in tuple(_at_work):
        process.terminate()


class Plugin:
    """A plugin that is installed."""

    def __init__(self, name: str) -> None:
        """Look for it on PATH.

        Args:
            name: from a recipient or an identity, in lower case.

        Raises:
            KeySpecError: the name is none, or the plugin is not there.
        """
        if not _NAME.fullmatch(name):
            raise KeySpecError("the name of its age plugin holds a character that does not belong there")
        self.name = name
        self.binary = BINARY_PREFIX + name
        path = shutil.which(self.binary)
        # A relative entry of PATH would let the working directory choose what is run.
        if path is None or not os.path.isabs(path):  # noqa: PTH117 -- nothing else is done with the path
            raise KeySpecError(
                f"it needs the age plugin {self.binary}, which is not on PATH",
                hint=f"install {self.binary}, or add its folder to PATH",
            )
        self.path = path

    def run(self, machine: str) -> PluginProcess:
        """Start it, to be used as a context manager.

        Args:
            machine: the state machine: "recipient-v1", "identity-v1".
        """
        return PluginProcess(self, machine)


class PluginProcess:
    """A plugin at work. Use as a context manager; one runs at a time in this process, others wait."""

    def __init__(self, plugin: Plugin, machine: str) -> None:
        """Start nothing yet."""
        self.binary = plugin.binary
        # Without a shell. The descriptors of this process, and with them the data on its pipes, stay out of reach;
        # stderr is shared, for what the plugin has to say beyond the protocol.
        self._command = [plugin.path, f"--age-plugin={machine}"]
        self._secrets: list[str] = []
        self._answered = 0

    def __enter__(self) -> Self:
        """Start it. Raises `KeyUnavailable` if that fails, or after `halt`."""
        _ONE_AT_A_TIME.acquire()
        if _halted.is_set():
            _ONE_AT_A_TIME.release()
            raise self.failure("is not asked any more")
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- no shell, and a path that `Plugin` has checked
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=tempfile.gettempdir(),  # as age: no plugin shall rely on where it runs
            )
            _at_work.append(self._process)
            if _halted.is_set():  # in this very moment
                self._process.terminate()
        except BaseException as error:
            _ONE_AT_A_TIME.release()
            if isinstance(error, OSError):
                raise self.failure(f"cannot be started: {error.strerror}") from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it end, and see to it that it does."""
        try:
            self._end(at_once=kind is not None)
        finally:
            _at_work.clear()
            _ONE_AT_A_TIME.release()

    def keep_secret(self, text: str) -> None:
        """Leave `text` out of whatever the plugin says from now on, unless it is too short to be told from chance."""
        if len(text) >= _SHORTEST_SECRET:
            self._secrets.append(text)

    def shown(self, text: bytes) -> str:
        """What the plugin wrote, safe to show."""
        return printable(text, without=self._secrets)

    def failure(self, detail: str) -> KeyUnavailable:
        """Say what went wrong with it."""
        return KeyUnavailable(f"the age plugin {self.binary} {detail}")

    def send(self, kind: str, *arguments: str, body: bytes = b"") -> None:
        """Send a command or a response. Raises `KeyUnavailable` if the plugin has ended."""
        sink = _opened(self._process.stdin)
        try:
            sink.write(write_stanza(Stanza(kind, arguments, body)).encode("ascii"))
            sink.flush()
        except OSError as error:
            raise self._ended() from error

    def receive(self) -> Stanza:
        """Wait for what the plugin says next.

        Raises:
            KeyUnavailable: it has ended, or it is no stanza.
        """
        lines = [self._line()]
        if not lines[0].startswith("-> "):
            raise self.failure("does not speak the plugin protocol")
        while len(lines) == 1 or len(lines[-1]) == BODY_COLUMNS:
            lines.append(self._line())
        try:
            return read_stanza(lines, 0)[0]
        except CiphertextDamaged as error:
            raise self.failure("does not speak the plugin protocol") from error

    def _line(self) -> str:
        try:
            line = _opened(self._process.stdout).readline(MAX_LINE_BYTES)
        except OSError as error:
            raise self._ended() from error
        self._answered += len(line)
        if not line.endswith(b"\n"):
            raise self.failure("says more than it may") if len(line) == MAX_LINE_BYTES else self._ended()
        if self._answered > MAX_ANSWER_BYTES:
            raise self.failure("says more than it may")
        try:
            return line[:-1].decode("ascii")
        except UnicodeDecodeError:
            raise self.failure("does not speak the plugin protocol") from None

    def _ended(self) -> KeyUnavailable:
        try:
            status = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return self.failure("closed the connection early")
        if status < 0:
            return self.failure(f"was ended by signal {-status}")
        return self.failure(f"ended early, with exit status {status}")

    def _end(self, *, at_once: bool) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was still to be written has nobody to read it
                _opened(pipe).close()
        if at_once:
            self._process.terminate()
        for stop in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                stop()
        self._process.wait()


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("a process was started without pipes")
    return pipe
