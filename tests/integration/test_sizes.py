"""Sizes and names around every edge, over the Python API: the same use cases and servers, without a process for each."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from s3duct.app.api import PutOptions, S3duct
from tests.support.api import connect
from tests.support.buckets import Bucket, ServerBucket
from tests.support.data import KIB, MIB, random_bytes

CHUNK = 64 * KIB
PART = 8 * MIB  # chunks that are larger go up as multipart uploads, in parts of this size
SEAL = 28  # bytes that AES-GCM adds to a chunk

SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 20 * CHUNK + 17)


def store_and_restore(s3duct: S3duct, name: str, content: bytes, *, chunk_size: int) -> bytes:
    options = PutOptions(chunk_size_bytes=chunk_size, allow_empty=True)
    s3duct.put(name, io.BytesIO(content), options)
    back = io.BytesIO()
    s3duct.get(name, back)
    return back.getvalue()


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
def test_every_size_comes_back(
    bucket: Bucket, unique_name: str, key_file: Path, monkeypatch: pytest.MonkeyPatch, sealed: bool
) -> None:
    s3duct = connect(bucket, monkeypatch, key_file=key_file if sealed else None)

    for size in SIZES:
        content = random_bytes(size, "sizes")
        assert store_and_restore(s3duct, f"{unique_name}/{size}", content, chunk_size=CHUNK) == content
        chunks = [key for key in bucket.keys(f"{unique_name}/{size}/") if "/chunk-" in key]
        assert len(chunks) == -(-size // CHUNK)


def test_many_chunks_come_back_in_order(
    bucket: Bucket, unique_name: str, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = random_bytes(400 * KIB + 7, "many chunks")
    s3duct = connect(bucket, monkeypatch, key_file=key_file)

    assert store_and_restore(s3duct, unique_name, content, chunk_size=KIB) == content

    summary = s3duct.verify(unique_name, deep=True)
    assert summary.ok
    assert summary.plain_checked
    assert len([key for key in bucket.keys(f"{unique_name}/") if "/chunk-" in key]) == 401


@pytest.mark.parametrize(
    ("size", "sealed"),
    [
        (PART, False),
        (PART + 1, False),
        (2 * PART, False),
        (PART - SEAL, True),
        (PART - SEAL + 1, True),
        (2 * PART - SEAL, True),
    ],
)
def test_chunks_around_the_size_of_a_part_come_back(
    s3_bucket: ServerBucket,
    unique_name: str,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    sealed: bool,
) -> None:
    content = random_bytes(size, "parts")
    s3duct = connect(s3_bucket, monkeypatch, key_file=key_file if sealed else None)

    assert store_and_restore(s3duct, unique_name, content, chunk_size=32 * MIB) == content
    assert s3duct.verify(unique_name).ok
    assert s3_bucket.unfinished_uploads(unique_name) == []


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("", "a"),
        ("host/db///", "a/b/c"),
        ("größer", "with space"),
        ("", "100%+&=?#"),
        ("A b", "UPPER.lower-_~!*'()@:,;"),
        ("p", "chunk-000000"),
    ],
)
def test_names_and_prefixes_of_all_kinds(
    bucket: Bucket, unique_name: str, monkeypatch: pytest.MonkeyPatch, prefix: str, name: str
) -> None:
    content = random_bytes(3 * KIB, "names")
    s3duct = connect(bucket, monkeypatch, prefix=prefix)
    name = f"{unique_name}/{name}"
    folder = f"{prefix.rstrip('/')}/{name}/".lstrip("/")

    assert store_and_restore(s3duct, name, content, chunk_size=KIB) == content

    # Where conditions are ignored (`rclone serve s3`), every run has a folder of its own.
    keys = [re.sub(r"gen-[0-9a-f]{8}/", "", key) for key in bucket.keys(folder)]
    assert keys == [
        f"{folder}.manifest.json",
        *(f"{folder}chunk-{index:06d}" for index in range(3)),
    ]
    assert [listed.name for listed in s3duct.list() if unique_name in listed.name] == [name]
