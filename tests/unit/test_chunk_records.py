"""Packed, records are what they were, in a fraction of the memory."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.chunk import ChunkRecord, chunk_key
from s3duct.domain.chunk_records import ChunkRecords, GatheredRecords
from s3duct.domain.digest import DualDigest
from tests.unit.strategies import manifest_of, manifests

CHUNKS = manifest_of([b"a", b"bb", b"ccc"]).chunks
records = manifests().map(lambda manifest: manifest.chunks)


@given(records)
def test_they_come_out_as_they_went_in(chunks: tuple[ChunkRecord, ...]) -> None:
    packed = ChunkRecords(chunks)
    assert tuple(packed) == chunks
    assert [packed[at] for at in range(len(packed))] == list(chunks)
    assert packed == chunks
    assert chunks == packed
    assert packed == ChunkRecords(iter(packed))


@given(records, st.integers(-6, 6), st.integers(-6, 6), st.sampled_from([None, 1, 2, -1]))
def test_they_are_cut_as_a_tuple_is(
    chunks: tuple[ChunkRecord, ...], start: int, stop: int, step: int | None
) -> None:
    assert tuple(ChunkRecords(chunks)[start:stop:step]) == chunks[start:stop:step]


@pytest.mark.parametrize("etag", ["", "\ud800", "\0", "ä🦆", '"e"' * 300])
@pytest.mark.parametrize("sealed", [(None, None), (29, None), (None, bytes(32)), (29, bytes(32))])
def test_any_text_and_any_lack_is_kept(etag: str, sealed: tuple[int | None, bytes | None]) -> None:
    record = replace(CHUNKS[0], etag=etag, sealed_size_bytes=sealed[0], sealed_sha256=sealed[1])
    assert tuple(ChunkRecords([record])) == (record,)


def test_others_are_not_equal() -> None:
    packed = ChunkRecords(CHUNKS)
    for other in (CHUNKS[:2], CHUNKS[::-1], (*CHUNKS, CHUNKS[0]), ()):
        assert packed != other
        assert packed != ChunkRecords(other)
    assert packed != 3
    with pytest.raises(IndexError):
        packed[3]


def test_what_is_shown_of_them_is_no_longer_for_many() -> None:
    assert len(repr(ChunkRecords([*CHUNKS] * 1000))) < 40


@given(records, st.integers())
def test_gathered_in_any_order_they_are_in_order(chunks: tuple[ChunkRecord, ...], seed: int) -> None:
    gathered = GatheredRecords()
    for number, record in enumerate(random.Random(seed).sample(chunks, len(chunks)), start=1):
        gathered.add(record)
        assert gathered.count() == number
    assert gathered.in_order() == chunks


def test_a_later_one_of_the_same_index_counts() -> None:
    gathered = GatheredRecords()
    gathered.add(CHUNKS[2])
    gathered.add(replace(CHUNKS[0], etag="before"))
    gathered.add(CHUNKS[0])
    assert gathered.count() == 2
    assert gathered.in_order() == (CHUNKS[0], CHUNKS[2])


def test_each_takes_little_more_than_its_digests() -> None:
    def sealed(index: int) -> ChunkRecord:
        digest = index.to_bytes(32, "big")
        key = chunk_key("stream", index, generation="0123abcd")
        return ChunkRecord(index, key, 4096, DualDigest(digest, digest), "", 4124, digest)

    tracemalloc.start()
    try:
        kept = ChunkRecords(map(sealed, range(10_000)))
        assert tracemalloc.get_traced_memory()[1] < 300 * len(kept)
    finally:
        tracemalloc.stop()
