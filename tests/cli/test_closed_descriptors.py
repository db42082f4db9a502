"""Standard descriptors that are closed when the command begins, as some supervisors leave them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.buckets import FolderBucket
from tests.support.command import COMMAND
from tests.support.data import KIB, random_bytes
from tests.support.streams import Stream

CONTENT = random_bytes(100 * KIB, "closed")


@pytest.fixture
def stream(folder_bucket: FolderBucket, unique_name: str) -> Stream:
    return Stream(folder_bucket, unique_name)


def code_of(redirections: str, *arguments: str | Path) -> int:
    script = f'"$@" {redirections}'
    return subprocess.run(["sh", "-c", script, "sh", COMMAND, *arguments], check=False, timeout=60).returncode


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-"], ids=["stderr", "stdout and stderr"])
def test_a_closed_stderr_is_no_reason_to_lose_a_backup(stream: Stream, tmp_path: Path, closed: str) -> None:
    (tmp_path / "data").write_bytes(CONTENT)
    redirections = f"<'{tmp_path}/data' {closed}"
    assert code_of(redirections, "put", *stream.flags, "--chunk-size", "32K", "--no-encrypt") == 0
    assert code_of(closed, "get", *stream.flags, "--output", tmp_path / "restored") == 0
    assert (tmp_path / "restored").read_bytes() == CONTENT


def test_a_closed_stderr_is_no_reason_not_to_restore_to_stdout(stream: Stream, tmp_path: Path) -> None:
    stream.put(CONTENT, "--no-encrypt")
    assert code_of(f">'{tmp_path}/restored' 2>&-", "get", *stream.flags) == 0
    assert (tmp_path / "restored").read_bytes() == CONTENT


def test_a_command_that_is_run_has_all_three_descriptors(stream: Stream, tmp_path: Path) -> None:
    """Its first file would become its stderr otherwise, and what it complains about would go there."""
    closed = "<&- >&- 2>&-"
    producer = ["sh", "-c", look_at(0, tmp_path / "producer") + "echo data"]
    assert code_of(closed, "put", *stream.flags, "--no-encrypt", "--", *producer) == 0
    consumer = ["sh", "-c", look_at(1, tmp_path / "consumer") + "cat >/dev/null"]
    assert code_of(closed, "get", *stream.flags, "--", *consumer) == 0
    for name in ("producer", "consumer"):
        assert (tmp_path / name).read_text() == "/dev/null /dev/null\n"


def look_at(descriptor: int, path: Path) -> str:
    """Shell commands that write to `path` what this descriptor and stderr are."""
    return f"a=$(readlink /proc/$$/fd/{descriptor}); b=$(readlink /proc/$$/fd/2); echo $a $b >'{path}'; "
