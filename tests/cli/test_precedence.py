"""Flags win over the environment where keys are concerned, and what goes out unencrypted is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.age_keys import key_pair
from tests.support.command import Outcome, run

KEY = "ab" * 32


def put(tmp_path: Path, *flags: str, code: int = 0, **environment: str) -> Outcome:
    return run(
        *(
            "put",
            "--bucket",
            f"file://{tmp_path}/bucket",
            "--name",
            "s",
            "--clobber",
            "--summary",
            "json",
            *flags,
        ),
        stdin=b"content",
        environment=environment,
    ).expect(code)


def summary_of(outcome: Outcome) -> dict[str, object]:
    summary = json.loads(outcome.stderr.splitlines()[-1])
    assert isinstance(summary, dict)
    return summary


def test_a_key_flag_beats_no_encrypt_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    recipient = key_pair("x25519").recipient
    for flag, method in (
        (f"--key=file:{tmp_path}/key", "aes-256-gcm"),
        (f"--age-recipient={recipient}", "age"),
    ):
        outcome = put(tmp_path, flag, S3DUCT_NO_ENCRYPT="1")
        assert summary_of(outcome)["encryption_method"] == method


def test_no_encrypt_as_a_flag_sets_every_key_aside(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    outcome = put(tmp_path, "--no-encrypt", f"--key=file:{tmp_path}/key", S3DUCT_AGE_RECIPIENT="nonsense")
    assert summary_of(outcome)["encrypted"] is False
    assert summary_of(outcome)["warnings"] == []


def test_a_flag_of_one_kind_sets_the_other_kind_of_the_environment_aside(tmp_path: Path) -> None:
    pair = key_pair("x25519")
    outcome = put(tmp_path, "--age-recipient", pair.recipient, S3DUCT_KEY=f"hex:{KEY}")
    assert summary_of(outcome)["encryption_method"] == "age"
    outcome = put(tmp_path, "--key", "env:THE_KEY", S3DUCT_AGE_RECIPIENT=pair.recipient, THE_KEY=KEY)
    assert summary_of(outcome)["encryption_method"] == "aes-256-gcm"
    (tmp_path / "id").write_bytes(pair.file)
    put(tmp_path, "--key", "env:THE_KEY", "--age-identity", str(tmp_path / "id"), code=2, THE_KEY=KEY)


@pytest.mark.parametrize("flags", [(), ("--quiet",)])
def test_a_stream_without_a_key_is_never_stored_without_a_word(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    outcome = put(tmp_path, *flags)
    assert "stored unencrypted" in outcome.stderr
    warnings = summary_of(outcome)["warnings"]
    assert isinstance(warnings, list)
    assert "stored unencrypted" in warnings[0]


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True), (0o700, False)])
def test_a_key_file_that_others_can_read_is_warned_about(tmp_path: Path, mode: int, warned: bool) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(mode)
    outcome = put(tmp_path, f"--key=file:{key}")
    assert ("can be read by other users" in outcome.stderr) is warned
    assert summary_of(outcome)["encrypted"] is True
