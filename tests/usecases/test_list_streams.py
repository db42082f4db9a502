"""list: every stream once, in order, whatever state its manifest is in."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.app.usecases.list_streams import ListPorts, list_streams
from s3duct.domain.errors import AccessDenied, StoreError
from s3duct.domain.events import ignore_events
from s3duct.domain.ports.object_store import StoredObject
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.hooks import fails_for
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, run
from tests.usecases.world import OTHER_KEY, World, aes, content


async def put(world: World, name: str, *, prefix: str = "", **changes: object) -> None:
    """Put a small stream of that name."""
    other = World(name=name, prefix=prefix, bucket=world.bucket, cipher=world.cipher)
    await other.put(content(10, len(name)), **changes)


@on_loop
async def test_an_empty_bucket_lists_nothing() -> None:
    assert await World().listed() == []


@on_loop
async def test_streams_are_described_by_their_manifests() -> None:
    world = World(cipher=aes())
    await put(world, "db/one", tags={"env": "prod"})
    (stream,) = await world.listed()
    assert stream.name == "db/one"
    assert stream.manifest is not None
    assert stream.manifest.total_bytes == 10
    assert stream.manifest.tags == {"env": "prod"}
    assert stream.modified is not None
    assert not stream.sealed
    assert stream.problem == ""


async def listed_in_order(names: set[str]) -> None:
    world = World()
    for name in names:
        await put(world, name)
    await world.write("a/chunk-000000", b"a chunk without a stream")
    await world.write("not-a-stream", b"")
    listed = [stream.name for stream in await world.listed()]
    assert listed == sorted(names, key=lambda name: f"{name}/.manifest.json".encode())


@settings(max_examples=15)
@given(st.sets(st.from_regex(r"[a-c](/?[a-c.-]?[a-c]){0,2}", fullmatch=True), max_size=20))
def test_every_stream_is_listed_once_and_in_order(names: set[str]) -> None:
    """In the order of their keys, as stores list them; more of them than are read at once."""
    run(listed_in_order(names), debug=False)


@on_loop
async def test_more_streams_than_are_read_at_once() -> None:
    world = World()
    names = [f"s{index:03d}" for index in range(40)]
    for name in names:
        await put(world, name)
    assert [stream.name for stream in await world.listed()] == names


@on_loop
async def test_a_prefix_shows_its_own_streams_only() -> None:
    world = World()
    for prefix, name in (("p", "a"), ("p", "b/c"), ("pq", "a"), ("", "a"), ("p/q", "d")):
        await put(world, name, prefix=prefix)
    assert [stream.name for stream in await world.listed("p")] == ["a", "b/c", "q/d"]
    assert [stream.name for stream in await world.listed("p/q/")] == ["d"]
    assert await world.listed("nowhere") == []


@on_loop
async def test_without_a_prefix_all_streams_are_listed_under_names_that_hold_theirs() -> None:
    world = World()
    for prefix, name in (("", "a"), ("p", "b"), ("p/q", "c/d")):
        await put(world, name, prefix=prefix)
    streams = await world.listed()
    assert [stream.name for stream in streams] == ["a", "p/b", "p/q/c/d"]
    assert [stream.problem for stream in streams] == ["", "", ""]
    assert all(stream.manifest is not None for stream in streams)


@on_loop
async def test_sealed_manifests_show_as_such() -> None:
    world = World(cipher=aes())
    await put(world, "open")
    await put(world, "sealed", seal_manifest=True)
    for cipher, readable in ((aes(), True), (aes(OTHER_KEY), False), (World().cipher, False)):
        first, second = await world.elsewhere(cipher=cipher).listed()
        assert not first.sealed
        assert second.sealed is not readable
        assert (second.manifest is not None) is readable
        assert second.problem == ""


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"version": 99, "name": "bad"}'])
@on_quick_loop
async def test_an_unreadable_manifest_does_not_hide_the_others(body: bytes) -> None:
    world = World()
    for name in ("a", "c"):
        await put(world, name)
    await world.write("bad/.manifest.json", body)
    streams = await world.listed()
    assert [stream.name for stream in streams] == ["a", "bad", "c"]
    assert streams[1].manifest is None
    assert streams[1].problem or streams[1].sealed


@on_loop
async def test_a_stream_that_vanishes_meanwhile_is_left_out() -> None:
    world = World()
    for name in ("a", "b", "c"):
        await put(world, name)

    async def hook(operation: Operation, phase: Phase) -> None:
        if phase is Phase.BEFORE and operation.method == "get" and operation.key.startswith("b/"):
            await world.delete(operation.key)

    world.store.hooks.append(hook)
    assert [stream.name for stream in await world.listed()] == ["a", "c"]


@on_loop
async def test_a_store_that_refuses_is_an_error_and_leaves_no_task() -> None:
    world = World()
    for index in range(30):
        await put(world, f"s{index:02d}")
    world.store.hooks.append(
        fails_for(lambda op: op.key.startswith("s20/"), error=lambda: AccessDenied("no"))
    )
    assert isinstance(await failure_of(world.listed()), AccessDenied)


@on_loop
async def test_a_caller_that_has_seen_enough_leaves_no_task() -> None:
    world = World()
    for index in range(30):
        await put(world, f"s{index:02d}")
    gate = asyncio.Event()

    async def hook(operation: Operation, phase: Phase) -> None:
        if operation.method == "get" and phase is Phase.BEFORE and not operation.key.startswith("s00/"):
            await gate.wait()

    world.store.hooks.append(hook)
    ports = ListPorts(
        store=world.store,
        cipher=world.cipher,
        clock=world.clock,
        entropy=world.entropy,
        retry_policy=world.retry_policy,
    )
    streams = list_streams("", ports=ports, listener=ignore_events)
    assert (await anext(streams)).name == "s00"
    await streams.aclose()


@on_quick_loop
async def test_what_the_key_does_not_prove_is_listed_as_unproven() -> None:
    world = World(cipher=aes())
    await put(world, "stream")
    assert [stream.unproven for stream in await world.listed()] == [False]
    await world.rewrite_manifest(s3duct={}, tags={"added": "later"})
    assert [stream.unproven for stream in await world.listed()] == [True]
    assert [stream.unproven for stream in await world.elsewhere(cipher=World().cipher).listed()] == [False]
    assert [stream.unproven for stream in await world.elsewhere(cipher=aes(OTHER_KEY)).listed()] == [True]


class WebPage(MemoryObjectStore):
    """What the S3 adapter makes of a server that sends a web page, whatever it is asked for."""

    async def head(self, key: str) -> StoredObject:
        return StoredObject(key, 38, '"page"')


@on_loop
async def test_a_web_page_is_no_empty_bucket() -> None:
    error = await failure_of(World(bucket=WebPage()).listed())
    assert type(error) is StoreError
    assert "no object store" in error.message


@on_loop
async def test_an_empty_bucket_may_be_one_that_may_only_be_listed() -> None:
    world = World()
    world.store.hooks.append(fails_for(lambda op: op.method == "head", error=lambda: AccessDenied("no")))
    assert await world.listed() == []
