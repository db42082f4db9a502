"""A put whose input turns out to be another one than what is stored, and that is to go on all the same."""

from __future__ import annotations

import asyncio
import threading

import pytest

from s3duct.domain.errors import InputTooShort, RunInProgress
from s3duct.domain.events import Notice, TransferStarted
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.resume import OnDivergence
from tests.fakes.pipe import FakeSource
from tests.fault.invariant import watched
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, until
from tests.usecases.world import CHUNK, World, aes, content

RESTART, KEEP = OnDivergence.RESTART, OnDivergence.KEEP_PARTIAL
DATA = content(7 * CHUNK + 9)


def another(differs_in: int) -> bytes:
    """`DATA`, but for everything from that chunk on."""
    return DATA[: differs_in * CHUNK] + content(6 * CHUNK, 1)


async def cut_off(stored: set[int], cipher: Cipher | None = None) -> World:
    """A machine whose put of `DATA` was cut off."""
    world = World(cipher=cipher)
    await world.put_cut_off(DATA, stored=stored)
    return world


@pytest.mark.parametrize("cipher", [None, aes()], ids=["plain", "aes"])
@pytest.mark.parametrize("max_chunks", [None, 1, 2])
@pytest.mark.parametrize(
    ("stored", "differs_in"),
    [
        (stored, at)
        for stored in ({0}, {0, 1, 2}, {0, 2}, {2}, {0, 3, 5}, {0, 2, 4, 6})
        for at in range(max(stored) + 1)
    ],
)
@on_quick_loop
async def test_it_goes_on_with_the_new_input(
    stored: set[int], differs_in: int, max_chunks: int | None, cipher: Cipher | None
) -> None:
    world = await cut_off(stored, cipher)
    before, new = await world.objects(), another(differs_in)
    again = watched(world.restarted(max_chunks=max_chunks))
    summary = await again.put(new, on_divergence=RESTART)
    assert summary.chunks_resumed == len([index for index in stored if index < differs_in])
    assert not set(again.store.writes) & before.keys() - {again.chunk_key(0)} - {again.chunk_key(1)}
    assert await again.restored() == new
    assert (await again.verify(deep=True)).ok
    assert set(await again.objects()) == await again.named_keys() | {again.location.manifest_key}
    assert again.journals.contents == {}
    assert await again.resume_keys() == []


@on_loop
async def test_what_is_stored_of_the_other_input_can_be_kept() -> None:
    world = await cut_off({0, 1, 2})
    before, new = await world.objects(), another(1)
    again = watched(world.restarted())
    await again.put(new, on_divergence=KEEP)
    assert await again.restored() == new
    objects = await again.objects()
    assert {key: objects[key] for key in before} == before
    (notice,) = again.heard(Notice)
    assert "1 chunks are the same, 2 others stay" in notice.message


@pytest.mark.parametrize("elsewhere", [False, True])
@on_quick_loop
async def test_cut_off_again_it_resumes(elsewhere: bool) -> None:
    """The journals know the new input only, each as much as the other."""
    world = await cut_off({0, 1, 2, 4})
    new = another(2)
    again = watched(world.restarted())

    await again.put_cut_off(new, stored={0, 1, 2, 3, 4, 5}, on_divergence=RESTART)
    again.let_claims_go_stale()
    third = watched(again.elsewhere() if elsewhere else again.restarted())
    assert (await third.put(new)).chunks_resumed == 6
    assert await third.restored() == new


@on_loop
async def test_a_shorter_input_is_refused_as_ever() -> None:
    """It may be another one, or the same and cut short: only who says so means the former."""
    world = await cut_off({0, 1, 2})
    new = content(CHUNK // 2, 1)
    error = await failure_of(world.restarted().put(new, on_divergence=RESTART))
    assert isinstance(error, InputTooShort)
    again = watched(world.restarted())
    await again.put(new, on_divergence=RESTART, strict_resume=False)
    assert await again.restored() == new


class LateSource(FakeSource):
    """Gives nothing before the gate is open."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.gate = threading.Event()

    def read_into(self, view: memoryview) -> int:
        self.gate.wait(15)
        return super().read_into(view)


@on_loop
async def test_who_was_taken_over_does_not_go_on() -> None:
    world = await cut_off({0, 1, 2})
    again = watched(world.restarted())
    source = LateSource(another(1))
    putting = asyncio.ensure_future(failure_of(again.put(source, on_divergence=RESTART)))
    await until(lambda: bool(again.heard(TransferStarted)))
    other = world.elsewhere()
    await other.put(DATA, takeover=True)
    source.gate.set()
    assert isinstance(await putting, RunInProgress)
    assert not again.store.writes
    assert await other.restored() == DATA
