"""The command `s3duct` in real processes that can be made to die anywhere (`crash_points.py`), and that start quickly.

Run as a program it has imported everything, and forks a process for each command that it is told on stdin. Such a process
calls the `main` of the command, with descriptors, arguments and environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

_ROOT = Path(__file__).parents[2]
_FILES = ("stdin", "stdout", "stderr")


@dataclass(frozen=True, slots=True)
class Forked:
    """How a process ended (`code` is minus the signal's number), and the crash points that it reached, in order."""

    code: int
    stdout: bytes
    stderr: str
    points: list[str]

    def expect(self, code: int) -> Self:
        """Return self, if that is the exit code."""
        assert self.code == code, f"exit code {self.code} instead of {code}; stderr:\n{self.stderr}"
        return self

    @property
    def chunks_sent(self) -> set[int]:
        """Indices of the chunks whose upload was begun."""
        return self._chunks("before put")

    @property
    def chunks_fetched(self) -> set[int]:
        """Indices of the chunks that were asked for."""
        return self._chunks("before get")

    def _chunks(self, beginning: str) -> set[int]:
        return {
            int(point[-6:]) for point in self.points if point.startswith(beginning) and "/chunk-" in point
        }


class ForkedCommand:
    """Context manager: the program that forks."""

    def __init__(self, folder: Path) -> None:
        """Remember an existing folder for what the processes read and write."""
        self._folder = folder

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def run(
        self,
        *arguments: str | Path,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        die_at: int = 0,
    ) -> Forked:
        """Run one command to its end, or until it has reached that many crash points."""
        files = {name: self._folder / name for name in (*_FILES, "points")}
        files["stdin"].write_bytes(stdin)
        job = {
            "arguments": [str(argument) for argument in arguments],
            "environment": {**os.environ, **(environment or {})},
            "die_at": die_at,
            **{name: str(path) for name, path in files.items()},
        }
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        to.write(json.dumps(job) + "\n")
        to.flush()
        return Forked(
            code=int(back.readline()),
            stdout=files["stdout"].read_bytes(),
            stderr=files["stderr"].read_text(errors="replace"),
            points=files["points"].read_text().splitlines(),
        )


def serve(jobs: IO[str], answers: IO[str]) -> None:
    """Fork a process for each line of `jobs`; answer how it ended."""
    for line in jobs:
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        answers.flush()


def _become(job: Mapping[str, Any]) -> None:
    """Be the command; does not return."""
    from s3duct.app.cli import main
    from tests.support.crash_points import CrashPoints

    descriptor = os.open(job["stdin"], os.O_RDONLY)
    os.dup2(descriptor, 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv = ["s3duct", *job["arguments"]]
    log = os.open(job["points"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    CrashPoints(log, job["die_at"]).install()
    main()


def _import_all(names: Sequence[str]) -> None:
    """Import what a command imports when it needs it."""
    import importlib

    for name in names:
        importlib.import_module(name)


if __name__ == "__main__":
    _import_all(
        [
            "s3duct.app.cli.command_line",
            "s3duct.app.cli.commands.get",
            "s3duct.app.cli.commands.put",
            "s3duct.app.cli.progress",
            "s3duct.app.cli.run_settings",
            "s3duct.app.cli.summaries",
            "tests.support.crash_points",
            "botocore.session",
            "botocore.credentials",
            "cryptography.hazmat.primitives.ciphers.aead",
            "obstore.store",
            "rich.progress",
        ]
    )
    # Descriptors 0 and 1 are the processes' own.
    with os.fdopen(os.dup(0)) as told, os.fdopen(os.dup(1), "w") as telling:
        serve(told, telling)
