"""Every object of a stream is one age file: other programs open each of them, and what they seal takes its place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest

from tests.support import peers
from tests.support.age_keys import identity_file, key_pair, secret_of
from tests.support.buckets import FolderBucket
from tests.support.data import KIB, random_bytes
from tests.support.streams import Stream

CHUNK = 80 * KIB  # more than one piece of a payload
CONTENT = random_bytes(3 * CHUNK + 5, "age streams")
FLAGS = ("--chunk-size", "80K")
CHUNKS = [CONTENT[start : start + CHUNK] for start in range(0, len(CONTENT), CHUNK)]

Open = Callable[[bytes], bytes]
Seal = Callable[[bytes], bytes]


def of_age(kind: str, folder: Path) -> tuple[Open, Seal]:
    """`age -d -i` and `age -r`."""
    peers.require_age()
    identity = identity_file(folder, kind)
    return (
        lambda sealed: peers.age("-d", "-i", identity, given=sealed),
        lambda plain: peers.age("-r", key_pair(kind).recipient, given=plain),
    )


def of_node(kind: str, _: Path) -> tuple[Open, Seal]:
    """npm `age-encryption`."""
    peers.require_node()
    pair = key_pair(kind)
    return (
        lambda sealed: peers.node("open", secret_of(pair), given=sealed),
        lambda plain: peers.node("seal", pair.recipient, given=plain),
    )


def of_pyrage(kind: str, _: Path) -> tuple[Open, Seal]:
    """The Rust implementation."""
    pair = key_pair(kind)
    library: Any = pyrage.x25519 if kind == "x25519" else pyrage.ssh
    identity = (
        library.Identity.from_str(secret_of(pair))
        if kind == "x25519"
        else library.Identity.from_buffer(pair.file)
    )
    recipient = library.Recipient.from_str(pair.recipient)
    return (
        lambda sealed: bytes(pyrage.decrypt(sealed, [identity])),
        lambda plain: bytes(pyrage.encrypt(plain, [recipient])),
    )


EVERY = [
    *((of_age, kind) for kind in ("x25519", "ssh-ed25519", "ssh-rsa")),
    *((of_node, kind) for kind in ("x25519", "hybrid")),  # age 1.1.1 and pyrage know no post-quantum keys
    *((of_pyrage, kind) for kind in ("x25519", "ssh-ed25519", "ssh-rsa")),
]
EVERY_ID = [f"{peer.__name__.removeprefix('of_')}-{kind}" for peer, kind in EVERY]
every_peer = pytest.mark.parametrize(("peer", "kind"), EVERY, ids=EVERY_ID)


@every_peer
def test_every_object_is_opened_by_others(
    folder_bucket: FolderBucket,
    unique_name: str,
    tmp_path: Path,
    peer: Callable[[str, Path], tuple[Open, Seal]],
    kind: str,
) -> None:
    opens, _ = peer(kind, tmp_path)
    stream = Stream(folder_bucket, unique_name, age_identity=identity_file(tmp_path, kind))
    stream.put(CONTENT, *FLAGS, "--encrypt-manifest")

    assert [opens(folder_bucket.read(key)) for key in stream.chunk_keys()] == CHUNKS
    manifest = json.loads(opens(folder_bucket.read(stream.manifest_key)))
    assert (manifest["name"], manifest["chunk_count"]) == (unique_name, len(CHUNKS))
    assert manifest["encryption_recipient"] == " ".join(key_pair(kind).recipient.split()[:2])


@pytest.mark.parametrize(
    ("peer", "kind", "sealed_manifest"),
    [*((peer, kind, True) for peer, kind in EVERY), (of_pyrage, "x25519", False)],
    ids=[*(f"sealed-manifest-{label}" for label in EVERY_ID), "plain-manifest-pyrage-x25519"],
)
def test_objects_that_others_sealed_are_restored(
    folder_bucket: FolderBucket,
    unique_name: str,
    tmp_path: Path,
    peer: Callable[[str, Path], tuple[Open, Seal]],
    kind: str,
    sealed_manifest: bool,
) -> None:
    opens, seals = peer(kind, tmp_path)
    stream = Stream(folder_bucket, unique_name, age_identity=identity_file(tmp_path, kind))
    stream.put(CONTENT, *FLAGS, *(["--encrypt-manifest"] if sealed_manifest else []))
    stored = folder_bucket.read(stream.manifest_key)
    manifest = json.loads(opens(stored) if sealed_manifest else stored)

    for record, content in zip(manifest["chunks"], CHUNKS, strict=True):
        put_in_place(stream, record, seals(content))
    changed = json.dumps(manifest).encode()
    folder_bucket.write(stream.manifest_key, seals(changed) if sealed_manifest else changed)

    stream.restores(CONTENT)
    stream.verify("--deep")


def test_recipients_that_the_manifest_does_not_name_do_no_harm(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path
) -> None:
    peers.require_age()
    stream = Stream(folder_bucket, unique_name, age_identity=identity_file(tmp_path, "x25519"))
    stream.put(CONTENT, *FLAGS)
    recipients = [key_pair(kind).recipient for kind in ("ssh-rsa", "ssh-ed25519", "x25519")]
    words = [word for recipient in recipients for word in ("-r", recipient)]

    replace_chunk(stream, 1, peers.age(*words, given=CHUNKS[1]))

    stream.restores(CONTENT)


def test_a_chunk_that_was_sealed_for_somebody_else_needs_another_key(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path
) -> None:
    stream = Stream(folder_bucket, unique_name, age_identity=identity_file(tmp_path, "x25519"))
    stream.put(CONTENT, *FLAGS)
    _, seals = of_pyrage("ssh-ed25519", tmp_path)

    replace_chunk(stream, 1, seals(CHUNKS[1]))

    assert stream.get(code=4).stdout == CHUNKS[0]


def test_other_content_that_is_sealed_well_is_found(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path
) -> None:
    """Everybody can seal for a public key: only the digests of the plain bytes tell."""
    stream = Stream(folder_bucket, unique_name, age_identity=identity_file(tmp_path, "x25519"))
    stream.put(CONTENT, *FLAGS)
    _, seals = of_pyrage("x25519", tmp_path)

    replace_chunk(stream, 1, seals(bytes([CHUNKS[1][0] ^ 1]) + CHUNKS[1][1:]))

    assert stream.get(code=3).stdout == CHUNKS[0]


def replace_chunk(stream: Stream, index: int, sealed: bytes) -> None:
    """Put another object in place of a chunk's, and its size and digest into the plain manifest."""
    manifest = stream.manifest()
    put_in_place(stream, manifest["chunks"][index], sealed)
    stream.bucket.write(stream.manifest_key, json.dumps(manifest).encode())


def put_in_place(stream: Stream, record: dict[str, Any], sealed: bytes) -> None:
    stream.bucket.write(record["s3_key"], sealed)
    record["encrypted_size"], record["encrypted_sha256"] = len(sealed), hashlib.sha256(sealed).hexdigest()
