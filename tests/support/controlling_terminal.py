"""Runs the command under a controlling terminal of its own, and answers what it asks there."""

from __future__ import annotations

import os
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.command import COMMAND, LONGEST_RUN_S


@dataclass(frozen=True, slots=True)
class Dialogue:
    """How a run ended, and everything that the terminal showed."""

    code: int
    stdout: bytes
    stderr: str
    shown: str


def converse(*arguments: str | Path, answers: list[str], stdin: Path = Path(os.devnull)) -> Dialogue:
    """Run the command with `stdin` from a file; type one answer at each prompt, which ends in a colon and a space."""
    leader, follower = os.openpty()
    # setsid makes its stdin the controlling terminal; the command gets the file in its place.
    words = ["setsid", "--ctty", "--wait", "sh", "-c", 'exec "$@" <"$0"', stdin, COMMAND, *arguments]
    with subprocess.Popen(words, stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        shown = bytearray()
        try:
            for answer in answers:
                asked = len(shown)
                while b": " not in shown[asked:] and running.poll() is None:
                    shown += _read(leader, wait_s=0.1)
                os.write(leader, answer.encode() + b"\n")  # its echo is off since before it asked
            stdout, stderr = running.communicate(timeout=LONGEST_RUN_S)
            shown += _read(leader, wait_s=0)
        finally:
            running.kill()
            # Open until now: the command opens its terminal only to ask, and without it there is nothing to read.
            os.close(follower)
            os.close(leader)
    return Dialogue(running.returncode, stdout, stderr.decode(), shown.decode())


def _read(leader: int, *, wait_s: float) -> bytes:
    ready, _, _ = select.select([leader], [], [], wait_s)
    return os.read(leader, 1 << 16) if ready else b""
