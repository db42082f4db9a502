"""Terminals: no raw data from or to them, a live line on them, and nothing of it elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.buckets import FolderBucket
from tests.support.command import COMMAND, until
from tests.support.data import KIB, random_bytes
from tests.support.streams import Stream

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """The slave end for a child, and what was written to it."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        self._written = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while data := os.read(self._master, 1 << 16):
                self._written += data
        except OSError:
            return  # the last slave end was closed

    def shows(self, text: str) -> bool:
        """Whether that was written by now."""
        return text.encode() in self._written

    def finish(self) -> str:
        """Close the slave end and return what was written."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1
        self._reader.join(30)
        return self._written.decode("utf-8", "replace")

    def close(self) -> None:
        self.finish()
        os.close(self._master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with _opened() as terminal:
        yield terminal


@contextmanager
def _opened() -> Iterator[Terminal]:
    terminal = Terminal()
    try:
        yield terminal
    finally:
        terminal.close()


def test_put_does_not_read_a_terminal(
    folder_bucket: FolderBucket, unique_name: str, terminal: Terminal
) -> None:
    stream = Stream(folder_bucket, unique_name)

    finished = subprocess.run(
        [COMMAND, "put", *stream.flags], check=False, stdin=terminal.slave, capture_output=True, text=True
    )

    assert finished.returncode == 2
    lines = finished.stderr.splitlines()
    assert "s3duct: error: stdin is a terminal: put stores what is piped into it" in lines
    assert lines[-1].startswith("s3duct: hint: try: tar c DIRECTORY | s3duct put")
    assert stream.bucket.keys(stream.folder) == []


def test_get_does_not_write_to_a_terminal(
    folder_bucket: FolderBucket, unique_name: str, terminal: Terminal
) -> None:
    stream = Stream(folder_bucket, unique_name)
    stream.put(b"data")

    finished = subprocess.run(
        [COMMAND, "get", *stream.flags], check=False, stdout=terminal.slave, stderr=subprocess.PIPE, text=True
    )

    assert finished.returncode == 2
    assert finished.stderr.splitlines()[0] == "s3duct: error: stdout is a terminal: get writes raw data"
    assert terminal.finish() == ""


def test_progress_is_live_on_a_terminal_and_gone_at_the_end(
    folder_bucket: FolderBucket, unique_name: str, terminal: Terminal
) -> None:
    stream = Stream(folder_bucket, unique_name)

    finished = subprocess.run(
        [COMMAND, "put", *stream.flags, "--chunk-size", "16K", "--no-encrypt"],
        check=False,
        input=random_bytes(100 * KIB, "progress"),
        stdout=subprocess.PIPE,
        stderr=terminal.slave,
        env={**os.environ, "TERM": "xterm-256color"},
    )

    assert (finished.returncode, finished.stdout) == (0, b"")
    shown = terminal.finish()
    assert "chunks done" in shown
    assert "\x1b[" in shown
    assert "stored" in shown
    assert "\x1b[?25h" in shown  # the cursor is back


def test_a_second_signal_leaves_the_cursor_as_it_was(
    folder_bucket: FolderBucket, unique_name: str, terminal: Terminal, tmp_path: Path
) -> None:
    stream = Stream(folder_bucket, unique_name)
    stream.put(b"data", "--no-encrypt")
    deaf = tmp_path / "deaf"
    words = [str(COMMAND), "get", *stream.flags, "--", "sh", "-c", f"trap '' TERM; : > '{deaf}'; sleep 60"]
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=terminal.slave, env=environment) as running:
        until(lambda: terminal.shows(HIDE) and deaf.exists(), "the live line is up, and the command deaf")
        running.terminate()
        until(lambda: terminal.shows("stopping"), "it has heard of it")
        running.terminate()
        assert running.wait(30) == 143
    assert terminal.finish().rstrip().endswith(SHOW)


@pytest.mark.parametrize("flags", [["--progress", "none"], ["--quiet"]], ids=" ".join)
def test_no_progress_where_none_is_wanted(
    folder_bucket: FolderBucket, unique_name: str, terminal: Terminal, flags: list[str]
) -> None:
    stream = Stream(folder_bucket, unique_name)

    subprocess.run(
        [COMMAND, "put", *stream.flags, "--no-encrypt", *flags],
        check=True,
        input=b"data",
        stderr=terminal.slave,
    )

    assert "\x1b" not in terminal.finish()


def test_list_may_be_read_on_a_terminal(
    folder_bucket: FolderBucket, unique_name: str, terminal: Terminal
) -> None:
    Stream(folder_bucket, unique_name).put(b"data")

    subprocess.run([COMMAND, "list", *folder_bucket.flags], check=True, stdout=terminal.slave)

    assert unique_name in terminal.finish()


@pytest.mark.parametrize(("verb", "closed"), [("put", "<&-"), ("get", ">&-")])
def test_a_closed_end_is_wrong_usage(
    folder_bucket: FolderBucket, unique_name: str, verb: str, closed: str
) -> None:
    stream = Stream(folder_bucket, unique_name)
    if verb == "get":
        stream.put(b"data")

    finished = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", COMMAND, verb, *stream.flags],
        check=False,
        capture_output=True,
        text=True,
    )

    assert finished.returncode == 2
    assert "s3duct: error: " in finished.stderr
    assert "Traceback" not in finished.stderr


def test_get_into_a_file_does_not_mind_a_terminal(
    folder_bucket: FolderBucket, unique_name: str, terminal: Terminal, tmp_path: Path
) -> None:
    stream = Stream(folder_bucket, unique_name)
    stream.put(b"content")

    finished = subprocess.run(
        [COMMAND, "get", *stream.flags, "--output", tmp_path / "out"],
        check=False,
        stdout=terminal.slave,
        capture_output=False,
        stderr=subprocess.PIPE,
    )

    assert finished.returncode == 0
    assert (tmp_path / "out").read_bytes() == b"content"
    assert terminal.finish() == ""
