"""What is written piece by piece is what the document as a whole would be, byte for byte."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import encode_document, manifest_document
from s3duct.domain.manifest_mac import ManifestMac, attach_mac, covered_bytes
from s3duct.domain.manifest_writer import covered_pieces, stored_pieces
from tests.unit.strategies import manifests

MAC = ManifestMac(bytes(range(32)), "0123456789abcdef")


@given(manifest=manifests(), mac=st.sampled_from([None, MAC]))
def test_the_pieces_are_the_document_as_it_is_stored(manifest: Manifest, mac: ManifestMac | None) -> None:
    document = manifest_document(manifest)
    if mac is not None:
        attach_mac(document, mac)
    assert b"".join(stored_pieces(manifest, mac)) == encode_document(document)


@given(manifest=manifests())
def test_the_pieces_are_what_a_mac_covers(manifest: Manifest) -> None:
    assert b"".join(covered_pieces(manifest)) == covered_bytes(manifest_document(manifest))


@given(manifest=manifests(min_chunks=2, max_chunks=6))
def test_no_piece_holds_more_than_one_chunk(manifest: Manifest) -> None:
    for pieces in (stored_pieces(manifest), covered_pieces(manifest)):
        assert max(piece.count(b'"s3_key"') for piece in pieces) == 1
    assert len(json.loads(b"".join(stored_pieces(manifest)))["chunks"]) == len(manifest.chunks)
