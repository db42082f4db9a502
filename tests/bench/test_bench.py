"""The benchmark runs. What it measures is not looked at: it would depend on the machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.bench.__main__ import main
from tests.support.command import until
from tests.support.released import ROOT

OURS = ["ours-plain", "ours-aes", "ours-age", "ours-age-pq"]


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


def first_cells(table: str) -> list[str]:
    return [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ours")]


def test_a_small_run_has_a_row_for_everyone(tmp_path: Path) -> None:
    figures, folder = tmp_path / "figures.json", tmp_path / "folder"
    folder.mkdir()
    small = ("--size", "3M", "--chunk-size", "1M", "--rounds", "1", "--only", "ours-*", "--no-warm-up")

    outcome = bench(*small, "--json", str(figures), "--folder", str(folder))

    assert outcome.returncode == 0, outcome.stderr
    put, get = outcome.stdout.partition("## put")[2].split("## get")
    assert first_cells(put) == first_cells(get) == OURS
    runs = json.loads(figures.read_text())["runs"]
    assert [(run["contestant"], run["direction"]) for run in runs] == [
        (label, direction) for label in OURS for direction in ("put", "get")
    ]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--size", "lots"), "not a size: 'lots'"),
        (("--size", "0"), "there must be something to put"),
        (("--rounds", "0"), "at least 1"),
        (("--only", "theirs"), "--only matches none of: ours-plain, ours-aes"),
    ],
)
def test_wrong_usage_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--folder", str(folder)])
    assert ended.value.code
    assert told in f"{ended.value.code}{capsys.readouterr().err}"
    assert list(folder.iterdir()) == []


def test_nothing_is_left_after_sigterm(tmp_path: Path) -> None:
    with start(
        "--size", "64M", "--rounds", "99", "--only", "ours-plain", "--folder", str(tmp_path)
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
