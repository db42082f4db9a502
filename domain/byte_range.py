"""A part of a stream, by offset and length, and the pieces of chunks that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


def pieces_of(chunks: Sequence[ChunkRecord], start: int, stop: int) -> tuple[Piece, ...]:
    """Return the pieces that make up the bytes from `start` to `stop` of a stream, in order, none of them empty."""
    pieces = []
    position = 0
    for record in chunks:
        first = max(start - position, 0)
        last = min(stop - position, record.size_bytes)
        if first < last:
            pieces.append(Piece(record, first, last))
        position += record.size_bytes
    return tuple(pieces)


def whole_pieces(chunks: Sequence[ChunkRecord]) -> tuple[Piece, ...]:
    """Return every chunk as one piece, empty ones too."""
    return tuple(Piece(record, 0, record.size_bytes) for record in chunks)
