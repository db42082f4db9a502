"""Ranges of chunks: few words for many keys, and never one key too many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.chunk import chunk_key, place_of_chunk
from s3duct.domain.strays import MAX_RANGES, ChunkRange, merge_ranges, ranges_over
from tests.unit.strategies import generations, stream_names

NAME = "a/b"
ranges = st.builds(ChunkRange, generation=generations, count=st.integers(1, 1_000_000))


@given(stream_names, generations, st.integers(0, 10_000_000))
def test_the_place_of_a_chunk_is_where_its_key_was_made(name: str, generation: str, index: int) -> None:
    assert place_of_chunk(chunk_key(name, index, generation=generation), name=name) == (generation, index)


@given(stream_names, st.lists(st.tuples(generations, st.integers(0, 2_000_000)), max_size=5))
def test_ranges_hold_every_chunk_that_they_are_made_of(name: str, places: list[tuple[str, int]]) -> None:
    keys = [chunk_key(name, index, generation=generation) for generation, index in places]
    found = ranges_over(keys, name=name)
    assert [one.generation for one in found] == sorted({generation for generation, _ in places})
    assert all(sum(one.covers(key, name=name) for one in found) == 1 for key in keys)


@given(stream_names, ranges, generations, st.integers(0, 2_000_000))
def test_a_range_holds_no_chunk_of_another_folder_or_behind_its_end(
    name: str, one: ChunkRange, generation: str, index: int
) -> None:
    key = chunk_key(name, index, generation=generation)
    assert one.covers(key, name=name) is (generation == one.generation and index < one.count)
    assert one.covers(key, name=name + "x") is False
    assert key.startswith(one.folder(name)) or not one.covers(key, name=name)


@pytest.mark.parametrize(
    "key",
    [
        "a/b/sub/chunk-000000", "a/b/chunk-000000/chunk-000000", "a/b/gen-01234567/sub/chunk-000000",
        "a/b/gen-01234567/chunk-000000", "a/b/chunk-0000000", "a/b/chunk-1", "a/b/.manifest.json", "a/chunk-000000",
        "a/b/chunk-000005", "a/b/chunk-" + "9" * 900,
    ],
)  # fmt: skip
def test_what_no_writer_makes_and_what_is_not_of_the_stream_is_in_no_range(key: str) -> None:
    assert not ChunkRange("", 5).covers(key, name=NAME)


@given(st.lists(ranges, max_size=6))
def test_merged_ranges_hold_what_each_of_them_did(given_ranges: list[ChunkRange]) -> None:
    merged = merge_ranges(given_ranges)
    assert len({one.generation for one in merged}) == len(merged)
    for one in given_ranges:
        assert any(other.generation == one.generation and other.count >= one.count for other in merged)


def test_what_is_too_much_for_a_header_is_nothing() -> None:
    many = [ChunkRange(f"{number:08x}", 1) for number in range(MAX_RANGES + 1)]
    assert len(merge_ranges(many[1:])) == MAX_RANGES
    assert merge_ranges(many) == ()
