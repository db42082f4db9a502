from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.app.pipeline.source_reader import SourceReader
from s3duct.domain.errors import SourceError
from s3duct.domain.ports.pipe import Source
from s3duct.domain.sizes import KIB
from tests.unit.saying import run

CONTENT = bytes(range(256)) * KIB
TINY, LARGE = 4 * KIB, 64 * KIB


class Pieces(Source):
    """Gives out the content in pieces of a size, and fails behind it if it shall."""

    def __init__(self, content: bytes, piece: int, error: SourceError | None = None) -> None:
        self._left = content
        self._piece = piece
        self._error = error
        self.reads = 0
        self.given = 0

    def read_into(self, view: memoryview) -> int:
        self.reads += 1
        if not self._left and self._error is not None:
            raise self._error
        size = min(len(view), self._piece, len(self._left))
        view[:size] = self._left[:size]
        self._left = self._left[size:]
        self.given += size
        return size

    def completeness_warning(self, total_bytes: int) -> str:
        return ""


async def read_all(source: Source, chunk: int, read: bytearray) -> None:
    reader = SourceReader(source, chunk_size_bytes=chunk)
    buffer = memoryview(bytearray(chunk))
    try:
        ended = False
        while not ended:
            size, ended = await reader.read_into(buffer)
            assert size or ended
            read += buffer[:size]
    finally:
        reader.close()


@given(
    st.integers(0, 200 * KIB), st.integers(1, 100 * KIB), st.sampled_from([1 * KIB, TINY, 16 * KIB, LARGE])
)
def test_what_is_read_is_the_source(size: int, piece: int, chunk: int) -> None:
    read = bytearray()
    run(read_all(Pieces(CONTENT[:size], max(piece, size // 50)), chunk, read))
    assert read == CONTENT[:size]


@pytest.mark.parametrize("chunk", [TINY, LARGE])
def test_what_was_read_before_an_error_is_given_out_first(chunk: int) -> None:
    read = bytearray()
    with pytest.raises(SourceError, match="torn"):
        run(read_all(Pieces(CONTENT[: 3 * LARGE], LARGE, SourceError("torn")), chunk, read))
    assert read == CONTENT[: 3 * LARGE]


def test_tiny_chunks_share_a_read_and_others_take_no_more_than_they_hold() -> None:
    async def scene(source: Pieces, chunk: int) -> None:
        reader = SourceReader(source, chunk_size_bytes=chunk)
        buffer = memoryview(bytearray(chunk))
        for _ in range(3):
            assert await reader.read_into(buffer) == (chunk, False)
            assert buffer == CONTENT[:chunk]
        reader.close()

    tiny, large = Pieces(CONTENT, len(CONTENT)), Pieces(CONTENT, len(CONTENT))
    run(scene(tiny, TINY))
    run(scene(large, LARGE))
    assert (tiny.reads, tiny.given) == (1, LARGE)
    assert (large.reads, large.given) == (3, 3 * LARGE)
