"""What is damaged in the bucket is found, and not one byte behind the damage, or of a damaged chunk, reaches stdout."""

from __future__ import annotations

import copy
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3duct.app.api import PutOptions
from tests.support.api import connect, get_outcome
from tests.support.buckets import Bucket, FolderBucket, ServerBucket
from tests.support.data import KIB, random_bytes
from tests.support.streams import Stream

CHUNK = 64 * KIB
CONTENT = random_bytes(5 * CHUNK + 100, "damage")
INTEGRITY, WRONG_KEY, NOT_FOUND, UNSUPPORTED = 3, 4, 5, 13

Store = Callable[[Bucket, str, str], Stream]


@pytest.fixture
def store(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Stores the content, plain or sealed."""

    def work(bucket: Bucket, name: str, sealing: str) -> Stream:
        stream = Stream(bucket, name, None if sealing == "plain" else key_file)
        options = PutOptions(chunk_size_bytes=CHUNK, seal_manifest=sealing == "aes-sealed-manifest")
        connect(bucket, monkeypatch, key_file=stream.key_file).put(name, io.BytesIO(CONTENT), options)
        return stream

    return work


# --- chunks ------------------------------------------------------------------------------------------------------


class Damage:
    """One way to damage chunks: `first` is the first one that is not what it was."""

    def __init__(
        self, name: str, first: int, work: Callable[[Bucket, list[str]], None], found_by: str
    ) -> None:
        self.name = name
        self.first = first
        self.work = work
        self.found_by = found_by


def flip(index: int) -> Callable[[Bucket, list[str]], None]:
    def work(bucket: Bucket, keys: list[str]) -> None:
        chance = random.Random(f"flip in {index}")
        content = bytearray(bucket.read(keys[index]))
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        bucket.write(keys[index], bytes(content))

    return work


def swap(one: int, other: int) -> Callable[[Bucket, list[str]], None]:
    def work(bucket: Bucket, keys: list[str]) -> None:
        first, second = bucket.read(keys[one]), bucket.read(keys[other])
        bucket.write(keys[one], second)
        bucket.write(keys[other], first)

    return work


def remove(index: int) -> Callable[[Bucket, list[str]], None]:
    return lambda bucket, keys: bucket.delete(keys[index])


def rewrite(index: int, change: Callable[[bytes], bytes]) -> Callable[[Bucket, list[str]], None]:
    return lambda bucket, keys: bucket.write(keys[index], change(bucket.read(keys[index])))


DAMAGES = [
    Damage("one flipped bit", 2, flip(2), "deep"),
    Damage("a flipped bit in the first chunk", 0, flip(0), "deep"),
    Damage("a flipped bit in the last chunk", 5, flip(5), "deep"),
    Damage("two chunks swapped", 1, swap(1, 4), "deep"),
    Damage(
        "a chunk copied over another",
        3,
        lambda bucket, keys: bucket.write(keys[3], bucket.read(keys[2])),
        "deep",
    ),
    Damage("a missing chunk", 3, remove(3), "missing"),
    Damage("a truncated chunk", 3, rewrite(3, lambda content: content[:-1]), "size"),
    Damage("an emptied chunk", 3, rewrite(3, lambda _: b""), "size"),
    Damage("an extended chunk", 4, rewrite(4, lambda content: content + b"\0"), "size"),
]


@pytest.mark.parametrize("sealing", ["plain", "aes"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name.replace(" ", "-"))
def test_only_whole_chunks_before_the_damage_are_written(
    folder_bucket: FolderBucket,
    unique_name: str,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    sealing: str,
    damage: Damage,
) -> None:
    stream = store(folder_bucket, unique_name, sealing)
    damage.work(folder_bucket, stream.chunk_keys())

    outcome = stream.get(code=INTEGRITY)

    assert outcome.stdout == CONTENT[: damage.first * CHUNK]
    assert f"chunk {damage.first} " in outcome.stderr
    # The quick look finds what is not there or has another size; the deep one finds everything.
    s3duct = connect(folder_bucket, monkeypatch, key_file=stream.key_file)
    quick, deep = s3duct.verify(unique_name), s3duct.verify(unique_name, deep=True)
    found = {"deep": ((), ()), "missing": ((damage.first,), ()), "size": ((), (damage.first,))}
    assert (quick.missing, quick.mismatched) == found[damage.found_by]
    assert damage.first in (*deep.missing, *deep.mismatched)
    assert not deep.plain_checked


def test_verify_names_the_damaged_chunk(folder_bucket: FolderBucket, unique_name: str, store: Store) -> None:
    stream = store(folder_bucket, unique_name, "aes")
    flip(2)(folder_bucket, stream.chunk_keys())
    assert "chunk" not in stream.verify("--summary", "none").stderr
    remove(4)(folder_bucket, stream.chunk_keys())

    quick = stream.verify(code=INTEGRITY)
    deep = stream.verify("--deep", code=INTEGRITY)

    missing = f"s3duct: warning: chunk 4: there is no object '{unique_name}/chunk-000004'"
    assert missing in quick.lines
    assert "chunk 2:" not in quick.stderr
    assert missing in deep.lines
    assert "s3duct: warning: chunk 2: " in deep.stderr


def test_a_server_shows_damage_too(s3_bucket: ServerBucket, unique_name: str, store: Store) -> None:
    """Here the quick look finds changed content as well: by the ETag."""
    stream = store(s3_bucket, unique_name, "aes")
    keys = stream.chunk_keys()
    flip(4)(s3_bucket, keys)
    s3_bucket.delete(keys[2])

    outcome = stream.get(code=INTEGRITY)

    assert outcome.stdout == CONTENT[: 2 * CHUNK]
    summary = json.loads(stream.verify("--summary", "json", "--quiet", code=INTEGRITY).stderr)
    assert (summary["chunks_missing"], summary["chunks_mismatched"], summary["chunks_ok"]) == ([2], [4], 4)
    deep = json.loads(stream.verify("--deep", "--summary", "json", "--quiet", code=INTEGRITY).stderr)
    assert (deep["chunks_missing"], deep["chunks_mismatched"], deep["chain_verified"]) == ([2], [4], False)


def test_deep_without_the_key_checks_the_sealed_bytes(
    folder_bucket: FolderBucket, unique_name: str, store: Store
) -> None:
    stream = store(folder_bucket, unique_name, "aes")
    keyless = Stream(folder_bucket, unique_name)
    keyless.verify("--deep")
    flip(2)(folder_bucket, stream.chunk_keys())

    assert "chunk 2:" in keyless.verify("--deep", code=INTEGRITY).stderr
    raw = keyless.get("--no-decrypt", code=INTEGRITY)
    assert raw.stdout_bytes == 2 * (CHUNK + 28)


# --- the manifest ------------------------------------------------------------------------------------------------


def drop_last(manifest: dict[str, Any]) -> None:
    manifest["total_bytes"] -= manifest["chunks"].pop()["size"]
    manifest["chunk_count"] -= 1


def exchange_records(manifest: dict[str, Any]) -> None:
    chunks = manifest["chunks"]
    chunks[1], chunks[2] = chunks[2], chunks[1]
    chunks[1]["index"], chunks[2]["index"] = 1, 2


def exchange_keys(manifest: dict[str, Any]) -> None:
    chunks = manifest["chunks"]
    chunks[1]["s3_key"], chunks[2]["s3_key"] = chunks[2]["s3_key"], chunks[1]["s3_key"]


def edit(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Set the field that `path` names."""

    def change(manifest: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        target: Any = manifest
        for parent in parents:
            target = target[int(parent) if parent.isdecimal() else parent]
        target[last] = value

    return change


def remove_field(field: str) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest.__delitem__(field)


# What is edited, the exit code of get, and how many whole chunks it may write before it.
EDITS: dict[str, tuple[Callable[[dict[str, Any]], None], int, int]] = {
    "last chunk dropped": (drop_last, INTEGRITY, 0),
    "records exchanged": (exchange_records, INTEGRITY, 0),
    "keys exchanged": (exchange_keys, INTEGRITY, 1),
    "digest": (edit("chunks/3/sha256", "0" * 64), INTEGRITY, 0),
    "other digest": (edit("chunks/3/sha3_256", "0" * 64), INTEGRITY, 0),
    "end of the chain": (edit("final_chain", "0" * 64), INTEGRITY, 0),
    "no end of the chain": (edit("final_chain", ""), INTEGRITY, 0),
    "total": (edit("total_bytes", 7), INTEGRITY, 0),
    "count": (edit("chunk_count", 5), INTEGRITY, 0),
    "size": (edit("chunks/2/size", CHUNK - 1), INTEGRITY, 0),
    "negative size": (edit("chunks/2/size", -1), INTEGRITY, 0),
    "enormous size": (edit("chunks/2/size", 1 << 60), INTEGRITY, 0),
    "index": (edit("chunks/2/index", 3), INTEGRITY, 0),
    "key of another stream": (edit("chunks/2/s3_key", "other/chunk-000002"), INTEGRITY, 0),
    "key that climbs": (edit("chunks/2/s3_key", "../../etc/passwd"), INTEGRITY, 0),
    "name": (edit("name", "other"), INTEGRITY, 0),
    "no chunks": (remove_field("chunks"), INTEGRITY, 0),
    "type": (edit("chunks", "none"), INTEGRITY, 0),
    "newer version": (edit("version", 2), UNSUPPORTED, 0),
    "unknown method": (edit("encryption_method", "rot13"), UNSUPPORTED, 0),
}


@pytest.mark.parametrize("sealing", ["plain", "aes"])
def test_an_edited_manifest_is_found(
    folder_bucket: FolderBucket,
    unique_name: str,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    sealing: str,
    store: Store,
) -> None:
    stream = store(folder_bucket, unique_name, sealing)
    genuine = stream.manifest()
    s3duct = connect(folder_bucket, monkeypatch, key_file=stream.key_file)
    for name, (change, code, whole_chunks) in EDITS.items():
        edited = copy.deepcopy(genuine)
        change(edited)
        folder_bucket.write(stream.manifest_key, json.dumps(edited).encode())

        # Under a key, the MAC tells before any chunk.
        expected = CONTENT[: whole_chunks * CHUNK] if sealing == "plain" else b""
        assert get_outcome(s3duct, unique_name) == (code, expected), name

    stream.get(code=code)
    stream.verify(code=code)


def test_a_manifest_that_is_none_is_found(
    folder_bucket: FolderBucket, unique_name: str, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    """Exit 3, or 4 where it could be a sealed one for all that can be known without a key."""
    stream = store(folder_bucket, unique_name, "plain")
    s3duct = connect(folder_bucket, monkeypatch)
    for content in (b"{", b"{}", b'{"version": 1}', b"{" * 100_000, b"", b"[]", b"\xff" * 100):
        folder_bucket.write(stream.manifest_key, content)

        code, written = get_outcome(s3duct, unique_name)

        assert code == INTEGRITY if content.startswith(b"{") else code in (INTEGRITY, WRONG_KEY)
        assert written == b""


def test_a_damaged_sealed_manifest_is_found(
    folder_bucket: FolderBucket,
    unique_name: str,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
) -> None:
    stream = store(folder_bucket, unique_name, "aes-sealed-manifest")
    sealed = folder_bucket.read(stream.manifest_key)
    s3duct = connect(folder_bucket, monkeypatch, key_file=key_file)
    for damaged in (
        sealed[:-1],
        sealed + b"\0",
        sealed[:20] + b"X" + sealed[21:],
        sealed[:27],
        sealed[:1],
        b"",
    ):
        folder_bucket.write(stream.manifest_key, damaged)

        code, written = get_outcome(s3duct, unique_name)

        # The key turns all but the damage into text: so it is the right one.
        assert (code, written) == (INTEGRITY, b"")


def test_a_sealed_stream_is_not_exchanged_for_a_plain_one(
    folder_bucket: FolderBucket, unique_name: str, key_file: Path, store: Store
) -> None:
    """Whoever can write the bucket could put a plain stream there: a caller with a key does not take it."""
    store(folder_bucket, unique_name, "plain")
    stream = Stream(folder_bucket, unique_name, key_file)

    outcome = stream.get(code=INTEGRITY)

    assert outcome.stdout == b""
    stream.verify("--deep", code=INTEGRITY)


# --- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sealing", ["aes", "aes-sealed-manifest"])
def test_the_wrong_key_and_no_key_write_nothing(
    folder_bucket: FolderBucket,
    unique_name: str,
    key_file: Path,
    other_key_file: Path,
    sealing: str,
    store: Store,
) -> None:
    store(folder_bucket, unique_name, sealing)
    wrong = Stream(folder_bucket, unique_name, other_key_file)
    without = Stream(folder_bucket, unique_name)

    for stream in (wrong, without):
        outcome = stream.get(code=WRONG_KEY)
        assert outcome.stdout == b""
        assert any("key" in line for line in outcome.lines if line.startswith("s3duct: error: "))


def test_a_stream_that_is_not_there(bucket: Bucket, unique_name: str) -> None:
    stream = Stream(bucket, unique_name)

    for outcome in (stream.get(code=NOT_FOUND), stream.verify(code=NOT_FOUND)):
        assert f"s3duct: error: there is no stream {unique_name!r}" in outcome.lines
