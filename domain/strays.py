"""Strays: chunks that a stream no longer has, told by where they lie rather than one by one.

What a run replaces has to fit into the first line of its journal, also for a stream of 100,000 chunks, so that a run which
is cut off while it cleans up can be finished by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from s3duct.domain.chunk import chunk_key, place_of_chunk

# A stream has one folder, and one more for each time that it was taken over. What has more than this was not made by us.
MAX_RANGES = 64


@dataclass(frozen=True, slots=True)
class ChunkRange:
    """Chunks 0 to `count` - 1 of a stream in one folder: that of `generation`, or the stream's own where it is empty."""

    generation: str
    count: int

    def covers(self, key: str, *, name: str) -> bool:
        """Whether a relative key is that of one of these chunks of stream `name`."""
        place = place_of_chunk(key, name=name)
        if place is None or place[0] != self.generation or place[1] >= self.count:
            return False
        return key == chunk_key(name, place[1], generation=self.generation)

    def folder(self, name: str) -> str:
        """Relative folder of these chunks, with its slash at the end."""
        return f"{name}/gen-{self.generation}/" if self.generation else f"{name}/"


def ranges_over(keys: Iterable[str], *, name: str) -> tuple[ChunkRange, ...]:
    """Return the ranges that hold every one of `keys` that is a chunk's of stream `name`; none if they are too many."""
    places = (place_of_chunk(key, name=name) for key in keys)
    return merge_ranges(ChunkRange(place[0], place[1] + 1) for place in places if place is not None)


def merge_ranges(ranges: Iterable[ChunkRange]) -> tuple[ChunkRange, ...]:
    """Return one range for each folder, in order; none if they are too many."""
    counts: dict[str, int] = {}
    for one in ranges:
        counts[one.generation] = max(counts.get(one.generation, 0), one.count)
    if len(counts) > MAX_RANGES:
        return ()
    return tuple(ChunkRange(generation, counts[generation]) for generation in sorted(counts))
