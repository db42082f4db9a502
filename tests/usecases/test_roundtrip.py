"""What is put comes back, at every size around a chunk's border, however the source hands it out."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from s3duct.domain.chain import chain_over
from s3duct.domain.digest import dual_digest
from s3duct.domain.errors import KeyRequired, SourceError, StreamNotFound, UsageError
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.sizes import KIB, MIB
from s3duct.domain.storage_class import StorageClass
from tests.fakes.pipe import FakeSource
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, run
from tests.usecases.world import CHUNK, KEY, NAME, PLAIN_KEYS, World, aes, content

SIZES = [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1, 13 * CHUNK + 5]
CIPHERS = [None, aes()]


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("size", SIZES)
@on_quick_loop
async def test_a_stream_comes_back(size: int, cipher: Cipher | None) -> None:
    world = World(cipher=cipher)
    data = content(size)
    await world.put(data)
    assert await world.restored() == data
    assert world.journals.contents == {}
    assert not world.journals.held
    assert not world.memory.out


async def there_and_back(
    size: int, reads: list[int], *, chunk_bytes: int, max_chunks: int | None, cipher: Cipher | None
) -> None:
    world = World(chunk_bytes=chunk_bytes, max_chunks=max_chunks, cipher=cipher)
    data = content(size)
    summary = await world.put(FakeSource(data, reads=reads))
    assert await world.restored() == data
    assert not world.memory.out
    assert len(summary.manifest.chunks) == -(-size // chunk_bytes)
    assert all(record.size_bytes == chunk_bytes for record in summary.manifest.chunks[:-1])


@settings(max_examples=25)
@given(
    chunks=st.integers(0, 5),
    beside=st.integers(-2, 2),
    reads=st.lists(st.integers(1, 700), max_size=5),
    chunk_bytes=st.sampled_from([KIB, KIB + 1, 3 * KIB, 64 * KIB]),
    max_chunks=st.sampled_from([None, 1, 2]),
    cipher=st.sampled_from(CIPHERS),
)
@example(chunks=1, beside=0, reads=[1], chunk_bytes=KIB, max_chunks=1, cipher=CIPHERS[1])
def test_read_splits_and_limits_change_nothing(
    chunks: int,
    beside: int,
    reads: list[int],
    chunk_bytes: int,
    max_chunks: int | None,
    cipher: Cipher | None,
) -> None:
    size = max(chunks * chunk_bytes + beside, 1)
    run(
        there_and_back(size, reads, chunk_bytes=chunk_bytes, max_chunks=max_chunks, cipher=cipher),
        debug=False,
    )


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_chunks_of_many_parts_come_back(beside: int, cipher: Cipher | None) -> None:
    """Chunks above 8 MiB are sent as multipart uploads, sealed piece by piece."""

    async def scenario() -> None:
        world = World(chunk_bytes=17 * MIB, cipher=cipher)
        data = content(17 * MIB + beside)
        await world.put(FakeSource(data, reads=[3 * MIB + 1]))
        assert world.store.keys("put_parts") == [PLAIN_KEYS[0]]
        assert await world.restored() == data
        assert (await world.verify(deep=True)).ok

    run(scenario(), debug=False)


def test_a_sealed_chunk_that_barely_needs_two_parts_comes_back() -> None:
    """8 MiB of plain bytes fit one part; sealed, they do not."""

    async def scenario() -> None:
        world = World(chunk_bytes=8 * MIB, cipher=aes())
        data = content(8 * MIB)
        await world.put(data)
        assert world.store.keys("put_parts") == [PLAIN_KEYS[0]]
        assert await world.restored() == data

    run(scenario(), debug=False)


@on_loop
async def test_the_manifest_says_what_was_stored() -> None:
    world = World(cipher=aes(), prefix="p/q")
    data = content(2 * CHUNK + 7)
    summary = await world.put(
        data, description="a stream", tags={"env": "prod"}, storage_class=StorageClass.GLACIER_IR.value
    )
    manifest = await world.manifest()
    assert manifest is not None
    digests = [dual_digest(data[start : start + CHUNK]) for start in range(0, len(data), CHUNK)]
    assert manifest["name"] == NAME
    assert manifest["total_bytes"] == len(data)
    assert manifest["chunk_count"] == 3
    assert manifest["final_chain"] == chain_over(digests).hex()
    assert [chunk["sha256"] for chunk in manifest["chunks"]] == [digest.sha256.hex() for digest in digests]
    assert [chunk["sha3_256"] for chunk in manifest["chunks"]] == [
        digest.sha3_256.hex() for digest in digests
    ]
    assert manifest["encryption_method"] == "aes-256-gcm"
    assert manifest["description"] == "a stream"
    assert manifest["tags"] == {"env": "prod"}
    assert manifest["storage_class"] == "GLACIER_IR"
    for chunk in manifest["chunks"]:
        sealed = await world.read("p/q/" + chunk["s3_key"])
        assert chunk["encrypted_size"] == len(sealed)
        assert chunk["encrypted_sha256"] == hashlib.sha256(sealed).hexdigest()
        assert chunk["etag"] == (await world.bucket.head("p/q/" + chunk["s3_key"])).etag
    assert summary.manifest_key == f"p/q/{NAME}/.manifest.json"
    written = await world.read(summary.manifest_key)
    assert summary.manifest_sha256 == hashlib.sha256(written).hexdigest()
    assert await world.restored() == data


@on_loop
async def test_the_storage_class_is_for_chunks_only() -> None:
    world = World()
    await world.put(content(2 * CHUNK), storage_class="GLACIER")
    classes = {
        operation.key: operation.storage_class for operation in world.store.operations if operation.writes
    }
    assert classes == {PLAIN_KEYS[0]: "GLACIER", PLAIN_KEYS[1]: "GLACIER", world.location.manifest_key: None}


@on_loop
async def test_the_same_chunk_is_never_sealed_twice_alike() -> None:
    world = World(cipher=aes())
    await world.put(content(CHUNK) * 2)
    first, second = await world.read(PLAIN_KEYS[0]), await world.read(PLAIN_KEYS[1])
    assert first[:12] != second[:12]
    assert first != second


@on_loop
async def test_a_sealed_manifest_opens_with_the_key_only() -> None:
    world = World(cipher=aes())
    data = content(CHUNK + 1)
    await world.put(data, seal_manifest=True)
    with pytest.raises(UnicodeDecodeError):
        json.loads((await world.read(world.location.manifest_key)).decode())
    assert await world.restored() == data
    without = world.elsewhere(cipher=World().cipher)
    assert isinstance(await failure_of(without.get()), KeyRequired)
    assert without.sink.data == b""


@on_loop
async def test_a_manifest_cannot_be_sealed_without_a_key() -> None:
    world = World()
    assert isinstance(await failure_of(world.put(b"x", seal_manifest=True)), UsageError)
    assert await world.objects() == {}


@on_loop
async def test_an_empty_input_is_refused_and_leaves_nothing() -> None:
    world = World()
    error = await failure_of(world.put(b""))
    assert isinstance(error, SourceError)
    assert "--allow-empty" in error.hint
    assert await world.objects() == {}
    assert world.journals.contents == {}


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@on_quick_loop
async def test_an_empty_stream_is_stored_if_allowed(cipher: Cipher | None) -> None:
    world = World(cipher=cipher)
    await world.put(b"", allow_empty=True)
    manifest = await world.manifest()
    assert manifest is not None
    assert (manifest["chunks"], manifest["final_chain"], manifest["total_bytes"]) == ([], "", 0)
    assert await world.restored() == b""
    assert (await world.verify(deep=True)).ok
    assert world.journals.contents == {}


@on_loop
async def test_a_source_that_says_it_may_be_incomplete_is_quoted() -> None:
    world = World()
    summary = await world.put(FakeSource(content(10), warning="the file grew"))
    assert summary.warnings == ("the file grew",)


@on_loop
async def test_what_is_not_there_is_not_found() -> None:
    world = World()
    assert isinstance(await failure_of(world.get()), StreamNotFound)
    assert isinstance(await failure_of(world.verify()), StreamNotFound)


def test_keys_of_the_suite_are_what_they_seem() -> None:
    assert len(KEY) == 32
    assert content(64) == content(64)
    assert content(64) != content(64, 1)
