"""Hashes of a chunk on its way are held for those of others, and never longer than until somebody waits for them."""

from __future__ import annotations

import asyncio
import signal

import pytest

from s3duct.app.pipeline import held_hashes, lanes
from s3duct.domain.errors import Interrupted
from s3duct.domain.events import ChunkFinished, Event
from s3duct.domain.ports.cipher import Cipher
from tests.fakes.hasher import FakeHasher
from tests.fakes.hooked_store import Operation, Phase
from tests.fakes.pipe import HangingSource
from tests.usecases.loop import on_loop
from tests.usecases.world import CHUNK, World, aes, content

DATA = content(2 * CHUNK + 1)  # the last chunk takes only one piece of those in front along
LAST = 2
# A source that hangs behind whole chunks does not say that no more will come.
WHOLE = content(3 * CHUNK)

pytestmark = pytest.mark.usefixtures("by_lanes")


@pytest.fixture(autouse=True)
def without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No clock ends the patience: what waits for it wrongly hangs. A chunk is hashed in four pieces."""
    monkeypatch.setattr(lanes, "PIECE_BYTES", CHUNK // 4)
    monkeypatch.setattr(held_hashes, "_PATIENCE_S", 3600.0)


class LastComesFirst(World):
    """Stores what is in front of the last chunk only once `may_go`; hashes eight lanes at once, more than there ever are."""

    def __init__(self) -> None:
        super().__init__()
        self.hasher = FakeHasher(8)
        self.may_go = asyncio.Event()
        self.store.hooks.append(self._hold_up)

    async def _hold_up(self, operation: Operation, phase: Phase) -> None:
        if (
            operation.writes
            and "chunk-00000" in operation.key
            and f"chunk-{LAST:06d}" not in operation.key
            and phase is Phase.BEFORE
        ):
            await self.may_go.wait()


@on_loop
async def test_a_chunk_that_is_stored_is_recorded_though_those_in_front_are_still_on_its_way() -> None:
    world = LastComesFirst()

    def go_once_the_last_is_recorded(event: Event) -> None:
        if isinstance(event, ChunkFinished) and event.index == LAST:
            source.release.set()
            world.may_go.set()

    world.reactions.append(go_once_the_last_is_recorded)
    source = HangingSource(WHOLE)
    await world.put(source)
    assert await world.restored() == WHOLE


@on_loop
async def test_a_single_chunk_is_hashed_once_it_is_stored() -> None:
    world = World(max_chunks=1)
    world.hasher = FakeHasher(8)
    await world.put(DATA)
    assert await world.restored() == DATA


@pytest.mark.parametrize("cipher", [None, aes()], ids=["plain", "aes"])
@on_loop
async def test_behind_the_last_chunk_nothing_is_waited_for(cipher: Cipher | None) -> None:
    """Its hashes are there before it is stored: nobody else will come to go along with."""
    world = World(cipher=cipher)
    world.hasher = hasher = FakeHasher(8)
    hashed = asyncio.Event()

    async def hold_up(operation: Operation, phase: Phase) -> None:
        if operation.writes and "chunk-" in operation.key and phase is Phase.BEFORE:
            await hashed.wait()

    async def look() -> None:
        digested = 0
        while digested < CHUNK:
            await asyncio.sleep(0.001)
            digested = sum(sum(call) for call in hasher.calls if len(call) == 1)
        hashed.set()

    world.store.hooks.append(hold_up)
    looking = asyncio.ensure_future(look())
    await world.put(DATA[:CHUNK])
    await looking
    assert await world.restored() == DATA[:CHUNK]


@on_loop
async def test_a_stop_keeps_what_was_stored_behind_chunks_on_their_way() -> None:
    world = LastComesFirst()

    def stop_and_go(event: Event) -> None:
        if isinstance(event, ChunkFinished) and event.index == LAST:
            world.stop.set(signal.SIGTERM)
            world.may_go.set()
            source.release.set()

    world.reactions.append(stop_and_go)
    source = HangingSource(WHOLE)
    with pytest.raises(Interrupted):
        await world.put(source)
    assert {event.index for event in world.heard(ChunkFinished)} == {0, 1, LAST}
