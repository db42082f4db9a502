"""Runs a command, or several in a pipeline, to the end and tells what it took: time, memory, scratch files."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from s3duct.domain.sizes import MIB
from tests.bench.scratch import ScratchWatch

_LAUNCHER = Path(__file__).with_name("launcher.py")
_ERROR_CHARACTERS = 4000

Pipeline = Sequence[Sequence[str | Path]]


class CommandFailed(Exception):
    """A command ended with another code than 0; the message has the end of its stderr."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run took.

    Processor time is user and system time of the commands and of the children that they waited for. The peak is that of
    the largest process of each command, summed over the commands. The first byte is counted from the start of the
    commands to its arrival on stdout; None if there was none. Scratch: see `scratch.ScratchWatch`.
    """

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    output_bytes: int
    first_byte_s: float | None = None
    scratch_bytes: int = 0


def run(
    *pipeline: Sequence[str | Path],
    environment: Mapping[str, str],
    stdin: Path | None = None,
    on_output: Callable[[memoryview], object] | None = None,
    scratch: Path | None = None,
    feeders: int = 0,
) -> Usage:
    """Run commands, each piped into the next, in an environment of their own; the stdout of the last is read and counted.

    Args:
        pipeline: path of the program and its arguments, for each command.
        environment: all of it.
        stdin: file that the first reads; None is an empty input.
        on_output: given each piece of stdout; the last command waits for it.
        scratch: folder to be watched for scratch files.
        feeders: how many of the first commands only make the input: they are not counted.

    Raises:
        CommandFailed: one did not end with 0. Whatever is raised, nothing of them runs any more.
    """
    with (
        tempfile.TemporaryFile() as errors,
        tempfile.TemporaryFile() as report,
        Path(stdin or os.devnull).open("rb") as source,
    ):
        commands = json.dumps([[str(part) for part in command] for command in pipeline])
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), str(report.fileno()), commands],
            bufsize=0,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environment),
            pass_fds=(report.fileno(),),
            start_new_session=True,  # a process group of its own, so that all children end with it
        )
        with _ended(process), _watched(scratch, process.pid) as watch:
            assert process.stdout is not None
            output_bytes, first_byte_at = _drain(process.stdout, on_output)
            process.wait()
        took = json.loads(_content(report) or '{"commands": []}')
        _check(pipeline, process.returncode, took["commands"], errors)
    counted = took["commands"][feeders:]
    return Usage(
        wall_s=took["end"] - took["begin"],
        cpu_s=sum(one["cpu_s"] for one in counted),
        peak_rss_bytes=sum(one["peak_rss_bytes"] for one in counted),
        output_bytes=output_bytes,
        first_byte_s=first_byte_at and first_byte_at - took["begin"],
        scratch_bytes=watch.peak_bytes if watch else 0,
    )


def _check(pipeline: Pipeline, code: int, took: Sequence[Mapping[str, int]], errors: IO[bytes]) -> None:
    codes = [one["code"] for one in took] or [code]
    if code or any(codes):
        # The last that failed: what stands before it in the pipeline may have died of that.
        which = max(position for position, its in enumerate(codes) if its or code)
        raise CommandFailed(f"{pipeline[which][0]} failed\n{_content(errors)[-_ERROR_CHARACTERS:]}")


@contextlib.contextmanager
def _watched(scratch: Path | None, pid: int) -> Iterator[ScratchWatch | None]:
    if scratch is None:
        yield None
        return
    with ScratchWatch(scratch, pid) as watch:
        yield watch


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


def _drain(stdout: IO[bytes], on_output: Callable[[memoryview], object] | None) -> tuple[int, float | None]:
    """Read it to the end; return its size, and when its first byte came."""
    buffer = memoryview(bytearray(MIB))
    total, first_byte_at = 0, None
    while size := os.readv(stdout.fileno(), [buffer]):
        if first_byte_at is None:
            first_byte_at = time.monotonic()
        total += size
        if on_output is not None:
            on_output(buffer[:size])
    return total, first_byte_at


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
