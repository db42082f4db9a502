"""Streams that 0.4.0 sealed with age once and for all: they can be restored for ever, without it and without `age`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.interop.freeze import PREFIX, VECTORS
from tests.interop.freeze_age import AGE_VECTORS, IDENTITY, VARIANTS, VERSION
from tests.support.age_keys import identity_file
from tests.support.buckets import FolderBucket
from tests.support.command import run
from tests.support.streams import Stream

CONTENT = (VECTORS / "content.bin").read_bytes()

every_variant = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture
def frozen(tmp_path: Path) -> FolderBucket:
    """A copy, so that no test can change them."""
    return FolderBucket(Path(shutil.copytree(AGE_VECTORS / "bucket", tmp_path / "frozen")))


def stream_of(bucket: FolderBucket, variant: str, identity: Path = IDENTITY) -> Stream:
    return Stream(bucket, f"{VERSION}/{variant}", prefix=PREFIX, age_identity=identity)


@every_variant
def test_frozen_streams_are_restored(frozen: FolderBucket, variant: str) -> None:
    stream = stream_of(frozen, variant)
    before = frozen.listing("")

    stream.restores(CONTENT)
    stream.verify()
    stream.verify("--deep")
    assert frozen.listing("") == before


def test_frozen_streams_are_listed(frozen: FolderBucket) -> None:
    flags = [*frozen.flags, "--prefix", PREFIX, "--age-identity", str(IDENTITY)]
    listed = json.loads(run("list", *flags, "--json").expect(0).stdout)

    assert [entry["name"] for entry in listed] == [f"{VERSION}/{variant}" for variant in VARIANTS]
    assert all((entry["chunks"], entry["total_bytes"]) == (3, len(CONTENT)) for entry in listed)
    assert all(entry["encryption_method"] == "age" for entry in listed)


@every_variant
def test_another_identity_does_not_open_a_frozen_stream(
    frozen: FolderBucket, tmp_path: Path, variant: str
) -> None:
    stream = stream_of(frozen, variant, identity_file(tmp_path, "x25519", 1))

    assert stream.get(code=4).stdout == b""


@every_variant
def test_a_flipped_bit_in_a_frozen_stream_is_found(frozen: FolderBucket, variant: str) -> None:
    stream = stream_of(frozen, variant)
    key = f"{stream.folder}chunk-000001"
    content = bytearray(frozen.read(key))
    content[500] ^= 1
    frozen.write(key, bytes(content))

    assert stream.get(code=3).stdout == CONTENT[:1024]
