"""The beginning of a manifest says what the whole one does, or nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.errors import ManifestInvalid, UnsupportedFormat
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import encode_document, encode_manifest, manifest_document
from s3duct.domain.manifest_head import head_of, read_head
from tests.unit.strategies import manifests


@given(manifest=manifests(), cut=st.floats(0, 1))
def test_any_beginning_says_all_or_nothing(manifest: Manifest, cut: float) -> None:
    whole = encode_manifest(manifest)
    chunks_at = whole.index(b'\n  "chunks": ')
    beginning = whole[: int(len(whole) * cut)]
    expected = head_of(manifest) if len(beginning) >= chunks_at + len('\n  "chunks": ') else None
    found = read_head(beginning, name=manifest.name)
    assert found == expected or (expected is None and found == head_of(manifest))


@given(manifest=manifests())
def test_what_stands_behind_the_chunks_is_not_needed(manifest: Manifest) -> None:
    compact = json.dumps(manifest_document(manifest)).encode()
    for whole in (encode_manifest(manifest), compact):
        beginning = whole[: whole.index(b'"chunks": [') + len(b'"chunks": [')]
        assert read_head(beginning, name=manifest.name) == head_of(manifest)


@given(manifest=manifests(), data=st.data())
def test_a_field_that_stands_behind_the_chunks_or_is_missing_makes_it_say_nothing(
    manifest: Manifest, data: st.DataObject
) -> None:
    document = manifest_document(manifest)
    before = list(document)[: list(document).index("chunks")]
    name = data.draw(st.sampled_from(before))
    value = document.pop(name)
    assert read_head(encode_document(document), name=manifest.name) is None
    document[name] = value
    assert read_head(encode_document(document), name=manifest.name) is None


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"{",
        b"[]",
        b'{"chunks": [',
        b'{"name": "s", "name": "s", "chunks": [',
        b'{"a": NaN, "chunks": [',
        b"\xff{",
    ],
)
def test_what_is_no_beginning_of_a_manifest_says_nothing(beginning: bytes) -> None:
    assert read_head(beginning, name="s") is None


@given(manifest=manifests())
def test_a_head_is_checked_like_the_whole(manifest: Manifest) -> None:
    document = manifest_document(manifest)
    with pytest.raises(ManifestInvalid):
        read_head(encode_document(document), name=manifest.name + "x")
    for change in ({"chunk_count": -1}, {"total_bytes": "1"}, {"chunk_size": 0}, {"tags": {"a": 1}}):
        with pytest.raises(ManifestInvalid):
            read_head(encode_document(document | change), name=manifest.name)
    with pytest.raises(UnsupportedFormat):
        read_head(encode_document(document | {"version": 2}), name=manifest.name)
