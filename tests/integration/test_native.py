"""Streams are the same whichever hasher put them, and each restores and verifies what the other has put."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from s3duct.app.api import PutOptions, S3duct
from tests.support.api import connect
from tests.support.buckets import FolderBucket
from tests.support.data import KIB, MIB, random_bytes

# Size of the stream, size of its chunks.
STREAMS = (
    (0, KIB),
    (1, KIB),
    (135, KIB),
    (136, KIB),
    (137, 512 * MIB),
    (9 * KIB + 5, KIB),
    (5 * MIB + 77, MIB + 137),
)


def connect_with(
    bucket: FolderBucket, monkeypatch: pytest.MonkeyPatch, key_file: Path | None, *, native: bool
) -> S3duct:
    monkeypatch.setenv("S3DUCT_NATIVE", "1" if native else "0")
    return connect(bucket, monkeypatch, key_file=key_file)


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
def test_what_one_has_put_the_other_restores_and_verifies(
    folder_bucket: FolderBucket,
    unique_name: str,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    sealed: bool,
) -> None:
    key = key_file if sealed else None
    both = [connect_with(folder_bucket, monkeypatch, key, native=native) for native in (True, False)]
    digests: dict[bool, list[object]] = {True: [], False: []}
    for size, chunk_size in STREAMS:
        content = random_bytes(size, "native")
        for s3duct, other, native in zip(both, both[::-1], (True, False), strict=True):
            name = f"{unique_name}/{size}-{native}"
            options = PutOptions(chunk_size_bytes=chunk_size, allow_empty=True)
            summary = s3duct.put(name, io.BytesIO(content), options)
            digests[native].append([chunk.digest for chunk in summary.manifest.chunks])
            back = io.BytesIO()
            other.get(name, back)
            assert back.getvalue() == content
            assert other.verify(name, deep=True).ok
    assert digests[True] == digests[False]
