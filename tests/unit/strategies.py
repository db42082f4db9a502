"""Hypothesis strategies for the domain's values."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from s3duct.domain.chain import ChainLink, chain_over
from s3duct.domain.chunk import MAX_OBJECT_BYTES, ChunkRecord, chunk_key
from s3duct.domain.digest import dual_digest
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.manifest import Manifest
from s3duct.domain.resume import EarlierRun, JournalHeader, ResumeRecord, RunBinding
from s3duct.domain.strays import ChunkRange

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME_CHARACTERS = string.ascii_letters + string.digits + " .-_+=%?*'\"\\{}äß漢🦆"

segments = st.text(alphabet=_NAME_CHARACTERS, min_size=1, max_size=5).filter(
    lambda text: text not in {".", ".."}
)
stream_names = st.lists(segments, min_size=1, max_size=2).map("/".join)
prefixes = st.one_of(st.just(""), stream_names.map(lambda name: name + "/"))
generations = st.one_of(st.just(""), st.integers(0, 2**32 - 1).map("{:08x}".format))
digests = st.binary(max_size=6).map(dual_digest)
timestamps = st.sampled_from(
    ["2026-11-24T18:20:00.530042+00:00", "2026-01-01T00:00:00+00:00", "1999-12-31T23:59:59Z"]
)
texts = st.text(max_size=6)
hex_digests = digests.map(lambda digest: digest.sha256.hex())

json_scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, -1, 2, 1 << 31, 1 << 63, 1 << 70, 10**300]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "s", "s/", "s/chunk-000000", "0" * 64, "aes-256-gcm", "age", "\ud800", "\x00", "\x1b[2J"]
    ),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    json_scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def chunk_records(
    draw: st.DrawFn, *, name: str, index: int, max_bytes: int = MAX_OBJECT_BYTES
) -> ChunkRecord:
    return ChunkRecord(
        index=index,
        key=chunk_key(name, index, generation=draw(generations)),
        size_bytes=draw(st.integers(1, max_bytes)),
        digest=draw(digests),
        etag=draw(texts),
        sealed_size_bytes=draw(st.none() | st.integers(1, MAX_OBJECT_BYTES)),
        sealed_sha256=draw(st.none() | digests.map(lambda digest: digest.sha256)),
    )


@st.composite
def manifests(draw: st.DrawFn, *, min_chunks: int = 0, max_chunks: int = 4) -> Manifest:
    name = draw(stream_names)
    chunk_size = draw(st.integers(1, MAX_OBJECT_BYTES))
    count = draw(st.integers(min_chunks, max_chunks))
    chunks = tuple(
        draw(chunk_records(name=name, index=index, max_bytes=chunk_size)) for index in range(count)
    )
    return Manifest(
        name=name,
        chunk_size_bytes=chunk_size,
        total_bytes=sum(chunk.size_bytes for chunk in chunks),
        chunks=chunks,
        final_chain=chain_over(chunk.digest for chunk in chunks).hex(),
        created=draw(timestamps),
        tool_version=draw(st.sampled_from(["0.3.0", "0.4.0", "0.5.0"])),
        method=draw(st.sampled_from(EncryptionMethod)),
        recipient=draw(st.none() | texts),
        sealed=draw(st.booleans()),
        storage_class=draw(st.none() | st.sampled_from(["STANDARD", "GLACIER_IR"])),
        description=draw(texts),
        tags=draw(st.dictionaries(texts, texts, max_size=3)),
        stream_sha256=draw(st.just("") | hex_digests),
        stream_sha3_256=draw(st.just("") | hex_digests),
    )


bindings = st.builds(
    RunBinding,
    destination=texts,
    prefix=prefixes,
    name=stream_names,
    chunk_size_bytes=st.integers(1024, MAX_OBJECT_BYTES),
    method=st.sampled_from(EncryptionMethod),
    key_id=st.text(alphabet="0123456789abcdef", max_size=16),
    sealed_manifest=st.booleans(),
    storage_class=st.sampled_from(["", "STANDARD", "GLACIER"]),
)
run_ids = st.integers(0, 2**64 - 1).map("{:016x}".format)
headers = st.builds(
    JournalHeader,
    binding=bindings,
    run_id=run_ids,
    generation=generations,
    created=timestamps,
    earlier=st.lists(st.builds(EarlierRun, run_id=run_ids, generation=generations), max_size=2).map(tuple),
    replaces=st.lists(
        st.builds(ChunkRange, generation=generations, count=st.integers(1, 1_000_000)), max_size=2
    ).map(tuple),
    over=st.none() | st.sampled_from(["", "0123456789abcdef" * 4]),
)


@st.composite
def resume_records(draw: st.DrawFn, *, name: str) -> ResumeRecord:
    return ResumeRecord(
        chunk=draw(chunk_records(name=name, index=draw(st.integers(0, 1_000_000)))),
        link=chain_over([draw(digests)]),
        stored_at=draw(timestamps),
    )


def records_of(contents: Sequence[bytes], *, name: str = "s") -> list[ResumeRecord]:
    """Return the journal records of a stream whose chunks hold `contents`."""
    records = []
    link = ChainLink()
    for index, content in enumerate(contents):
        digest = dual_digest(content)
        link = link.extend(digest)
        chunk = ChunkRecord(index, chunk_key(name, index), len(content), digest, f'"{index}"')
        records.append(ResumeRecord(chunk, link, "2026-01-01T00:00:00+00:00"))
    return records


def manifest_of(contents: Sequence[bytes], *, name: str = "s", chunk_size: int = 1 << 20) -> Manifest:
    """Return the manifest of a plain stream whose chunks hold `contents`."""
    records = records_of(contents, name=name)
    return Manifest(
        name=name,
        chunk_size_bytes=chunk_size,
        total_bytes=sum(map(len, contents)),
        chunks=tuple(record.chunk for record in records),
        final_chain=records[-1].link.hex() if records else "",
        created="2026-01-01T00:00:00+00:00",
        tool_version="0.5.0",
    )
