"""A digest of plain bytes that sealing takes along is that of all of them, wherever the sealing ends."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading

import pytest

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.app.pipeline.carried_lane import CarriedLane
from s3duct.app.pipeline.lanes import PIECE_BYTES, HashLanes
from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.sealed_message import SealedMessage
from s3duct.app.pipeline.workers import Workers
from s3duct.domain.digest import dual_digest
from s3duct.domain.ports.chunk_memory import Placement, Region
from s3duct.domain.ports.cipher import Sealer
from tests.fakes.chunk_memory import FakeChunkMemory
from tests.fakes.hasher import FakeHasher
from tests.unit.saying import run

PLAIN = random.Random(1).randbytes(2 * PIECE_BYTES + 12_345)
PIECES = 3


class Scene:
    """A complete chunk, its first attempt at sealing, and the digest that follows."""

    def __init__(self, workers: Workers, hasher: FakeHasher) -> None:
        self.region: Region = FakeChunkMemory().allocate(len(PLAIN), Placement.MEMORY)
        self.region.view[:] = PLAIN
        self.mark = Mark(len(PLAIN))
        self.mark.finish()
        self.lanes = HashLanes(hasher, workers)
        self.carried = self.lanes.carried_sha256()
        self.hasher, self.workers = hasher, workers

    def message(self, sealer: Sealer | None = None) -> SealedMessage:
        return SealedMessage(
            region=self.region,
            mark=self.mark,
            sealer=sealer or AesGcmCipher(bytes(32)).sealer(),
            hasher=self.hasher,
            memory=FakeChunkMemory(),
            workers=self.workers,
            carried=self.carried,
        )

    async def assert_digest_follows(self) -> None:
        digest = await self.lanes.digest(self.region, self.mark, start=0, sha256=self.carried)
        assert digest == dual_digest(PLAIN)


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("sealed_pieces", range(PIECES + 1))
def test_what_an_attempt_that_failed_has_not_taken_along_is_hashed_behind_it(
    sealed_pieces: int, at_once: int
) -> None:
    async def scene() -> None:
        with Workers() as workers:
            its = Scene(workers, FakeHasher(at_once))
            pieces = its.message().pieces()
            for _ in range(sealed_pieces):
                await anext(pieces)
            its.carried.let_go()
            again = its.message()
            sealed = b"".join([bytes(piece) async for piece in again.pieces()])
            assert again.sha256() == hashlib.sha256(sealed).digest()
            assert its.carried.position == min(sealed_pieces * PIECE_BYTES, len(PLAIN))
            await its.assert_digest_follows()

    run(scene())


@pytest.mark.parametrize("way", ["pieces", "whole"])
def test_sealed_to_its_end_nothing_is_left_to_follow(way: str) -> None:
    async def scene() -> None:
        with Workers() as workers:
            its = Scene(workers, FakeHasher(2))
            message = its.message()
            if way == "whole":
                sealed = bytes(await message.whole(len(PLAIN) + 28))
            else:
                sealed = b"".join([bytes(piece) async for piece in message.pieces()])
            assert message.sha256() == hashlib.sha256(sealed).digest()
            assert message.size_bytes == len(sealed)
            assert await its.carried.until_let_go() == len(PLAIN)
            await its.assert_digest_follows()

    run(scene())


class FailingSealer(Sealer):
    """Fails in the middle of a piece."""

    def __init__(self) -> None:
        self._sealer = AesGcmCipher(bytes(32)).sealer()
        self._left = 20

    def room_bytes(self, plain_bytes: int) -> int:
        return self._sealer.room_bytes(plain_bytes)

    def update(self, plain: memoryview, into: memoryview | None = None) -> memoryview:
        self._left -= 1
        if not self._left:
            raise MemoryError
        return memoryview(self._sealer.update(plain, into))

    def finish(self) -> bytes:
        raise AssertionError


def test_an_attempt_that_fails_within_a_piece_leaves_the_lane_where_it_is() -> None:
    async def scene() -> None:
        with Workers() as workers:
            its = Scene(workers, FakeHasher(2))
            with pytest.raises(MemoryError):
                _ = [piece async for piece in its.message(FailingSealer()).pieces()]
            its.carried.let_go()
            assert its.carried.position % PIECE_BYTES
            await its.assert_digest_follows()

    run(scene())


def test_a_lane_in_use_is_left_to_its_follower_only_after_that() -> None:
    begun, held = threading.Event(), threading.Event()

    def hold_up() -> None:
        begun.set()
        held.wait(20)

    async def scene() -> None:
        with Workers() as workers:
            its = Scene(workers, FakeHasher(2, meanwhile=hold_up))
            sealing = asyncio.ensure_future(anext(its.message().pieces()))
            await asyncio.to_thread(begun.wait, 20)
            its.carried.let_go()
            following = asyncio.ensure_future(its.carried.until_let_go())
            await asyncio.sleep(0.01)
            assert not following.done()
            held.set()
            await sealing
            assert await following == PIECE_BYTES
            await its.assert_digest_follows()

    run(scene())


def test_another_attempt_does_not_free_a_lane_in_use() -> None:
    carried = CarriedLane(hashlib.sha256())
    assert carried.begin(0)
    carried.let_go()
    assert not carried.begin(0)
    carried.let_go()

    async def scene() -> None:
        following = asyncio.ensure_future(carried.until_let_go())
        await asyncio.sleep(0)
        assert not following.done()
        carried.position = 7
        carried.end()
        assert await following == 7

    run(scene())


def test_a_lane_is_taken_along_only_from_where_it_is() -> None:
    carried = CarriedLane(hashlib.sha256())
    assert not carried.begin(1)
    assert carried.begin(0)
    carried.position = 5
    carried.end()
    assert not carried.begin(0)
    assert carried.begin(5)
    carried.end()
    carried.let_go()
    assert not carried.begin(5)
