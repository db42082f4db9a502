"""Configuration: flags, then `S3DUCT_*`; and AWS's own files and variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.support.buckets import FolderBucket
from tests.support.command import run
from tests.support.data import KIB, random_bytes
from tests.support.streams import Stream

CONTENT = random_bytes(10 * KIB, "environment")


def test_everything_from_the_environment(
    folder_bucket: FolderBucket, unique_name: str, key_file: Path
) -> None:
    environment = {
        "S3DUCT_BUCKET": f"file://{folder_bucket.folder}",
        "S3DUCT_NAME": unique_name,
        "S3DUCT_PREFIX": "pre",
        "S3DUCT_KEY": f"file:{key_file}",
        "S3DUCT_CHUNK_SIZE": "4K",
        "S3DUCT_TAG": "env=prod",
        "S3DUCT_DESCRIPTION": "from the environment",
        "S3DUCT_QUIET": "true",
    }

    assert run("put", stdin=CONTENT, environment=environment).expect(0).stderr == ""

    stream = Stream(folder_bucket, unique_name, key_file, "pre")
    manifest = stream.manifest()
    assert (manifest["chunk_size"], manifest["chunk_count"], manifest["encrypted"]) == (4096, 3, True)
    assert (manifest["tags"], manifest["description"]) == ({"env": "prod"}, "from the environment")
    assert run("get", environment=environment).expect(0).stdout == CONTENT


def test_flags_win(folder_bucket: FolderBucket, unique_name: str) -> None:
    environment = {
        "S3DUCT_BUCKET": "file:///nowhere/at/all",
        "S3DUCT_NAME": "other",
        "S3DUCT_CHUNK_SIZE": "1M",
        "S3DUCT_QUIET": "true",
    }
    stream = Stream(folder_bucket, unique_name)

    outcome = run(
        "put", *stream.flags, "--chunk-size", "4K", "--quiet=false", stdin=CONTENT, environment=environment
    ).expect(0)

    assert stream.manifest()["chunk_size"] == 4096
    assert "stored" in outcome.stderr


def test_no_encrypt_wins_over_a_key_in_the_environment(
    folder_bucket: FolderBucket, unique_name: str, key_file: Path
) -> None:
    stream = Stream(folder_bucket, unique_name)

    run(
        "put", *stream.flags, "--no-encrypt", stdin=CONTENT, environment={"S3DUCT_KEY": f"file:{key_file}"}
    ).expect(0)

    assert stream.manifest()["encrypted"] is False


@pytest.mark.parametrize("value", ["", " ", ","])
@pytest.mark.parametrize("variable", ["KEY", "AGE_RECIPIENT", "AGE_RECIPIENTS_FILE", "AGE_IDENTITY"])
def test_an_empty_key_in_the_environment_is_not_taken_for_none(
    folder_bucket: FolderBucket, unique_name: str, variable: str, value: str
) -> None:
    """`S3DUCT_AGE_RECIPIENT=$MISSPELT` must not store the stream unencrypted."""
    flags = [*folder_bucket.flags, "--name", unique_name]
    environment = {f"S3DUCT_{variable}": value}

    outcome = run("put", *flags, stdin=CONTENT, environment=environment).expect(2)

    assert len(outcome.lines) == 2, "the error, and what to do"
    assert folder_bucket.keys("") == []


def test_a_wrong_value_in_the_environment_is_told(folder_bucket: FolderBucket, unique_name: str) -> None:
    outcome = run(
        *("put", *Stream(folder_bucket, unique_name).flags), stdin=b"x", environment={"S3DUCT_SUMMARY": "xml"}
    ).expect(2)

    assert outcome.lines[0].startswith("s3duct: error: ")
    assert "xml" in outcome.lines[0]


def test_state_and_scratch_folders(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("S3DUCT_STATE_DIR")
    environment = {"S3DUCT_SCRATCH_DIR": str(tmp_path / "scratch")}
    stream = Stream(folder_bucket, unique_name)

    run(
        *("put", *stream.flags, "--chunk-size", "128M", "--memory-limit", "64M"),
        stdin=CONTENT,
        environment=environment,
    ).expect(0)

    assert (tmp_path / "scratch").is_dir()
    state = Path(os.environ["HOME"]) / ".local" / "state" / "s3duct"
    assert state.is_dir()
    assert state.stat().st_mode & 0o077 == 0
    assert list(state.glob("*")) == []


def test_the_aws_configuration_names_endpoint_and_credentials(seaweedfs: S3Server, unique_name: str) -> None:
    folder = Path(os.environ["HOME"]) / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(
        f"[backup]\naws_access_key_id = {seaweedfs.access_key}\naws_secret_access_key = {seaweedfs.secret_key}\n"
    )
    (folder / "config").write_text(
        f"[profile backup]\nregion = {seaweedfs.region}\nendpoint_url = {seaweedfs.endpoint_url}\n"
    )
    flags = ("--bucket", f"s3://{seaweedfs.bucket}", "--name", unique_name)

    run("put", *flags, "--profile", "backup", stdin=CONTENT).expect(0)

    assert run("get", *flags, environment={"AWS_PROFILE": "backup"}).expect(0).stdout == CONTENT


def test_an_unknown_profile_is_told(seaweedfs: S3Server) -> None:
    outcome = run(
        *("list", "--bucket", "b", "--endpoint-url", seaweedfs.endpoint_url, "--profile", "nobody"),
        timeout_s=60,
    ).expect(11)

    assert "nobody" in outcome.lines[0]
