"""Streams sealed with age: 0.4.0 restores ours, we restore 0.4.0's.

It runs the `age` command; age 1.1.1 knows no post-quantum keys, so those are between ourselves.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.interop.oracle import Oracle
from tests.interop.variants import CHUNK_FLAGS, CONTENT
from tests.support.age_keys import identity_file, key_pair
from tests.support.buckets import ServerBucket
from tests.support.peers import recipients_of, require_age
from tests.support.streams import Stream

PREFIX = "hosts/db1"
SEALED = [*CHUNK_FLAGS, "--encrypt-manifest"]
PLAIN = [*CHUNK_FLAGS, "--no-encrypt-manifest"]

every_manifest = pytest.mark.parametrize("flags", [PLAIN, SEALED], ids=["plain-manifest", "sealed-manifest"])


@pytest.fixture(autouse=True)
def peer_is_there() -> None:
    require_age()


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    return identity_file(tmp_path, "x25519")


@pytest.fixture
def stream(seaweedfs_bucket: ServerBucket, unique_name: str, identity: Path) -> Stream:
    return Stream(seaweedfs_bucket, unique_name, prefix=PREFIX, age_identity=identity)


@every_manifest
def test_we_restore_what_0_4_0_sealed(stream: Stream, released_0_4_0: Oracle, flags: list[str]) -> None:
    released_0_4_0.put(stream, CONTENT, *flags)

    stream.restores(CONTENT)
    stream.verify()
    stream.verify("--deep")
    stored = stream.bucket.read(stream.manifest_key)
    assert stored.startswith(b"age-encryption.org/v1\n") == (flags == SEALED)
    stream.get("--strict-manifest", code=0 if flags == SEALED else 3)
    stream.restores(CONTENT, "--expect-manifest-sha256", hashlib.sha256(stored).hexdigest())


@every_manifest
def test_0_4_0_restores_what_we_sealed(stream: Stream, released_0_4_0: Oracle, flags: list[str]) -> None:
    stream.put(CONTENT, *flags)

    assert released_0_4_0.get(stream) == CONTENT
    released_0_4_0.verify(stream)
    released_0_4_0.verify(stream, "--deep")


def test_the_layout_is_that_of_0_4_0(stream: Stream, released_0_4_0: Oracle, identity: Path) -> None:
    """Keys and sizes of the chunks, fields, their order and their values: all but dates, versions, names and randomness."""
    manifests, sizes = [], []
    for put in (stream.put, lambda content, *flags: released_0_4_0.put(stream, content, *flags)):
        put(CONTENT, *PLAIN)
        manifests.append(stream.manifest())
        stored = stream.bucket.contents(stream.folder)
        stored.pop(stream.manifest_key)
        sizes.append({key: len(content) for key, content in stored.items()})
        for key in stream.bucket.keys(stream.folder):
            stream.bucket.delete(key)
    ours, theirs = manifests

    assert sizes[0] == sizes[1]
    assert "s3duct" not in ours  # age proves no origin: there is no MAC
    assert list(ours) == list(theirs)
    assert [list(record) for record in ours["chunks"]] == [list(record) for record in theirs["chunks"]]
    differing = {field for field in ours if ours[field] != theirs[field]}
    assert differing <= {"created", "tool_version", "chunks", "stream_sha256", "stream_sha3_256"}
    for our_record, their_record in zip(ours["chunks"], theirs["chunks"], strict=True):
        differing = {field for field in our_record if our_record[field] != their_record[field]}
        assert differing <= {"etag", "encrypted_sha256"}
    assert [ours["encryption_recipient"]] == recipients_of(identity)


@pytest.mark.parametrize(
    ("kinds", "flags"),
    [(["x25519", "ssh-ed25519"], PLAIN), (["ssh-rsa", "x25519"], SEALED)],
    ids=["plain-manifest-x25519+ssh-ed25519", "sealed-manifest-ssh-rsa+x25519"],
)
def test_0_4_0_restores_what_was_put_without_any_identity(
    seaweedfs_bucket: ServerBucket,
    unique_name: str,
    tmp_path: Path,
    released_0_4_0: Oracle,
    kinds: list[str],
    flags: list[str],
) -> None:
    """It cannot put for SSH keys, but hands any identity on to `age -d`."""
    recipients = [word for kind in kinds for word in ("--age-recipient", key_pair(kind).recipient)]
    Stream(seaweedfs_bucket, unique_name).put(CONTENT, *flags, *recipients)

    for kind in kinds:
        stream = Stream(seaweedfs_bucket, unique_name, age_identity=identity_file(tmp_path, kind))
        assert released_0_4_0.get(stream) == CONTENT
        released_0_4_0.verify(stream, "--deep")
        stream.restores(CONTENT)


@every_manifest
def test_another_identity_for_a_stream_of_0_4_0(
    stream: Stream, released_0_4_0: Oracle, tmp_path: Path, flags: list[str]
) -> None:
    released_0_4_0.put(stream, CONTENT, *flags)
    other = identity_file(tmp_path, "x25519", 1)

    assert Stream(stream.bucket, stream.name, prefix=PREFIX, age_identity=other).get(code=4).stdout == b""


def test_we_replace_a_stream_of_0_4_0_without_being_able_to_read_it(
    stream: Stream, released_0_4_0: Oracle, identity: Path
) -> None:
    """Who has only recipients cannot open the old sealed manifest: its chunks are told by where they lie."""
    released_0_4_0.put(stream, CONTENT, *SEALED)
    old = set(stream.chunk_keys())
    (recipient,) = recipients_of(identity)
    keyless = Stream(stream.bucket, stream.name, prefix=PREFIX)
    flags = [*SEALED, "--age-recipient", recipient]
    keyless.put(CONTENT[:100], *flags, code=6)

    outcome = keyless.put(CONTENT[:100], *flags, "--clobber")

    assert "left in the bucket" not in outcome.stderr
    assert not old & set(stream.chunk_keys())
    stream.restores(CONTENT[:100])
    assert released_0_4_0.get(stream) == CONTENT[:100]
