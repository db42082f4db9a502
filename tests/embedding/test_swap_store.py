"""The example is short, runs, and does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "swap_store.py"


def test_the_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "put 256000 bytes in 3 chunks: numbers/chunk-000000 numbers/chunk-000001 numbers/chunk-000002 "
        "numbers/.manifest.json",
        "listed: numbers",
        "restored, and the same: True",
        "damaged chunks found: 1",
    ]


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 60
