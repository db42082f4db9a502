"""A part of a stream, by offset and length, and the pieces of chunks that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import overload

from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.errors import UsageError


@dataclass(frozen=True, slots=True)
class Piece:
    """The wanted bytes of one chunk: its plain bytes from `start` to `stop` (exclusive)."""

    record: ChunkRecord
    start: int
    stop: int

    @property
    def size_bytes(self) -> int:
        """How many these are."""
        return self.stop - self.start

    @property
    def whole(self) -> bool:
        """Whether it is all of the chunk, so that the chunk's digests are digests of the piece."""
        return self.start == 0 and self.stop == self.record.size_bytes


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes of a stream as they were asked for: all from `offset_bytes` on, or at most `length_bytes` of them.

    Raises:
        UsageError: the offset is negative, or the length below 1.
    """

    offset_bytes: int = 0
    length_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.offset_bytes < 0:
            raise UsageError(f"the offset {self.offset_bytes} is negative", hint="offsets count from 0")
        if self.length_bytes is not None and self.length_bytes < 1:
            raise UsageError(
                f"a length of {self.length_bytes} bytes asks for nothing",
                hint="leave the length away to get everything from the offset on",
            )

    @property
    def is_everything(self) -> bool:
        """Whether it was not asked for a part."""
        return self.offset_bytes == 0 and self.length_bytes is None

    def within(self, total_bytes: int) -> tuple[int, int]:
        """Return where the range begins and ends in a stream of `total_bytes`; one that reaches beyond the end is cut there.

        An offset at the very end is an empty range: who has everything already asks for the rest so.

        Raises:
            UsageError: the range begins beyond the end.
        """
        if self.offset_bytes > total_bytes:
            raise UsageError(
                f"the offset {self.offset_bytes} is beyond the end of the stream, which has {total_bytes} bytes",
                hint="offsets count from 0",
            )
        if self.length_bytes is None:
            return self.offset_bytes, total_bytes
        return self.offset_bytes, min(self.offset_bytes + self.length_bytes, total_bytes)


EVERYTHING = ByteRange()


class Pieces(Sequence[Piece]):
    """Chunks as pieces, of which the first and the last may be cut. Each is made when it is looked at."""

    def __init__(self, chunks: Sequence[ChunkRecord], *, skipped_bytes: int = 0, left_bytes: int = 0) -> None:
        """Take the chunks, and how much is not wanted at the beginning of the first and at the end of the last."""
        self._chunks = chunks
        self._skipped_bytes = skipped_bytes
        self._left_bytes = left_bytes

    @overload
    def __getitem__(self, at: int) -> Piece: ...

    @overload
    def __getitem__(self, at: slice) -> Pieces: ...

    def __getitem__(self, at: int | slice) -> Piece | Pieces:
        if not isinstance(at, slice):
            place = range(len(self._chunks))[at]
            return self._piece(place, self._chunks[place])
        start, stop, step = at.indices(len(self._chunks))
        if step != 1:
            raise ValueError("pieces are taken in the order of the stream, and none is left out")
        return Pieces(
            self._chunks[start:stop],
            skipped_bytes=0 if start else self._skipped_bytes,
            left_bytes=0 if stop < len(self._chunks) else self._left_bytes,
        )

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[Piece]:
        return map(self._piece, count(), self._chunks)

    def _piece(self, place: int, record: ChunkRecord) -> Piece:
        start = 0 if place else self._skipped_bytes
        left_bytes = 0 if place < len(self._chunks) - 1 else self._left_bytes
        return Piece(record, start, record.size_bytes - left_bytes)


def pieces_of(chunks: Sequence[ChunkRecord], start: int, stop: int) -> Pieces:
    """Return the pieces that make up the bytes from `start` to `stop` of a stream, in order; of chunks, none is empty."""
    first, skipped_bytes = 0, 0
    end, left_bytes = 0, 0
    offset = 0
    for place, record in enumerate(chunks):
        behind = offset + record.size_bytes
        if offset <= start < behind:
            first, skipped_bytes = place, start - offset
        if offset < stop <= behind:
            end, left_bytes = place + 1, behind - stop
        offset = behind
    return Pieces(
        chunks[first:end] if start < stop else (), skipped_bytes=skipped_bytes, left_bytes=left_bytes
    )


def whole_pieces(chunks: Sequence[ChunkRecord]) -> Pieces:
    """Return every chunk as one piece."""
    return Pieces(chunks)
