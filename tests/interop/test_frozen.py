"""Streams that 0.3.0 and 0.4.0 wrote once and for all: they can be restored for ever, without those versions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from s3duct.app.api import ManifestTrust
from tests.interop.freeze import PREFIX, VARIANTS, VECTORS
from tests.interop.variants import ALLOW_UNPROVEN
from tests.support.api import connect
from tests.support.buckets import FolderBucket
from tests.support.command import run
from tests.support.streams import Stream

CONTENT = (VECTORS / "content.bin").read_bytes()
VERSIONS = ["0.3.0", "0.4.0"]


@pytest.fixture
def frozen(tmp_path: Path) -> FolderBucket:
    """A copy, so that no test can change them."""
    return FolderBucket(Path(shutil.copytree(VECTORS / "bucket", tmp_path / "frozen")))


def stream_of(bucket: FolderBucket, version: str, variant: str) -> Stream:
    key = None if variant == "plain" else VECTORS / "aes.key"
    return Stream(bucket, f"{version}/{variant}", key, PREFIX)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_frozen_streams_are_restored(
    frozen: FolderBucket, monkeypatch: pytest.MonkeyPatch, version: str, variant: str
) -> None:
    stream = stream_of(frozen, version, variant)
    before = frozen.listing("")
    unproven = variant == "aes-plain-manifest"
    trust = ManifestTrust(allow_unauthenticated=unproven)

    stream.restores(CONTENT, *([ALLOW_UNPROVEN] if unproven else []))
    s3duct = connect(frozen, monkeypatch, key_file=stream.key_file, prefix=PREFIX)
    assert s3duct.verify(stream.name, trust=trust).ok
    assert s3duct.verify(stream.name, deep=True, trust=trust).ok
    assert frozen.listing("") == before


@pytest.mark.parametrize("version", VERSIONS)
def test_frozen_plain_manifests_are_unproven(frozen: FolderBucket, version: str) -> None:
    outcome = stream_of(frozen, version, "aes-plain-manifest").get(code=3)

    assert outcome.stdout == b""
    assert ALLOW_UNPROVEN in outcome.stderr


def test_frozen_streams_are_listed(frozen: FolderBucket) -> None:
    key = f"file:{VECTORS / 'aes.key'}"
    listed = json.loads(
        run("list", *frozen.flags, "--prefix", PREFIX, "--key", key, "--json").expect(0).stdout
    )

    assert [entry["name"] for entry in listed] == sorted(
        f"{version}/{variant}" for version in VERSIONS for variant in VARIANTS
    )
    assert all((entry["chunks"], entry["total_bytes"]) == (3, len(CONTENT)) for entry in listed)
    assert all(entry["tool_version"] == entry["name"].split("/")[0] for entry in listed)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_flipped_bit_in_a_frozen_stream_is_found(frozen: FolderBucket, version: str) -> None:
    stream = stream_of(frozen, version, "aes-plain-manifest")
    key = f"{stream.folder}chunk-000001"
    content = bytearray(frozen.read(key))
    content[500] ^= 1
    frozen.write(key, bytes(content))

    assert stream.get(ALLOW_UNPROVEN, code=3).stdout == CONTENT[:1024]
