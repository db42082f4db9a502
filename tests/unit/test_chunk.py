from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from s3duct.domain.chunk import (
    DEFAULT_CHUNK_BYTES,
    MAX_CHUNK_BYTES,
    MAX_OBJECT_BYTES,
    ChunkKeys,
    chunk_key,
    is_chunk_key,
    is_generation_folder,
    parse_chunk_size,
    part_size_for,
)
from s3duct.domain.encryption import AES_OVERHEAD_BYTES
from s3duct.domain.errors import UsageError
from s3duct.domain.sizes import GIB, KIB, MIB, TIB
from tests.unit.saying import assert_well_said
from tests.unit.strategies import generations, stream_names


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512M", 512 * MIB),
        ("256M", 256 * MIB),
        ("1G", GIB),
        ("64MiB", 64 * MIB),
        ("1K", KIB),
        ("1024", KIB),
        ("1025", KIB + 1),
        ("1.5K", 1536),
        ("4T", 4 * TIB),
        (str(5 * TIB - 28), 5 * TIB - 28),
    ],
)
def test_a_chunk_size_is_read(text: str, size_bytes: int) -> None:
    assert parse_chunk_size(text) == size_bytes


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "0M",
        "-1",
        "-512M",
        " -512M",
        "1",
        "1023",
        "0.5K",
        "1023B",
        "6T",
        "5.1T",
        str(5 * TIB + 1),
        "",
        "big",
        "M",
    ],
)
def test_zero_negative_tiny_and_huge_chunks_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_chunk_size(text)
    assert_well_said(caught.value)


def test_the_largest_chunk_fits_into_one_object_when_sealed() -> None:
    assert MAX_OBJECT_BYTES == 5 * 1024**4
    assert MAX_CHUNK_BYTES + AES_OVERHEAD_BYTES == MAX_OBJECT_BYTES
    with pytest.raises(UsageError):
        parse_chunk_size(str(MAX_CHUNK_BYTES + 1))


def test_the_default_is_that_of_released_versions() -> None:
    assert DEFAULT_CHUNK_BYTES == 536_870_912


@given(st.text() | st.integers().map(str) | st.integers(0, 10**16).map(str))
def test_any_text_is_a_chunk_size_or_refused(text: str) -> None:
    try:
        assert KIB <= parse_chunk_size(text) <= MAX_CHUNK_BYTES
    except UsageError as error:
        assert_well_said(error)


@pytest.mark.parametrize(
    ("index", "generation", "key"),
    [
        (0, "", "a/b/chunk-000000"),
        (41, "", "a/b/chunk-000041"),
        (999_999, "", "a/b/chunk-999999"),
        (1_000_000, "", "a/b/chunk-1000000"),
        (7, "0123abcd", "a/b/gen-0123abcd/chunk-000007"),
    ],
)
def test_a_key_is_named_by_its_index(index: int, generation: str, key: str) -> None:
    assert chunk_key("a/b", index, generation=generation) == key
    keys = ChunkKeys("a/b", generation, spare_generation="ffffffff")
    assert keys.of(index) == key
    assert keys.replacing(index) == chunk_key("a/b", index, generation="ffffffff") != key


@pytest.mark.parametrize("generation", ["0123ABCD", "0123abc", "0123abcde", "../../..", "0123abcd\n", " "])
def test_an_impossible_generation_raises(generation: str) -> None:
    with pytest.raises(ValueError, match="generation"):
        chunk_key("a", 0, generation=generation)


def test_a_negative_index_raises() -> None:
    with pytest.raises(ValueError, match="index"):
        chunk_key("a", -1)


@given(stream_names, st.sets(st.tuples(generations, st.integers(0, 10**9)), min_size=2))
def test_no_two_chunks_share_a_key(name: str, places: set[tuple[str, int]]) -> None:
    assert len({chunk_key(name, index, generation=generation) for generation, index in places}) == len(places)


@given(st.integers(0, MAX_OBJECT_BYTES))
@example(0)
@example(8 * MIB * 10_000)
@example(8 * MIB * 10_000 + 1)
@example(MAX_OBJECT_BYTES)
def test_parts_are_what_s3_allows_and_no_larger_than_needed(object_bytes: int) -> None:
    part_bytes = part_size_for(object_bytes)
    assert 5 * MIB <= part_bytes <= 5 * GIB
    assert part_bytes % MIB == 0
    assert part_bytes * 10_000 >= object_bytes
    assert part_bytes == 8 * MIB or (part_bytes - MIB) * 10_000 < object_bytes


@pytest.mark.parametrize(
    ("key", "own"),
    [
        ("a/b/chunk-000000", True), ("a/b/chunk-1234567", True), ("a/b/gen-0123abcd/chunk-000001", True),
        ("a/b/chunk-00000", False), ("a/b/sub/chunk-000000", False), ("a/b/gen-0123abcd/gen-0123abcd/chunk-000000", False),
        ("a/b/gen-0123ABCD/chunk-000000", False), ("a/b/.manifest.json", False), ("a/bc/chunk-000000", False),
        ("x/a/b/chunk-000000", False), ("a/b/chunk-000000\n", False), ("a/b/chunk-00000\u0660", False),
        ("a/b/chunk-" + "9" * 19, True), ("a/b/chunk-" + "9" * 20, False), ("a/b/chunk-" + "1" * 5000, False),
    ],
)  # fmt: skip
def test_chunk_keys_of_a_stream_are_told_from_those_of_streams_below(key: str, own: bool) -> None:
    assert is_chunk_key(key, name="a/b") is own


@pytest.mark.parametrize(
    ("name", "is_folder"),
    [
        ("gen-0123abcd", True), ("a/gen-0123abcd", True),
        ("gen-0123abc", False), ("gen-0123abcd/a", False), ("a-gen-0123abcd", False),
    ],
)  # fmt: skip
def test_a_name_that_looks_like_a_generation_is_known(name: str, is_folder: bool) -> None:
    assert is_generation_folder(name) is is_folder
