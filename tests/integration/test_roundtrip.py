"""What the command stored comes back, byte by byte, from every kind of bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.api import connect
from tests.support.buckets import Bucket, FolderBucket
from tests.support.command import producer
from tests.support.data import KIB, random_bytes
from tests.support.fixtures import Tree
from tests.support.streams import Stream


@pytest.mark.parametrize(
    ("sealing", "chunk_size"),
    [("plain", "1M"), ("plain", "64M"), ("aes", "1M"), ("aes", "64M"), ("aes-sealed-manifest", "1M")],
)
def test_the_standard_library_comes_back_and_verifies(
    bucket: Bucket,
    unique_name: str,
    key_file: Path,
    stdlib: Tree,
    monkeypatch: pytest.MonkeyPatch,
    sealing: str,
    chunk_size: str,
) -> None:
    stream = Stream(bucket, unique_name, None if sealing == "plain" else key_file)
    flags = ["--encrypt-manifest"] if sealing == "aes-sealed-manifest" else []
    with producer(*stdlib.command) as tar:
        stream.put(tar, "--chunk-size", chunk_size, *flags)

    restored = stream.get()

    assert (restored.stdout_bytes, restored.stdout_sha256) == (stdlib.size_bytes, stdlib.sha256)
    s3duct = connect(bucket, monkeypatch, key_file=stream.key_file)
    assert s3duct.verify(unique_name).ok
    deep = s3duct.verify(unique_name, deep=True)
    assert (deep.ok, deep.plain_checked) == (True, True)
    assert (b'"chunks"' in bucket.read(stream.manifest_key)) == (sealing != "aes-sealed-manifest")
    for key in bucket.keys(stream.folder):
        bucket.delete(key)


@pytest.mark.parametrize("sealing", ["plain", "aes"])
def test_an_empty_input_is_refused_unless_it_is_meant(
    bucket: Bucket, unique_name: str, key_file: Path, sealing: str
) -> None:
    stream = Stream(bucket, unique_name, key_file if sealing == "aes" else None)

    stream.put(b"", code=8)
    assert stream.bucket.keys(stream.folder) == []

    stream.put(b"", "--allow-empty")
    stream.restores(b"")
    assert stream.bucket.keys(stream.folder) == [stream.manifest_key]


def test_a_file_on_stdin_is_read_as_a_file(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path
) -> None:
    content = random_bytes(100 * KIB, "file")
    path = tmp_path / "input"
    path.write_bytes(content)
    stream = Stream(folder_bucket, unique_name)

    with path.open("rb") as file:
        outcome = stream.put(file, "--chunk-size", "16K")

    assert "changed during the put" not in outcome.stderr
    stream.restores(content)


def test_a_file_is_read_from_where_it_stands(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path
) -> None:
    path = tmp_path / "input"
    path.write_bytes(random_bytes(64 * KIB, "file"))
    stream = Stream(folder_bucket, unique_name)

    with path.open("rb") as file:
        file.seek(1000)
        outcome = stream.put(file, "--chunk-size", "16K")

    assert "changed during the put" not in outcome.stderr
    assert stream.get().stdout == path.read_bytes()[1000:]


def test_raw_chunks_are_what_lies_in_the_bucket(bucket: Bucket, unique_name: str, key_file: Path) -> None:
    stream = Stream(bucket, unique_name, key_file)
    stream.put(random_bytes(5 * KIB, "raw"), "--chunk-size", "1K")

    raw = Stream(bucket, unique_name).get("--no-decrypt").stdout

    assert raw == b"".join(bucket.read(key) for key in stream.chunk_keys())
