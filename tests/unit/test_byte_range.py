"""A part of a stream, and the pieces of chunks it takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.byte_range import EVERYTHING, ByteRange, pieces_of, whole_pieces
from s3duct.domain.chunk import ChunkRecord, chunk_key
from s3duct.domain.digest import dual_digest
from s3duct.domain.errors import UsageError

sizes = st.lists(st.integers(1, 50), max_size=8)  # no stored chunk is empty


def records(sizes_bytes: list[int]) -> list[ChunkRecord]:
    return [
        ChunkRecord(index=index, key=chunk_key("s", index), size_bytes=size, digest=dual_digest(b""), etag="")
        for index, size in enumerate(sizes_bytes)
    ]


@given(sizes=sizes, data=st.data())
def test_pieces_are_the_bytes_of_the_range_and_none_is_empty(sizes: list[int], data: st.DataObject) -> None:
    contents = [bytes([index]) * size for index, size in enumerate(sizes)]
    stream = b"".join(contents)
    start = data.draw(st.integers(0, len(stream)))
    stop = data.draw(st.integers(start, len(stream)))

    pieces = pieces_of(records(sizes), start, stop)

    assert (
        b"".join(contents[piece.record.index][piece.start : piece.stop] for piece in pieces)
        == stream[start:stop]
    )
    assert all(piece.size_bytes > 0 for piece in pieces)
    # Only the two at the ends are ever cut, and what is whole is what its digests are of.
    assert all(piece.whole for piece in pieces[1:-1])
    assert all(piece.whole == (piece.size_bytes == piece.record.size_bytes) for piece in pieces)


@given(sizes=sizes)
def test_whole_pieces_are_all_chunks(sizes: list[int]) -> None:
    pieces = whole_pieces(records(sizes))

    assert [piece.size_bytes for piece in pieces] == sizes
    assert all(piece.whole for piece in pieces)


@given(st.integers(0, 200), st.none() | st.integers(1, 200), st.integers(0, 200))
def test_a_range_within_a_stream(offset: int, length: int | None, total: int) -> None:
    wanted = ByteRange(offset, length)
    if offset > total:
        with pytest.raises(UsageError, match="beyond the end"):
            wanted.within(total)
        return
    start, stop = wanted.within(total)
    stream = bytes(total % 256 for _ in range(total))
    assert stream[start:stop] == (stream[offset:] if length is None else stream[offset : offset + length])
    assert 0 <= start <= stop <= total


def test_everything_is_everything() -> None:
    assert EVERYTHING.is_everything
    assert EVERYTHING.within(7) == (0, 7)
    assert not ByteRange(1).is_everything
    assert not ByteRange(0, 7).is_everything


@pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, 0), (0, -5), (5, 0)])
def test_what_is_no_range_is_refused(offset: int, length: int | None) -> None:
    with pytest.raises(UsageError):
        ByteRange(offset, length)
