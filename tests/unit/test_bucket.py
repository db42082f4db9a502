from __future__ import annotations

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from s3duct.domain.bucket import LocalFolder, S3Bucket, parse_bucket
from s3duct.domain.errors import UsageError
from tests.unit.saying import assert_well_said


@pytest.mark.parametrize(
    ("text", "bucket"),
    [
        ("backups", S3Bucket("backups")),
        ("s3://backups", S3Bucket("backups")),
        ("s3://backups/", S3Bucket("backups")),
        ("My_Bucket.2", S3Bucket("My_Bucket.2")),
        ("b", S3Bucket("b")),
        ("file:///srv/backup", LocalFolder("/srv/backup")),
        ("file://localhost/srv/backup", LocalFolder("/srv/backup")),
        ("file:///srv/with%20space", LocalFolder("/srv/with space")),
        ("file:///srv/with space", LocalFolder("/srv/with space")),
        ("file:///srv/100%", LocalFolder("/srv/100%")),
        ("file:///srv/%C3%84", LocalFolder("/srv/Ä")),
        ("file:///srv/Ä", LocalFolder("/srv/Ä")),
    ],
)
def test_a_bucket_is_a_name_or_a_url(text: str, bucket: S3Bucket | LocalFolder) -> None:
    assert parse_bucket(text) == bucket


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "s3://", "s3:///", "a/b", "s3://a/b", "-a", ".a", "a b", "a\n", "ä", "x" * 256, "https://host/bucket",
        "gs://bucket", "s3:a", "file:", "file://", "file://srv", "file:srv", "file:/srv", "file:///srv/%00", "file:///\0",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_bucket(text)
    assert_well_said(caught.value)


def test_a_path_in_the_bucket_points_to_the_prefix() -> None:
    with pytest.raises(UsageError) as caught:
        parse_bucket("s3://bucket/backups")
    assert "--prefix" in caught.value.hint


@given(st.text().map("file:///".__add__) | st.text().map("s3://".__add__) | st.text())
@example("file:///srv/\udcff")
def test_any_text_is_a_bucket_or_refused(text: str) -> None:
    """Lone surrogates too: Python makes them of bytes on the command line that are not UTF-8."""
    try:
        bucket = parse_bucket(text)
    except UsageError as error:
        assert_well_said(error)
    else:
        if isinstance(bucket, LocalFolder):
            assert bucket.path.startswith("/")
            assert "\0" not in bucket.path


@given(st.binary(max_size=30).filter(lambda path: b"\0" not in path))
def test_the_path_of_a_file_url_is_found_again_byte_for_byte(path: bytes) -> None:
    bucket = parse_bucket("file:///" + quote_from_bytes(path))
    assert isinstance(bucket, LocalFolder)
    assert bucket.path.encode("utf-8", "surrogateescape") == b"/" + path


@given(st.binary(max_size=30).filter(lambda path: b"\0" not in path and b"%" not in path))
@example(b"srv/\xff")
def test_a_path_given_unquoted_is_taken_byte_for_byte(path: bytes) -> None:
    """Any file name of the machine, as the shell passes it and Python decodes it."""
    bucket = parse_bucket("file:///" + path.decode("utf-8", "surrogateescape"))
    assert isinstance(bucket, LocalFolder)
    assert bucket.path.encode("utf-8", "surrogateescape") == b"/" + path
