from __future__ import annotations

import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.digest import DualDigest
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import IntegrityError
from s3duct.domain.manifest import Manifest
from tests.unit.saying import assert_well_said
from tests.unit.strategies import digests, manifest_of, manifests


@given(manifests())
def test_the_chain_of_an_untouched_manifest_holds(manifest: Manifest) -> None:
    manifest.verify_chain()


@given(manifests(min_chunks=1), digests, st.data())
def test_a_chunk_altered_swapped_dropped_or_added_breaks_the_chain(
    manifest: Manifest, digest: DualDigest, data: st.DataObject
) -> None:
    chunks = list(manifest.chunks)
    at = data.draw(st.integers(0, len(chunks) - 1))
    to = data.draw(st.integers(0, len(chunks) - 1))
    kind = data.draw(st.sampled_from(["alter", "swap", "drop", "duplicate", "truncate", "append"]))
    if kind == "alter":
        chunks[at] = dataclasses.replace(chunks[at], digest=digest)
    elif kind == "swap":
        chunks[at], chunks[to] = chunks[to], chunks[at]
    elif kind == "drop":
        del chunks[at]
    elif kind == "duplicate":
        chunks.insert(to, chunks[at])
    elif kind == "truncate":
        del chunks[at:]
    else:
        chunks.append(dataclasses.replace(chunks[at], digest=digest))
    assume([chunk.digest for chunk in chunks] != [chunk.digest for chunk in manifest.chunks])
    with pytest.raises(IntegrityError) as caught:
        dataclasses.replace(manifest, chunks=tuple(chunks)).verify_chain()
    assert_well_said(caught.value)


@pytest.mark.parametrize("final_chain", ["", "00" * 32])
def test_another_final_link_breaks_the_chain(final_chain: str) -> None:
    manifest = manifest_of([b"one", b"two"])
    manifest.verify_chain()
    with pytest.raises(IntegrityError):
        dataclasses.replace(manifest, final_chain=final_chain).verify_chain()


def test_a_stream_of_no_chunks_has_no_final_link() -> None:
    manifest_of([]).verify_chain()
    with pytest.raises(IntegrityError):
        dataclasses.replace(manifest_of([]), final_chain="00" * 32).verify_chain()


@pytest.mark.parametrize(
    ("method", "sealed_size", "stored_size"),
    [
        (EncryptionMethod.NONE, None, 3),
        (EncryptionMethod.NONE, 999, 3),
        (EncryptionMethod.AES_256_GCM, 31, 31),
        (EncryptionMethod.AES_256_GCM, None, 31),
        (EncryptionMethod.AGE, 250, 250),
        (EncryptionMethod.AGE, None, None),
    ],
)
def test_the_size_of_a_stored_object_is_known_where_the_manifest_tells(
    method: EncryptionMethod, sealed_size: int | None, stored_size: int | None
) -> None:
    manifest = dataclasses.replace(manifest_of([b"one"]), method=method)
    record: ChunkRecord = dataclasses.replace(manifest.chunks[0], sealed_size_bytes=sealed_size)
    assert manifest.stored_size_bytes(record) == stored_size
    assert manifest.encrypted == (method is not EncryptionMethod.NONE)
