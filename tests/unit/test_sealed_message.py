"""Sealed bytes lie in lent buffers where that gains something."""

from __future__ import annotations

import hashlib

import pytest

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.adapters.hashing import HashlibHasher
from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.sealed_message import SealedMessage
from s3duct.app.pipeline.workers import Workers
from s3duct.domain.ports.chunk_memory import Placement
from s3duct.domain.sizes import KIB, MIB
from tests.fakes.chunk_memory import FakeChunkMemory
from tests.support.sealing import open_message
from tests.unit.saying import run

KEY = bytes(32)


class CountingMemory(FakeChunkMemory):
    """Counts what it lends."""

    lent = 0

    def lend(self, size_bytes: int) -> memoryview:
        self.lent += 1
        return super().lend(size_bytes)


@pytest.mark.parametrize(("step_bytes", "lent"), [(1000, 0), (256 * KIB, 0), (512 * KIB, 4)])
def test_only_large_pieces_lie_in_lent_buffers(step_bytes: int, lent: int) -> None:
    """A part of what comes in drops has thousands of pieces: a buffer of whole pages for each would be much more than it."""
    memory = CountingMemory()
    plain = bytes(range(256)) * (2 * MIB // 256)

    async def scene() -> None:
        region, mark, cipher = memory.allocate(len(plain), Placement.MEMORY), Mark(), AesGcmCipher(KEY)
        region.view[:] = plain
        with Workers() as workers:
            message = SealedMessage(
                region=region,
                mark=mark,
                sealer=cipher.sealer(),
                hasher=HashlibHasher(),
                memory=memory,
                workers=workers,
            )
            pieces = message.pieces()
            sealed = bytearray()
            for start in range(0, len(plain), step_bytes):
                mark.advance_to(min(start + step_bytes, len(plain)))
                sealed += await anext(pieces)
            mark.finish()
            async for piece in pieces:
                sealed += piece
        assert message.size_bytes == len(sealed)
        assert message.sha256() == hashlib.sha256(sealed).digest()
        assert open_message(cipher, sealed) == plain

    run(scene())
    assert memory.lent == lent
