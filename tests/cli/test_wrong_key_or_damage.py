"""A wrong key (4) is told from damage (3), for every way to seal; where it can be, before any chunk is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from s3duct.app.api import S3duct
from tests.servers import S3Server
from tests.support.age_keys import identity_file
from tests.support.api import connect, get_outcome
from tests.support.buckets import FolderBucket, ServerBucket
from tests.support.data import KIB, random_bytes
from tests.support.proxy import RecordingProxy
from tests.support.streams import KeyFields, Stream

CHUNK = 16 * KIB
CONTENT = random_bytes(3 * CHUNK, "wrong key or damage")
SEALINGS = ["aes-plain", "aes-sealed", "age-plain", "age-sealed"]


@dataclass(frozen=True, slots=True)
class Keys:
    """The right key, the wrong one, and one of the other method."""

    right: KeyFields
    wrong: KeyFields
    foreign: KeyFields


@pytest.fixture(params=SEALINGS)
def sealing(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def keys(sealing: str, tmp_path: Path, key_file: Path, other_key_file: Path) -> Keys:
    identities = [identity_file(tmp_path, "x25519", number) for number in range(2)]
    aes: list[KeyFields] = [{"key_file": key_file}, {"key_file": other_key_file}]
    age: list[KeyFields] = [{"age_identity": identity} for identity in identities]
    own, other = (aes, age) if sealing.startswith("aes") else (age, aes)
    return Keys(own[0], own[1], other[0])


@pytest.fixture
def stream(folder_bucket: FolderBucket, unique_name: str, sealing: str, keys: Keys) -> Stream:
    return stored(Stream(folder_bucket, unique_name, **keys.right), sealing)


def stored(stream: Stream, sealing: str) -> Stream:
    flags = ["--encrypt-manifest"] if sealing.endswith("sealed") else []
    stream.put(CONTENT, "--chunk-size", "16K", *flags)
    return stream


@pytest.fixture
def proxy(rclone_s3: S3Server) -> Iterator[RecordingProxy]:
    with RecordingProxy(rclone_s3.endpoint_url) as proxy:
        yield proxy


def test_no_chunk_is_fetched_with_a_wrong_key(
    rclone_s3: S3Server, proxy: RecordingProxy, unique_name: str, sealing: str, keys: Keys
) -> None:
    with closing(ServerBucket(rclone_s3, endpoint_url=proxy.endpoint_url)) as bucket:
        stored(Stream(bucket, unique_name, **keys.right), sealing)
        before = len(proxy.exchanges)
        for given in (keys.wrong, keys.foreign, KeyFields()):
            stream = Stream(bucket, unique_name, **given)
            assert stream.get(code=4).stdout == b""
            if given:  # without a key, verify may check the sealed bytes
                stream.verify("--deep", code=4)
        asked = proxy.exchanges[before:]

        assert any(exchange.path.endswith("/.manifest.json") for exchange in asked)
        assert [exchange for exchange in asked if "/chunk-" in exchange.path] == []
        Stream(bucket, unique_name, **keys.right).restores(CONTENT)
        assert [
            exchange
            for exchange in proxy.exchanges
            if "/chunk-" in exchange.path and exchange.method == "GET"
        ]


# What follows goes through the Python API: it would cost a hundred processes.


@pytest.fixture
def api(stream: Stream, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> S3duct:
    return connect(stream.bucket, monkeypatch, **keys.right)


def flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 4
    return bytes(changed)


def test_a_damaged_chunk_is_damage(stream: Stream, api: S3duct) -> None:
    """Wherever it is: in age's header as well, where it looks as if the chunk were for somebody else."""
    key = f"{stream.folder}chunk-000001"
    whole = stream.bucket.read(key)
    for place in (*range(0, 300, 3), len(whole) // 2, len(whole) - 17, len(whole) - 1):
        stream.bucket.write(key, flipped(whole, place))

        assert get_outcome(api, stream.name) == (3, CONTENT[:CHUNK]), place
    assert api.verify(stream.name, deep=True).mismatched == (1,)


def test_a_chunk_that_is_cut_short_is_damage(stream: Stream, api: S3duct) -> None:
    key = f"{stream.folder}chunk-000001"
    whole = stream.bucket.read(key)
    for kept in (len(whole) - 1, len(whole) - 16, 10_000, 100, 12, 1, 0):
        stream.bucket.write(key, whole[:kept])

        assert get_outcome(api, stream.name) == (3, CONTENT[:CHUNK]), kept
    assert api.verify(stream.name).mismatched == (1,)


def test_swapped_chunks_are_damage(stream: Stream, api: S3duct) -> None:
    """Each is whole, and sealed with the right key."""
    first, second = (f"{stream.folder}chunk-00000{index}" for index in (0, 1))
    contents = stream.bucket.read(first), stream.bucket.read(second)
    stream.bucket.write(first, contents[1])
    stream.bucket.write(second, contents[0])

    assert get_outcome(api, stream.name) == (3, b"")


def test_a_damaged_manifest_is_damage(stream: Stream, api: S3duct, sealing: str) -> None:
    whole = stream.bucket.read(stream.manifest_key)
    for place in places_that_are_proven(whole, sealing):
        stream.bucket.write(stream.manifest_key, flipped(whole, place))

        assert get_outcome(api, stream.name) == (3, b""), place


def places_that_are_proven(manifest: bytes, sealing: str) -> list[int]:
    """A sealed one tells by its first bytes alone whom it is for; age proves nothing of a plain one but its chain."""
    if sealing == "aes-plain":
        return [*range(0, manifest.index(b'"key_id"'), 61), len(manifest) - 1]
    if sealing == "age-plain":
        fields = (
            b'"sha256": "',
            b'"sha3_256": "',
            b'"final_chain": "',
            b'"total_bytes": ',
            b'"chunk_count": ',
        )
        return [manifest.index(field) + len(field) for field in fields]
    return [*range(300, len(manifest), 61), len(manifest) - 1]


def test_a_manifest_that_is_cut_short_is_damage(stream: Stream, api: S3duct) -> None:
    whole = stream.bucket.read(stream.manifest_key)
    for kept in (len(whole) - 1, len(whole) // 2, 10, 0):
        stream.bucket.write(stream.manifest_key, whole[:kept])

        assert get_outcome(api, stream.name) == (3, b""), kept
