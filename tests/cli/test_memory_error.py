"""What Python raises when it has no memory is told as what it is, not as a bug."""

from __future__ import annotations

import pytest

from s3duct.app.cli.running import guarded
from s3duct.domain.errors import ExitCode


def test_no_memory_is_told_in_one_line_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    def exhausted() -> int:
        raise MemoryError

    assert guarded(exhausted) == ExitCode.LOCAL_RESOURCE
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "s3duct: error: no memory is left"
    assert "--memory-limit" in hint


def test_no_memory_for_a_thread_is_told_in_one_line_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    def exhausted() -> int:
        raise RuntimeError("can't start new thread")

    assert guarded(exhausted) == ExitCode.LOCAL_RESOURCE
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("s3duct: error: no thread can be started")
    assert "--memory-limit" in hint


def test_another_runtime_error_is_told_as_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> int:
        raise RuntimeError("something else")

    assert guarded(broken) == ExitCode.INTERNAL
    assert "internal error" in capsys.readouterr().err
