"""Ctrl-C while the program is still being loaded."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# Sends the signal when the parser is about to be imported, as an impatient user does.
_IMPATIENT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "cyclopts":
            os.kill(os.getpid(), signal.{signal})

sys.meta_path.insert(0, Finder())
sys.argv = ["s3duct", "--version"]
{before}
from s3duct.app.cli import main
main()
"""


def run(signal_name: str, before: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the command under that signal."""
    program = _IMPATIENT.format(signal=signal_name, before=before)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_it_ends_without_a_word(name: str) -> None:
    ended = run(name)
    assert ended.returncode == -signal.Signals[name]
    assert (ended.stdout, ended.stderr) == (b"", b"")


def test_an_ignored_signal_stays_ignored() -> None:
    ended = run("SIGINT", "signal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert ended.returncode == 0
    assert ended.stdout
