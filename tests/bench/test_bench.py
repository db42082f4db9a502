"""The benchmark runs. What it measures is not looked at: it would depend on the machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from s3duct.domain.sizes import KIB, MIB
from tests.bench import startup
from tests.bench.__main__ import main
from tests.support.command import until
from tests.support.released import ROOT


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    with start(*arguments) as running:
        said, errors = running.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, running.returncode, said, errors)


def test_a_small_run_of_all_parts_is_reported(tmp_path: Path) -> None:
    output, folder = tmp_path / "output", tmp_path / "folder"
    folder.mkdir()
    small = ("--size", "3M", "--chunk-size", "1M", "--rounds", "1", "--chunks", "3", "--grow-to", "16M")
    few = ("--streams", "10", "--starts", "1", "--server", "rclone", "-c", "ours-aes")
    here = ("--no-warm-up", "--no-install", "--output", str(output), "--folder", str(folder))

    outcome = bench(*small, *few, *here)

    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.rstrip("\n") == (output / "bench.md").read_text().rstrip("\n")
    assert "<svg" in (output / "bench.svg").read_text()
    raw = json.loads((output / "bench.json").read_text())
    assert [(run["contestant"], run["direction"]) for run in raw["runs"]] == [
        ("ours-aes", direction) for direction in ("put", "get")
    ]
    assert [one["direction"] for one in raw["in_memory"]] == ["put", "get"]
    assert [(one["direction"], one["chunks"], one["size_bytes"]) for one in raw["grown"]] == [
        *((way, 3, 12 * KIB) for way in ("put", "get")),
        *((way, 1, 16 * MIB) for way in ("put", "get")),
    ]
    assert [one["streams"] for one in raw["listed"]] == [1, 10]
    assert {startup.HELP, startup.FIRST_BYTE} <= {one["what"] for one in raw["started"]}
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--size", "lots"), "not a size: 'lots'"),
        (("--size", "0"), "there must be something to put"),
        (("--rounds", "0"), "at least 1"),
        (("--only", "put,theirs"), "no part 'theirs'; there are put, get"),
        (("--server", "theirs"), "invalid choice: 'theirs'"),
        (("--contestant", "theirs"), "--contestant matches none of: ours-aes, ours-aes-512M"),
    ],
)
def test_wrong_usage_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--no-install", "--folder", str(folder)])
    assert ended.value.code
    assert told in f"{ended.value.code}{capsys.readouterr().err}"
    assert list(folder.iterdir()) == []


def test_nothing_is_left_after_sigterm(tmp_path: Path) -> None:
    with start(
        *("--only", "put", "--size", "64M", "--rounds", "99", "--server", "rclone", "-c", "ours-plain"),
        *("--no-install", "--folder", str(tmp_path)),
    ) as running:
        until(lambda: bool(list(tmp_path.glob("*/s3duct-rclone-*"))), "the server's folder is there")
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]
    assert processes_under(tmp_path) == []


def processes_under(folder: Path) -> list[str]:
    return [
        shown
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in (shown := " ".join(process.info["cmdline"] or ()))
    ]
