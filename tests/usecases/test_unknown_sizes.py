"""Sealed sizes that are only bounded beforehand (age plugins): what was given out is what the store must have taken."""

from __future__ import annotations

import random
import threading
from collections.abc import AsyncIterator

import pytest

from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.header import MAX_HEADER_BYTES, Stanza
from s3duct.adapters.age.keys import Wrapped
from s3duct.adapters.age.x25519 import X25519Identity, X25519Recipient
from s3duct.domain.errors import KeyUnavailable, StoreUnavailable
from s3duct.domain.ports.cipher import Sealer
from s3duct.domain.ports.object_store import Bytes, StoredObject
from s3duct.domain.retry import NO_RETRIES
from s3duct.domain.sizes import MIB
from tests.fakes.hooked_store import HookedStore
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, run
from tests.usecases.world import CHUNK, World, aes, content

IDENTITY = X25519Identity(bytes([7]) * 32)


class NoisyRecipient(X25519Recipient):
    """Adds noise of any size to its stanza, as a plugin may."""

    def __init__(self) -> None:
        super().__init__(bytes.fromhex(IDENTITY.recipient._point.hex()))
        self.draw = random.Random(1)

    @property
    def is_of_fixed_size(self) -> bool:
        return False

    def wrap(self, file_key: bytes) -> Wrapped:
        noise = Stanza(
            "noise", ("x" * self.draw.randint(1, 99),), self.draw.randbytes(self.draw.randint(0, 3000))
        )
        return Wrapped((noise, *super().wrap(file_key).stanzas))


def noisy() -> AgeCipher:
    return AgeCipher(recipients=[NoisyRecipient()], identities=[IDENTITY])


@pytest.mark.parametrize("size", [1, CHUNK, 5 * CHUNK + 1])
@on_quick_loop
async def test_a_stream_comes_back_and_the_manifest_has_its_true_sizes(size: int) -> None:
    world = World(cipher=noisy())
    data = content(size)
    summary = await world.put(data)
    assert await world.restored() == data
    assert (await world.verify(deep=True)).ok
    for record in summary.manifest.chunks:
        assert record.sealed_size_bytes == (await world.bucket.head(record.key)).size_bytes


@pytest.mark.parametrize(
    ("size_bytes", "in_parts"),
    [(8 * MIB - MAX_HEADER_BYTES - 3000, False), (8 * MIB - MAX_HEADER_BYTES, True), (17 * MIB, True)],
)
def test_chunks_around_the_size_of_a_part_come_back(size_bytes: int, in_parts: bool) -> None:
    """What might not fit into one part is sent in parts, even if it would have fitted."""

    async def scenario() -> None:
        world = World(chunk_bytes=17 * MIB, cipher=noisy())
        data = content(size_bytes)
        await world.put(data)
        assert bool(world.store.keys("put_parts")) == in_parts
        assert await world.restored() == data

    run(scenario(), debug=False)


class HastyStore(HookedStore):
    """Calls an object stored before it has seen all of it."""

    async def put_parts(
        self, key: str, parts: AsyncIterator[Bytes], *, part_bytes: int, storage_class: str | None = None
    ) -> StoredObject:
        async def first() -> AsyncIterator[Bytes]:
            async for piece in parts:
                yield piece
                return

        return await super().put_parts(key, first(), part_bytes=part_bytes, storage_class=storage_class)


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "aes"])
def test_a_store_that_does_not_wait_for_the_end_has_not_stored_it(sealed: bool) -> None:
    async def scenario() -> None:
        world = World(chunk_bytes=20 * MIB, cipher=aes() if sealed else None)
        world.retry_policy = NO_RETRIES
        world.store = HastyStore(world.bucket)
        error = await failure_of(world.put(content(20 * MIB)))
        assert isinstance(error, StoreUnavailable)
        assert "instead of all" in error.message
        assert await world.manifest() is None

    run(scenario(), debug=False)


class WaitingCipher(AgeCipher):
    """Says on which threads file keys are wrapped."""

    threads: set[threading.Thread]

    def sealer(self) -> Sealer:
        self.threads.add(threading.current_thread())
        return super().sealer()


@on_loop
async def test_a_plugin_that_waits_for_a_human_holds_up_nothing_else() -> None:
    cipher = WaitingCipher(recipients=[NoisyRecipient()], identities=[IDENTITY])
    cipher.threads = set()
    await World(cipher=cipher).put(content(2 * CHUNK))
    assert cipher.threads
    assert threading.current_thread() not in cipher.threads


class UnavailableRecipient(NoisyRecipient):
    def wrap(self, file_key: bytes) -> Wrapped:
        raise KeyUnavailable("the key is not plugged in")


@on_loop
async def test_a_plugin_that_fails_ends_the_run_and_nothing_is_stored() -> None:
    world = World(cipher=AgeCipher(recipients=[UnavailableRecipient()]))
    error = await failure_of(world.put(content(2 * CHUNK)))
    assert isinstance(error, KeyUnavailable)
    assert not world.clock.naps
    assert not world.store.writes
    assert not world.journals.recorded()
