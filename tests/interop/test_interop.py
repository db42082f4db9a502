"""The released s3duct and this one, over the same buckets: each restores what the other wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from s3duct.app.api import ManifestTrust
from tests.interop.oracle import Oracle
from tests.interop.variants import (
    AES,
    ALLOW_UNPROVEN,
    CHUNK_FLAGS,
    CONTENT,
    NESTED,
    OF,
    SEALED,
    SLASHES,
    TAGS,
    Variant,
)
from tests.support.api import connect
from tests.support.buckets import ServerBucket
from tests.support.data import MIB, random_bytes
from tests.support.streams import Stream

FindOracle = Callable[[str], Path]


def stream_of(variant: Variant, bucket: ServerBucket, unique_name: str, key_file: Path) -> Stream:
    return Stream(
        bucket, variant.name.format(unique_name), key_file if variant.encrypted else None, variant.prefix
    )


@pytest.mark.parametrize(
    ("version", "variant"),
    [(version, variant) for version, variants in OF.items() for variant in variants],
    ids=lambda value: value if isinstance(value, str) else value.label,
)
def test_we_restore_what_they_wrote(
    seaweedfs_bucket: ServerBucket,
    unique_name: str,
    key_file: Path,
    oracle: FindOracle,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    variant: Variant,
) -> None:
    stream = stream_of(variant, seaweedfs_bucket, unique_name, key_file)
    Oracle(version, oracle(version)).put(stream, CONTENT, *variant.flags)

    stream.restores(CONTENT, *([ALLOW_UNPROVEN] if variant.unproven else []))
    s3duct = connect(seaweedfs_bucket, monkeypatch, key_file=stream.key_file, prefix=stream.prefix)
    trust = ManifestTrust(allow_unauthenticated=variant.unproven)
    assert s3duct.verify(stream.name, trust=trust).ok
    deep = s3duct.verify(stream.name, deep=True, trust=trust)
    assert (deep.ok, deep.plain_checked) == (True, True)
    (entry,) = [entry for entry in s3duct.list() if entry.name == stream.name]
    manifest = entry.manifest
    assert manifest is not None
    assert (manifest.chunk_count, manifest.total_bytes, manifest.encrypted) == (
        6,
        len(CONTENT),
        variant.encrypted,
    )
    assert (manifest.sealed, manifest.tool_version) == (variant.sealed_manifest, version)
    assert manifest.tags == dict(tag.split("=", 1) for tag in variant.tags)
    assert manifest.description == variant.description


@pytest.mark.parametrize("version", ["0.3.0", "0.4.0"])
def test_we_restore_what_they_wrote_by_default_to_another_server(
    rclone_bucket: ServerBucket, unique_name: str, key_file: Path, oracle: FindOracle, version: str
) -> None:
    """Their default: the manifest is sealed where the chunks are."""
    stream = Stream(rclone_bucket, unique_name, key_file)
    Oracle(version, oracle(version)).put(stream, CONTENT, *CHUNK_FLAGS)

    stream.restores(CONTENT)
    stream.verify()
    assert not rclone_bucket.read(stream.manifest_key).startswith(b"{")


@pytest.mark.parametrize("variant", OF["0.4.0"], ids=lambda variant: variant.label)
def test_0_4_0_restores_what_we_wrote(
    seaweedfs_bucket: ServerBucket, unique_name: str, key_file: Path, released_0_4_0: Oracle, variant: Variant
) -> None:
    stream = stream_of(variant, seaweedfs_bucket, unique_name, key_file)
    stream.put(CONTENT, *variant.flags)

    assert released_0_4_0.get(stream) == CONTENT
    released_0_4_0.verify(stream, "--deep")


@pytest.mark.parametrize("variant", [NESTED, TAGS], ids=lambda variant: variant.label)
def test_0_3_0_restores_what_we_wrote_without_a_key(
    seaweedfs_bucket: ServerBucket, unique_name: str, key_file: Path, released_0_3_0: Oracle, variant: Variant
) -> None:
    """Encrypted streams are beyond it, 0.4.0's as well: it does not know `encrypted_size`."""
    stream = stream_of(variant, seaweedfs_bucket, unique_name, key_file)
    stream.put(CONTENT, *variant.flags)

    assert released_0_3_0.get(stream) == CONTENT
    released_0_3_0.verify(stream)


def test_0_4_0_takes_chunks_that_went_up_in_parts(
    server_bucket: ServerBucket, unique_name: str, key_file: Path, released_0_4_0: Oracle
) -> None:
    """ETags of multipart uploads are the server's own; its quick verify compares them."""
    content = random_bytes(20 * MIB, "parts")
    stream = Stream(server_bucket, unique_name, key_file)
    stream.put(content, "--chunk-size", "12M")

    assert released_0_4_0.get(stream) == content
    released_0_4_0.verify(stream)


def test_we_take_chunks_of_0_4_0_that_went_up_in_parts(
    server_bucket: ServerBucket, unique_name: str, released_0_4_0: Oracle
) -> None:
    content = random_bytes(20 * MIB, "parts")
    stream = Stream(server_bucket, unique_name)
    released_0_4_0.put(stream, content, "--chunk-size", "12M")

    stream.restores_digest_of(content)
    stream.verify("--deep")


def test_0_4_0_restores_a_stream_that_replaced_another(
    seaweedfs_bucket: ServerBucket, unique_name: str, key_file: Path, released_0_4_0: Oracle
) -> None:
    """Its chunks lie under a generation: readers follow the keys that the manifest names."""
    stream = Stream(seaweedfs_bucket, unique_name, key_file)
    stream.put(b"old", *CHUNK_FLAGS)
    stream.put(CONTENT, *CHUNK_FLAGS, "--clobber")

    assert released_0_4_0.get(stream) == CONTENT
    released_0_4_0.verify(stream, "--deep")


@pytest.mark.parametrize("version", ["0.3.0", "0.4.0"])
def test_we_replace_a_stream_of_theirs(
    seaweedfs_bucket: ServerBucket, unique_name: str, key_file: Path, oracle: FindOracle, version: str
) -> None:
    stream = Stream(seaweedfs_bucket, unique_name, key_file)
    Oracle(version, oracle(version)).put(stream, CONTENT, *CHUNK_FLAGS)
    old = {key for key in stream.chunk_keys() if "/chunk-" in key}  # 0.3.0 leaves its resume log as well

    stream.put(CONTENT[:100], *CHUNK_FLAGS, code=6)
    stream.put(CONTENT[:100], *CHUNK_FLAGS, "--clobber")

    stream.restores(CONTENT[:100])
    assert not old & set(stream.chunk_keys())


def test_0_4_0_restores_an_empty_stream_of_ours(
    seaweedfs_bucket: ServerBucket, unique_name: str, released_0_4_0: Oracle
) -> None:
    stream = Stream(seaweedfs_bucket, unique_name)
    stream.put(b"", "--allow-empty")

    assert released_0_4_0.get(stream) == b""


def test_the_wrong_key_for_a_stream_of_theirs(
    seaweedfs_bucket: ServerBucket,
    unique_name: str,
    key_file: Path,
    other_key_file: Path,
    released_0_4_0: Oracle,
) -> None:
    for sealed in ("--encrypt-manifest", "--no-encrypt-manifest"):
        stream = Stream(seaweedfs_bucket, f"{unique_name}/{sealed}", key_file)
        released_0_4_0.put(stream, CONTENT, *CHUNK_FLAGS, sealed)

        outcome = Stream(seaweedfs_bucket, stream.name, other_key_file).get(ALLOW_UNPROVEN, code=4)

        assert outcome.stdout == b""


def test_a_plain_manifest_of_theirs_is_refused_until_it_is_allowed(
    seaweedfs_bucket: ServerBucket, unique_name: str, key_file: Path, released_0_4_0: Oracle
) -> None:
    """It carries no MAC, so whoever can write the bucket can have written it. (0.3.0's: `test_frozen.py`.)"""
    stream = Stream(seaweedfs_bucket, unique_name, key_file)
    released_0_4_0.put(stream, CONTENT, *AES.flags)

    for outcome in (stream.get(code=3), stream.verify(code=3), stream.verify("--deep", code=3)):
        assert outcome.stdout == b""
        assert "carries no MAC of this key" in outcome.lines[0]
        assert ALLOW_UNPROVEN in outcome.lines[1]
    stream.get("--strict-manifest", code=3)
    stream.restores(CONTENT, ALLOW_UNPROVEN)
    stream.verify("--deep", ALLOW_UNPROVEN)
    digest = hashlib.sha256(seaweedfs_bucket.read(stream.manifest_key)).hexdigest()
    stream.restores(CONTENT, "--expect-manifest-sha256", digest)


def test_a_sealed_manifest_of_theirs_is_refused_where_a_mac_is_demanded(
    seaweedfs_bucket: ServerBucket, unique_name: str, key_file: Path, released_0_4_0: Oracle
) -> None:
    stream = Stream(seaweedfs_bucket, unique_name, key_file)
    released_0_4_0.put(stream, CONTENT, *SEALED.flags)

    stream.restores(CONTENT)
    for outcome in (stream.get("--strict-manifest", code=3), stream.verify("--strict-manifest", code=3)):
        assert outcome.stdout == b""
        assert "carries no MAC of this key" in outcome.lines[0]


@pytest.mark.parametrize("variant", [TAGS, NESTED, AES, SLASHES], ids=lambda variant: variant.label)
def test_the_layout_is_theirs(
    seaweedfs_bucket: ServerBucket, unique_name: str, key_file: Path, released_0_4_0: Oracle, variant: Variant
) -> None:
    """Same keys, same sizes, and in a plain manifest the same fields in the same order, with one key more: ours.

    On a server that ignores conditions the chunks of ours have a key of their own (ADR 0017).
    """
    stream = stream_of(variant, seaweedfs_bucket, unique_name, key_file)
    shapes = []
    for put in (stream.put, lambda content, *flags: released_0_4_0.put(stream, content, *flags)):
        put(CONTENT, *variant.flags)
        sizes = {key: size for key, (size, *_) in seaweedfs_bucket.listing(stream.folder).items()}
        sizes.pop(stream.manifest_key)  # differs by date, version and our own fields
        manifest = None if variant.sealed_manifest else stream.manifest()
        shapes.append((sizes, manifest))
        for key in seaweedfs_bucket.keys(stream.folder):
            seaweedfs_bucket.delete(key)
    (our_sizes, ours), (their_sizes, theirs) = shapes

    assert our_sizes == their_sizes
    if ours is not None and theirs is not None:
        assert [field for field in ours if field != "s3duct"] == list(theirs)
        assert [list(record) for record in ours["chunks"]] == [list(record) for record in theirs["chunks"]]
        same = {"version", "name", "description", "chunk_count", "chunk_size", "total_bytes", "encrypted"}
        same |= {"encrypted_manifest", "encryption_method", "encryption_recipient", "storage_class", "tags"}
        same |= {"final_chain"}
        assert {field: ours[field] for field in same} == {field: theirs[field] for field in same}
        for our_record, their_record in zip(ours["chunks"], theirs["chunks"], strict=True):
            differing = {field for field in our_record if our_record[field] != their_record[field]}
            assert differing <= {"etag", "encrypted_sha256"}  # nonces are random
            if not variant.encrypted:
                assert not differing
