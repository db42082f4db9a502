"""Storage classes, on the one server here that keeps them: chunks have the class, the manifest never."""

from __future__ import annotations

import io
from contextlib import closing

import pytest

from s3duct.app.api import PutOptions
from s3duct.domain.storage_class import parse_storage_class
from tests.servers import S3Server
from tests.support.api import connect
from tests.support.buckets import FolderBucket, ServerBucket
from tests.support.data import KIB, random_bytes
from tests.support.streams import Stream

CLASSES = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
]


def has_the_class(bucket: ServerBucket, stream: Stream, storage_class: str) -> None:
    assert [bucket.storage_class(key) for key in stream.chunk_keys()] == [storage_class] * 3
    assert bucket.storage_class(stream.manifest_key) == "STANDARD"
    assert stream.manifest()["storage_class"] == storage_class


@pytest.mark.parametrize("storage_class", CLASSES)
def test_chunks_have_the_class_and_the_manifest_has_not(
    moto_s3: S3Server, unique_name: str, monkeypatch: pytest.MonkeyPatch, storage_class: str
) -> None:
    with closing(ServerBucket(moto_s3)) as bucket:
        content = io.BytesIO(random_bytes(3 * KIB, "class"))
        options = PutOptions(chunk_size_bytes=KIB, storage_class=parse_storage_class(storage_class).value)
        connect(bucket, monkeypatch).put(unique_name, content, options)

        has_the_class(bucket, Stream(bucket, unique_name), storage_class)


def test_the_flag_sets_the_class(moto_s3: S3Server, unique_name: str) -> None:
    with closing(ServerBucket(moto_s3)) as bucket:
        stream = Stream(bucket, unique_name)
        stream.put(random_bytes(3 * KIB, "class"), "--chunk-size", "1K", "--storage-class", "glacier_ir")

        has_the_class(bucket, stream, "GLACIER_IR")


def test_a_multipart_chunk_has_the_class(moto_s3: S3Server, unique_name: str) -> None:
    with closing(ServerBucket(moto_s3)) as bucket:
        stream = Stream(bucket, unique_name)
        stream.put(random_bytes(9 << 20, "class"), "--chunk-size", "16M", "--storage-class", "STANDARD_IA")

        assert [bucket.storage_class(key) for key in stream.chunk_keys()] == ["STANDARD_IA"]


def test_without_a_class_chunks_are_standard(moto_s3: S3Server, unique_name: str) -> None:
    with closing(ServerBucket(moto_s3)) as bucket:
        stream = Stream(bucket, unique_name)
        stream.put(random_bytes(KIB, "class"), "--chunk-size", "1K")

        assert [bucket.storage_class(key) for key in stream.chunk_keys()] == ["STANDARD"]
        assert stream.manifest()["storage_class"] == "STANDARD"


def test_an_unknown_class_is_wrong_usage(folder_bucket: FolderBucket, unique_name: str) -> None:
    stream = Stream(folder_bucket, unique_name)

    outcome = stream.put(b"x", "--storage-class", "ICEBERG", code=2)

    assert "ICEBERG" in outcome.stderr
    assert all(name in outcome.stderr for name in CLASSES)
    assert stream.chunk_keys() == []


def test_a_folder_has_no_classes_but_the_standard_one(folder_bucket: FolderBucket, unique_name: str) -> None:
    stream = Stream(folder_bucket, unique_name)

    stream.put(b"x", "--storage-class", "GLACIER", code=2)
    stream.put(b"x", "--storage-class", "STANDARD")

    stream.restores(b"x")
