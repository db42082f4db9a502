"""What of an unfinished output counts as right: only what was read, whole, and matches all that the manifest says."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from s3duct.adapters.hashing import HashlibHasher
from s3duct.app.pipeline.output_prefix import PrefixCheck
from s3duct.app.pipeline.workers import BlockingThread, Workers
from s3duct.domain.byte_range import Piece
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.digest import DualDigest, dual_digest
from s3duct.domain.sizes import MIB
from tests.fakes.output import FakeOutput

DATA = bytes(range(100))


def piece(content: bytes, index: int = 0) -> Piece:
    record = ChunkRecord(
        index=index, key=f"s/chunk-{index:06d}", size_bytes=len(content), digest=dual_digest(content), etag=""
    )
    return Piece(record, 0, len(content))


def sealed_as(content: bytes, *, size_bytes: int | None, digest_of: bytes | None) -> Piece:
    record = replace(
        piece(content).record,
        sealed_size_bytes=size_bytes,
        sealed_sha256=None if digest_of is None else dual_digest(digest_of).sha256,
    )
    return Piece(record, 0, record.size_bytes)


def right(content: bytes, pieces: list[Piece], *, sealed: bool = False, offset: int = 0) -> list[int]:
    """Sizes of the pieces that are right where `content` lies."""

    async def check() -> list[int]:
        output = FakeOutput()
        part = output.begin("a")
        part.write_all(memoryview(content))
        thread = BlockingThread("sink")
        try:
            with Workers() as workers:
                prefix = PrefixCheck(
                    part, sealed=sealed, hasher=HashlibHasher(), workers=workers, thread=thread
                )
                assert prefix.possible
                return [size async for _, size in prefix.right_pieces(pieces, offset_bytes=offset)]
        finally:
            thread.close()

    return asyncio.run(check())


def test_pieces_are_right_up_to_the_first_that_is_not() -> None:
    pieces = [piece(DATA[:10], 0), piece(DATA[10:40], 1), piece(DATA[40:], 2)]
    assert right(DATA, pieces) == [10, 30, 60]
    assert right(b"..." + DATA, pieces, offset=3) == [10, 30, 60]
    assert right(DATA[:99], pieces) == [10, 30]
    assert right(DATA[:10] + b"x" + DATA[11:], pieces) == [10]
    assert right(b"x" + DATA[1:], pieces) == []
    assert right(b"", pieces) == []


def test_an_empty_chunk_is_right_anywhere() -> None:
    assert right(b"abc", [piece(b""), piece(b"abc", 1)]) == [0, 3]
    assert right(b"", [piece(b"")]) == [0]


@pytest.mark.parametrize("wrong", ["sha256", "sha3_256"])
def test_both_digests_count(wrong: str) -> None:
    good = piece(DATA)
    digests = {"sha256": good.record.digest.sha256, "sha3_256": good.record.digest.sha3_256}
    record = replace(good.record, digest=DualDigest(**{**digests, wrong: bytes(32)}))
    assert right(DATA, [good]) == [len(DATA)]
    assert right(DATA, [Piece(record, 0, len(DATA))]) == []


@pytest.mark.parametrize("size", [50, MIB])
def test_a_size_that_lies_is_not_believed(size: int) -> None:
    """The digests would match what lies there, but that is shorter."""
    content = bytes(size)
    record = replace(piece(content).record, size_bytes=size + 10)
    assert right(content, [Piece(record, 0, size + 10)]) == []


@pytest.mark.parametrize(("start", "stop"), [(0, 99), (1, 100), (20, 30)])
def test_a_piece_of_a_chunk_is_never_right(start: int, stop: int) -> None:
    record = piece(DATA).record
    assert right(DATA, [Piece(record, start, stop)]) == []
    assert right(DATA[start:stop], [Piece(record, start, stop)]) == []


def test_sealed_chunks_are_right_by_what_the_manifest_says_of_them() -> None:
    known = sealed_as(b"plain", size_bytes=100, digest_of=DATA)
    assert right(DATA, [known], sealed=True) == [100]
    assert right(DATA[1:] + b"x", [known], sealed=True) == []
    assert right(b"plain", [known], sealed=True) == []
    assert right(b"plain", [known]) == [5]


@pytest.mark.parametrize(("size", "digest_of"), [(None, DATA), (100, None), (None, None)])
def test_sealed_chunks_of_which_it_says_too_little_are_not(size: int | None, digest_of: bytes | None) -> None:
    assert right(DATA, [sealed_as(b"plain", size_bytes=size, digest_of=digest_of)], sealed=True) == []
