"""list reads no more of large manifests than it shows, unless a key may prove them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from s3duct.app.usecases.list_streams import ListPorts, list_streams
from s3duct.domain.chain import chain_over
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.digest import dual_digest
from s3duct.domain.events import ignore_events
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import encode_document, encode_manifest, manifest_document
from s3duct.domain.sizes import MIB
from tests.fakes.hooked_store import HookedStore
from tests.usecases.loop import on_quick_loop
from tests.usecases.world import World, aes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from s3duct.app.usecases.list_streams import ListedStream
    from s3duct.domain.ports.object_store import Bytes

CHUNKS = 9000
DIGEST = dual_digest(b"x")


def large(name: str) -> Manifest:
    records = tuple(ChunkRecord(index, f"{name}/chunk-{index:06d}", 1, DIGEST, "") for index in range(CHUNKS))
    final = chain_over(record.digest for record in records).hex()
    return Manifest(name, 1, CHUNKS, records, final, "2026-01-01T00:00:00+00:00", "1", description="ü" * 10)


class MeteredStore(HookedStore):
    """Gives out pieces of 64 KiB; `read_bytes` is how much was taken, `most_at_once` of how many manifests in turns."""

    read_bytes = 0
    most_at_once = 0
    _at_once = 0

    async def get(self, key: str) -> AsyncIterator[Bytes]:
        is_whole = False
        try:
            async for whole in super().get(key):
                for start in range(0, len(whole), 1 << 16):
                    piece = bytes(whole[start : start + (1 << 16)])
                    self.read_bytes += len(piece)
                    yield piece
                    if not is_whole:  # whoever wanted the beginning has gone
                        is_whole = True
                        self._at_once += 1
                        self.most_at_once = max(self.most_at_once, self._at_once)
                    await asyncio.sleep(0)
        finally:
            self._at_once -= is_whole


def list_ports(world: World, store: HookedStore) -> ListPorts:
    return ListPorts(
        store=store,
        cipher=world.cipher,
        clock=world.clock,
        entropy=world.entropy,
        retry_policy=world.retry_policy,
    )


async def listed(world: World, content: bytes) -> tuple[ListedStream, int]:
    assert len(content) > MIB
    await world.write("big/.manifest.json", content)
    store = MeteredStore(world.bucket)
    ports = list_ports(world, store)
    (stream,) = [stream async for stream in list_streams("", ports=ports, listener=ignore_events)]
    return stream, store.read_bytes


@on_quick_loop
async def test_of_a_large_manifest_the_beginning_is_read() -> None:
    stream, read_bytes = await listed(World(), encode_manifest(large("big")))
    assert stream.manifest is not None
    assert (stream.manifest.chunk_count, stream.manifest.total_bytes) == (CHUNKS, CHUNKS)
    assert stream.manifest.description == "ü" * 10
    assert read_bytes <= MIB // 4


@pytest.mark.parametrize("field", ["tags", "chunk_count", "name"])
@on_quick_loop
async def test_a_manifest_of_another_order_is_read_whole(field: str) -> None:
    document = manifest_document(large("big"))
    document[field] = document.pop(field)
    content = encode_document(document)
    stream, read_bytes = await listed(World(), content)
    assert stream.manifest is not None
    assert stream.manifest.chunk_count == CHUNKS
    assert read_bytes >= len(content)


@on_quick_loop
async def test_those_whose_beginning_is_not_enough_are_read_one_after_another() -> None:
    """Opened, each takes ten times its size: a bucket full of them must not fill the memory."""
    world = World()
    for name in ("a", "b", "c"):
        document = manifest_document(large(name))
        await world.write(
            f"{name}/.manifest.json", encode_document({"chunks": document.pop("chunks")} | document)
        )
    store = MeteredStore(world.bucket)
    streams = list_streams("", ports=list_ports(world, store), listener=ignore_events)
    assert [stream.manifest is not None async for stream in streams] == [True] * 3
    assert store.most_at_once == 1


@on_quick_loop
async def test_a_dense_beginning_is_refused_however_much_the_store_gives_at_once() -> None:
    """Parsed, a mass of tiny values takes 46 times its size."""
    world = World()
    content = encode_manifest(large("big")).replace(b"{", b'{"x":[' + b"[]," * (MIB // 3) + b"[]],", 1)
    await world.write("big/.manifest.json", content)
    (stream,) = [
        each async for each in list_streams("", ports=list_ports(world, world.store), listener=ignore_events)
    ]
    assert stream.manifest is None
    assert "too many values" in stream.problem


@on_quick_loop
async def test_a_key_that_may_prove_it_reads_it_whole() -> None:
    """A MAC that is wrong must not go unseen because the beginning looks well."""
    content = encode_manifest(large("big"))
    stream, read_bytes = await listed(World(cipher=aes()), content)
    assert stream.unproven
    assert read_bytes == len(content)
    document = json.loads(content)
    document["s3duct"] = {
        "mac": {"alg": "hmac-sha256", "value": "00" * 32, "key_id": aes().key_id},
    }
    stream, _ = await listed(World(cipher=aes()), encode_document(document))
    assert stream.manifest is None
    assert "MAC" in stream.problem


@on_quick_loop
async def test_a_large_manifest_of_another_stream_is_unreadable() -> None:
    stream, _ = await listed(World(), encode_manifest(replace(large("big"), name="other")))
    assert stream.manifest is None
    assert "manifest of 'other'" in stream.problem
