"""A manifest of many chunks is read in little more memory than it takes stored, and proved in any order of its fields."""

from __future__ import annotations

import json
import random
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.app.pipeline.manifest_io import StoredManifest, open_manifest, prepare_manifest
from s3duct.domain.chunk import ChunkRecord, chunk_key
from s3duct.domain.chunk_records import ChunkRecords
from s3duct.domain.digest import dual_digest
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_trust import OpenedManifest, Proof
from s3duct.domain.names import StreamLocation
from tests.unit.saying import run
from tests.unit.strategies import manifests

KEY = AesGcmCipher(bytes(32))
CHUNKS = 10_000
# Records take some 200 bytes each, stored ones over 400, and the tree of one as parsed JSON over 1,500.
MOST_BYTES_A_CHUNK = 400


def record(index: int) -> ChunkRecord:
    digest = dual_digest(b"%d" % index)
    key = chunk_key("s", index, generation="0123abcd")
    return ChunkRecord(index, key, 4096, digest, "", 4124, digest.sha256)


def many(*, sealed: bool) -> Manifest:
    return Manifest(
        name="s",
        chunk_size_bytes=4096,
        total_bytes=4096 * CHUNKS,
        chunks=ChunkRecords(map(record, range(CHUNKS))),
        final_chain="00" * 32,
        created="2026-01-01T00:00:00+00:00",
        tool_version="0.5.0",
        method=EncryptionMethod.AES_256_GCM,
        sealed=sealed,
    )


def opened(content: bytearray, name: str) -> OpenedManifest:
    location = StreamLocation(prefix="", name=name)
    return run(open_manifest(StoredManifest(content, ""), location, KEY))


@pytest.mark.parametrize("sealed", [False, True])
def test_reading_and_proving_holds_the_records_and_no_tree(sealed: bool) -> None:
    manifest = many(sealed=sealed)
    content = bytearray(run(prepare_manifest(manifest, KEY)))
    tracemalloc.start()
    try:
        found = opened(content, "s")
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES_A_CHUNK * CHUNKS
    finally:
        tracemalloc.stop()
    assert found == OpenedManifest(manifest, sealed, "", Proof.MAC)
    assert not content


@pytest.mark.parametrize("sealed", [False, True])
def test_writing_holds_one_copy_of_it(sealed: bool) -> None:
    manifest = many(sealed=sealed)

    async def peak_of_content() -> float:  # which asyncio.run would write out, were it returned
        tracemalloc.start()
        try:
            content = await prepare_manifest(manifest, KEY)
            return tracemalloc.get_traced_memory()[1] / len(content)
        finally:
            tracemalloc.stop()

    assert run(peak_of_content()) < 1.5


@given(manifests(), st.integers())
def test_the_order_of_the_fields_does_not_matter(manifest: Manifest, seed: int) -> None:
    manifest = replace(manifest, method=EncryptionMethod.AES_256_GCM, sealed=False)
    document: dict[str, Any] = json.loads(bytes(run(prepare_manifest(manifest, KEY))))
    fields = list(document.items())
    random.Random(seed).shuffle(fields)
    found = opened(bytearray(json.dumps(dict(fields)).encode()), manifest.name)
    assert (found.manifest, found.proof) == (manifest, Proof.MAC)
    altered = dict(fields) | {"unknown": [seed]}
    assert opened(bytearray(json.dumps(altered).encode()), manifest.name).proof is Proof.WRONG_MAC
