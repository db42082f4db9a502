"""The same targets under a fuzzer that is led by coverage (atheris, which is libFuzzer for Python)."""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.planted import PLANTED
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
# `make fuzz` runs for longer.
RUNS = int(os.environ.get("FUZZ_RUNS") or 3_000)
SECONDS = int(os.environ.get("FUZZ_SECONDS") or 2)
_LIMITS = ["-malloc_limit_mb=512", "-timeout=20"]  # for one input
_RSS_MB = 1024
_SLACK_S = 120

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("atheris") is None,
        reason="atheris is not installed: its wheels are for CPython on Linux, x86-64",
    ),
    pytest.mark.timeout(SECONDS + 2 * _SLACK_S),
]


def _inherited_mb() -> int:
    """Linux hands the peak of the parent on to a child: what tests before this one needed is no fault of a parser."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def fuzz(name: str, folder: Path, *, runs: int, seconds: int) -> str:
    """Fuzz one target in a process of its own; return what to say of the input that broke it, or nothing."""
    corpus, found = folder / "corpus", folder / "found"
    corpus.mkdir()
    found.mkdir()
    limits = [
        f"-runs={runs}",
        f"-max_total_time={seconds}",
        f"-artifact_prefix={found}/",
        "-seed=1",
        f"-rss_limit_mb={_inherited_mb() + _RSS_MB}",
        *_LIMITS,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.child", name, corpus, *limits],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=seconds + _SLACK_S,
    )
    said = done.stdout.decode("utf-8", "replace")
    inputs = [f"{path.name}: {path.read_bytes().hex()}" for path in sorted(found.iterdir())]
    if done.returncode == 0 and not inputs:
        assert "INFO: Instrumenting s3duct." in said
        return ""
    # libFuzzer tells of its progress, a line for each new path, before it shows what broke.
    lines = [line for line in said.splitlines() if not line.startswith(("#", "INFO:"))]
    return "\n".join([f"exit code {done.returncode}", *inputs, *lines[-60:]])


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found(name: str, tmp_path: Path) -> None:
    broken = fuzz(name, tmp_path, runs=RUNS, seconds=SECONDS)
    assert not broken, broken


def test_what_takes_a_guide_to_find_is_found_and_shown(tmp_path: Path) -> None:
    """Or the guide does not work, and the tests above say little."""
    broken = fuzz(PLANTED.name, tmp_path, runs=2_000_000, seconds=60)
    assert b"crash".hex() in broken
    assert "IndexError: planted" in broken
