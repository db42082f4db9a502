"""Runs one command to its end and tells what it took: wall time, processor time and memory of its process tree."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from s3duct.domain.sizes import MIB

_LAUNCHER = Path(__file__).with_name("launcher.py")
_ERROR_CHARACTERS = 4000


class CommandFailed(Exception):
    """The command ended with another code than 0; the message has the end of its stderr."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run took.

    Processor time is user and system time of the process and of the children that it waited for; the peak is that of the
    largest of them.
    """

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    output_bytes: int


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    stdin: Path | None = None,
    on_output: Callable[[memoryview], object] | None = None,
) -> Usage:
    """Run `command` in an environment of its own; its stdout is read and counted.

    Args:
        command: path of the program, and its arguments.
        environment: all of it.
        stdin: file to read; None is an empty input.
        on_output: given each piece of stdout; the command waits for it.

    Raises:
        CommandFailed: it did not end with 0. Whatever is raised, nothing of it runs any more.
    """
    with (
        tempfile.TemporaryFile() as errors,
        tempfile.TemporaryFile() as report,
        Path(stdin or os.devnull).open("rb") as source,
    ):
        launch = [sys.executable, "-I", "-S", _LAUNCHER, report.fileno(), *command]
        process = subprocess.Popen(
            list(map(str, launch)),
            bufsize=0,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environment),
            pass_fds=(report.fileno(),),
            start_new_session=True,  # a process group of its own, so that its children end with it
        )
        with _ended(process):
            assert process.stdout is not None
            output_bytes = _drain(process.stdout, on_output)
            process.wait()
        took = json.loads(_content(report) or '{"code": null}')
        if process.returncode or took.pop("code"):
            raise CommandFailed(f"{command[0]} failed\n{_content(errors)[-_ERROR_CHARACTERS:]}")
    return Usage(**took, output_bytes=output_bytes)


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave nothing of its group behind, however the block ends."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _drain(stdout: IO[bytes], on_output: Callable[[memoryview], object] | None) -> int:
    buffer = memoryview(bytearray(MIB))
    total = 0
    while size := os.readv(stdout.fileno(), [buffer]):
        total += size
        if on_output is not None:
            on_output(buffer[:size])
    return total


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
