from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from s3duct.domain.chunk import MAX_OBJECT_BYTES
from s3duct.domain.digest import dual_digest
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import IntegrityError, ManifestInvalid, S3ductError, UnsupportedFormat
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import (
    MAX_MANIFEST_BYTES,
    decode_manifest,
    encode_manifest,
    max_chunks,
)
from s3duct.domain.manifest_mac import ManifestMac, attach_mac
from tests.unit.saying import assert_well_said
from tests.unit.strategies import json_values, manifest_of, manifests

VECTOR = Path(__file__).resolve().parents[1] / "vectors" / "manifest-v1-plain.json"

TOP_LEVEL = [
    "version", "name", "description", "created", "tool_version", "chunk_count", "chunk_size", "total_bytes", "encrypted",
    "encrypted_manifest", "encryption_method", "encryption_recipient", "storage_class", "tags", "chunks", "final_chain",
    "stream_sha256", "stream_sha3_256",
]  # fmt: skip
PLAIN_RECORD = ["index", "s3_key", "size", "sha256", "sha3_256", "etag"]
SEALED_RECORD = [*PLAIN_RECORD, "encrypted_size", "encrypted_sha256"]

# --- what we write ---------------------------------------------------------------------------------------------------


def test_a_real_manifest_of_040_is_read() -> None:
    digest = dual_digest(b"hello\n")
    manifest = decode_manifest(VECTOR.read_bytes(), name="fmt")
    manifest.verify_chain()
    (chunk,) = manifest.chunks
    assert (chunk.index, chunk.key, chunk.size_bytes) == (0, "fmt/chunk-000000", 6)
    assert (chunk.digest, chunk.etag) == (digest, '"b1946ac92492d2347c6235b4d2611184"')
    assert (chunk.sealed_size_bytes, chunk.sealed_sha256) == (None, None)
    assert manifest == Manifest(
        name="fmt",
        chunk_size_bytes=536_870_912,
        total_bytes=6,
        chunks=(chunk,),
        final_chain="2f5a003caed91f06bcfc01b547b7262247dfef60bf6ef39680563e7d1054a16b",
        created="2026-11-24T18:20:00.530042+00:00",
        tool_version="0.4.0",
        storage_class="STANDARD",
        tags={"env": "prod"},
        stream_sha256=digest.sha256.hex(),
        stream_sha3_256=digest.sha3_256.hex(),
    )


def test_a_manifest_of_040_is_written_byte_for_byte() -> None:
    assert encode_manifest(decode_manifest(VECTOR.read_bytes(), name="fmt")) == VECTOR.read_bytes()


@given(manifests())
def test_reading_undoes_writing(manifest: Manifest) -> None:
    assert decode_manifest(encode_manifest(manifest), name=manifest.name) == manifest


@given(manifests())
def test_fields_are_those_of_040_in_its_order(manifest: Manifest) -> None:
    document = json.loads(encode_manifest(manifest))
    assert list(document) == TOP_LEVEL
    for record, chunk in zip(document["chunks"], manifest.chunks, strict=True):
        sealed = [
            *(["encrypted_size"] if chunk.sealed_size_bytes is not None else []),
            *(["encrypted_sha256"] if chunk.sealed_sha256 is not None else []),
        ]
        assert list(record) == PLAIN_RECORD + sealed


# --- what somebody did to it -----------------------------------------------------------------------------------------


def check(document: Any, *, name: str = "s") -> Manifest:
    """Read a document as `get` does: decoded, then the chain."""
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    try:
        manifest = decode_manifest(data, name=name)
        manifest.verify_chain()
    except S3ductError as error:
        assert_well_said(error)
        raise
    return manifest


def flip_hex(text: str, at: int) -> str:
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]


@given(manifests(min_chunks=1), st.data())
def test_a_tampered_chunk_record_is_found(manifest: Manifest, data: st.DataObject) -> None:
    document = json.loads(encode_manifest(manifest))
    chunks = document["chunks"]
    at = data.draw(st.integers(0, len(chunks) - 1), label="at")
    to = data.draw(st.integers(0, len(chunks) - 1), label="to")
    kind = data.draw(
        st.sampled_from(["sha256", "sha3_256", "size", "index", "swap", "drop", "duplicate", "truncate"])
    )
    if kind in {"sha256", "sha3_256"}:
        chunks[at][kind] = flip_hex(chunks[at][kind], data.draw(st.integers(0, 63)))
    elif kind in {"size", "index"}:
        chunks[at][kind] += data.draw(st.integers(-3, 3).filter(bool))
    elif kind == "swap":
        assume(at != to)
        chunks[at], chunks[to] = chunks[to], chunks[at]
    elif kind == "drop":
        del chunks[at]
    elif kind == "duplicate":
        chunks.insert(to, chunks[at])
    else:
        del chunks[at:]
    with pytest.raises(IntegrityError):
        check(document, name=manifest.name)


@given(manifests(min_chunks=1), st.data())
def test_tampering_is_found_when_counts_sizes_and_indices_were_made_to_fit(
    manifest: Manifest, data: st.DataObject
) -> None:
    document = json.loads(encode_manifest(manifest))
    chunks = copy.deepcopy(document["chunks"])
    at = data.draw(st.integers(0, len(chunks) - 1), label="at")
    to = data.draw(st.integers(0, len(chunks) - 1), label="to")
    kind = data.draw(st.sampled_from(["swap", "drop", "duplicate", "truncate"]))
    if kind == "swap":
        chunks[at], chunks[to] = chunks[to], chunks[at]
    elif kind == "drop":
        del chunks[at]
    elif kind == "duplicate":
        chunks.insert(to, copy.deepcopy(chunks[at]))
    else:
        del chunks[at:]
    for index, chunk in enumerate(chunks):
        chunk |= {"index": index, "s3_key": f"{manifest.name}/forged-{index}"}
    document |= {
        "chunks": chunks,
        "chunk_count": len(chunks),
        "total_bytes": sum(chunk["size"] for chunk in chunks),
    }
    before = [record.digest.combined.hex() for record in manifest.chunks]
    assume([chunk["sha256"] + chunk["sha3_256"] for chunk in chunks] != before)
    with pytest.raises(IntegrityError):
        check(document, name=manifest.name)


@given(manifests(min_chunks=1, max_chunks=2), st.data())
def test_a_flipped_bit_is_found_or_changes_no_content(manifest: Manifest, data: st.DataObject) -> None:
    encoded = bytearray(encode_manifest(manifest))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read = check(bytes(encoded), name=manifest.name)
    except S3ductError:
        return
    assert [(chunk.index, chunk.size_bytes, chunk.digest) for chunk in read.chunks] == [
        (chunk.index, chunk.size_bytes, chunk.digest) for chunk in manifest.chunks
    ]


@given(manifests(max_chunks=2), st.data())
def test_a_manifest_cut_short_is_refused(manifest: Manifest, data: st.DataObject) -> None:
    encoded = encode_manifest(manifest)
    with pytest.raises(ManifestInvalid):
        check(encoded[: data.draw(st.integers(0, len(encoded) - 1))], name=manifest.name)


# --- what a hostile hand writes --------------------------------------------------------------------------------------


def sample() -> dict[str, Any]:
    """Return a valid document with every field of the format."""
    manifest = dataclasses.replace(
        manifest_of([b"one", b"three"]), method=EncryptionMethod.AES_256_GCM, recipient="r", storage_class="GLACIER",
        description="d", tags={"k": "v"}, stream_sha256="00" * 32, stream_sha3_256="11" * 32,
    )  # fmt: skip
    chunks = tuple(
        dataclasses.replace(chunk, sealed_size_bytes=chunk.size_bytes + 28, sealed_sha256=bytes(32))
        for chunk in manifest.chunks
    )
    document = json.loads(encode_manifest(dataclasses.replace(manifest, chunks=chunks)))
    assert isinstance(document, dict)
    attach_mac(document, ManifestMac(bytes(32), "00ff"))
    return document


def test_the_sample_is_valid_and_has_every_field() -> None:
    check(sample())
    assert list(sample()) == [*TOP_LEVEL, "s3duct"]
    assert list(sample()["chunks"][1]) == SEALED_RECORD


KINDS: dict[str, list[Any]] = {
    "null": [None],
    "boolean": [True, False],
    "whole": [0, 1, 2],
    "fraction": [1.0, 2.5],
    "text": ["", "0", "null"],
    "list": [[], [0], [[]]],
    "object": [{}, {"a": 1}],
}
TOP_KINDS = {
    "version": "whole", "name": "text", "description": "text", "created": "text", "tool_version": "text",
    "chunk_count": "whole", "chunk_size": "whole", "total_bytes": "whole", "encrypted": "boolean",
    "encrypted_manifest": "boolean", "encryption_method": "text null", "encryption_recipient": "text null",
    "storage_class": "text null", "tags": "object", "chunks": "list", "final_chain": "text", "stream_sha256": "text",
    "stream_sha3_256": "text", "s3duct": "object",
}  # fmt: skip
RECORD_KINDS = {
    "index": "whole", "s3_key": "text", "size": "whole", "sha256": "text", "sha3_256": "text", "etag": "text",
    "encrypted_size": "whole null", "encrypted_sha256": "text null",
}  # fmt: skip


def wrong_for(kinds: dict[str, str]) -> list[Any]:
    return [
        pytest.param(field, value, id=f"{field}-{json.dumps(value)}")
        for field, right in kinds.items()
        for kind, values in KINDS.items()
        if kind not in right.split()
        for value in values
    ]


@pytest.mark.parametrize(("field", "value"), wrong_for(TOP_KINDS))
def test_a_field_of_a_wrong_type_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ManifestInvalid):
        check(sample() | {field: value})


@pytest.mark.parametrize("value", [value for kind in KINDS if kind != "text" for value in KINDS[kind]])
def test_a_final_link_of_a_wrong_type_is_refused_for_an_empty_stream_too(value: Any) -> None:
    document = json.loads(encode_manifest(manifest_of([])))
    check(document)
    with pytest.raises(ManifestInvalid):
        check(document | {"final_chain": value})


@pytest.mark.parametrize(("field", "value"), wrong_for(RECORD_KINDS))
def test_a_field_of_a_record_of_a_wrong_type_is_refused(field: str, value: Any) -> None:
    document = sample()
    document["chunks"][1][field] = value
    with pytest.raises(ManifestInvalid):
        check(document)


@pytest.mark.parametrize("value", [value for kind in KINDS if kind != "object" for value in KINDS[kind]])
def test_a_record_that_is_no_object_is_refused(value: Any) -> None:
    document = sample()
    document["chunks"][1] = value
    with pytest.raises(ManifestInvalid):
        check(document)


@pytest.mark.parametrize("value", [value for kind in KINDS if kind != "text" for value in KINDS[kind]])
def test_a_tag_that_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(ManifestInvalid):
        check(sample() | {"tags": {"k": value}})


@pytest.mark.parametrize(
    "field", ["name", "chunk_count", "chunk_size", "total_bytes", "chunks", "final_chain"]
)
def test_a_missing_field_is_refused(field: str) -> None:
    document = sample()
    del document[field]
    with pytest.raises(IntegrityError):
        check(document)


@pytest.mark.parametrize("field", ["index", "s3_key", "size", "sha256", "sha3_256"])
def test_a_missing_field_of_a_record_is_refused(field: str) -> None:
    document = sample()
    del document["chunks"][0][field]
    with pytest.raises(ManifestInvalid):
        check(document)


def test_unknown_fields_are_ignored() -> None:
    document = sample() | {"future": [1]}
    document["chunks"][0]["future"] = {}
    document["s3duct"]["future"] = None
    assert check(document) == check(sample())


@pytest.mark.parametrize(
    "text", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0.0", b"-1", b"9" * 5000, b"-" + b"9" * 5000]
)
@pytest.mark.parametrize(
    "field", ["version", "chunk_count", "chunk_size", "total_bytes", "index", "size", "encrypted_size"]
)
def test_a_number_that_is_none_negative_or_endless_is_refused(field: str, text: bytes) -> None:
    document = sample()
    place = document if field in document else document["chunks"][0]
    place[field] = "HERE"
    with pytest.raises(ManifestInvalid):
        check(json.dumps(document).encode().replace(b'"HERE"', text))


@pytest.mark.parametrize("text", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_is_no_json_is_refused_where_nobody_looks(text: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        check(json.dumps(sample() | {"unknown": "HERE"}).encode().replace(b'"HERE"', text))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 0), ("chunk_count", 1), ("chunk_count", 3), ("chunk_count", 10**12), ("chunk_size", 0),
        ("chunk_size", 4), ("chunk_size", MAX_OBJECT_BYTES + 1), ("total_bytes", 7), ("total_bytes", 9),
        ("total_bytes", 10**30), ("name", "S"), ("name", "s/"), ("name", ""), ("encryption_method", None),
        ("encrypted", False), ("final_chain", "0" * 63), ("final_chain", "0" * 65), ("final_chain", "G" * 64),
        ("final_chain", "A" * 64), ("final_chain", "0x" + "0" * 62), ("final_chain", " " * 64), ("chunks", []),
    ],
)  # fmt: skip
def test_a_value_out_of_range_or_at_odds_with_the_others_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ManifestInvalid):
        check(sample() | {field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("index", 0), ("index", 2), ("index", 10**13), ("size", 0), ("size", MAX_OBJECT_BYTES + 1), ("size", 4),
        ("encrypted_size", 0), ("encrypted_size", MAX_OBJECT_BYTES + 1), ("etag", "x" * 1025),
        *((field, value)
          for field in ("sha256", "sha3_256", "encrypted_sha256")
          for value in ("", "0" * 63, "0" * 65, "A" * 64, "g" * 64, " " * 64, "\uff10" * 64, "0" * 63 + "\n")),
    ],
)  # fmt: skip
def test_a_value_of_a_record_out_of_range_is_refused(field: str, value: Any) -> None:
    document = sample()
    document["chunks"][1][field] = value
    with pytest.raises(ManifestInvalid):
        check(document)


@pytest.mark.parametrize(
    "key",
    [
        "", "s", "s/", "/s/chunk-000001", "chunk-000001", "other/chunk-000001", "S/chunk-000001", "ss/chunk-000001",
        "s//chunk-000001", "s/./chunk-000001", "s/../other/chunk-000001", "s/a/../../other/chunk-000001", "s/..", "s/.",
        "s/a/", "s\\chunk-000001", "s/.manifest.json", "s/sub/.manifest.json", "s/a\nb", "s/\x00", "s/\x1b[2J",
        "s/.resume/1", "s/\ud800", "s/\u202e", "s/chunk-000000",
    ],
)  # fmt: skip
def test_a_key_that_is_no_chunk_of_this_stream_is_refused(key: str) -> None:
    document = sample()
    document["chunks"][1]["s3_key"] = key
    with pytest.raises(ManifestInvalid):
        check(document)


@pytest.mark.parametrize("key", ["s/chunk-1", "s/gen-00000000/chunk-000001", "s/s/x", "s/a..b", "s/ä b"])
def test_the_name_of_a_chunk_is_the_choice_of_its_writer(key: str) -> None:
    document = sample()
    document["chunks"][1]["s3_key"] = key
    assert check(document).chunks[1].key == key


@pytest.mark.parametrize(
    "keys",
    [
        ("s/x", "s/x"), ("s/x", "s/y/x", "s/x"), ("s/chunk-000001", "s/chunk-000001"),
        ("s/chunk-000002", "s/x", "s/chunk-000002"),
        ("s/x", "s/gen-00000000/chunk-000002", "s/gen-00000000/chunk-000002"), ("s/chunk-0000001", "s/chunk-0000001"),
    ],
)  # fmt: skip
def test_two_chunks_of_one_key_are_refused_whatever_it_says(keys: tuple[str, ...]) -> None:
    document = json.loads(encode_manifest(manifest_of([b"c"] * len(keys))))
    for record, key in zip(document["chunks"], keys, strict=True):
        record["s3_key"] = key
    with pytest.raises(ManifestInvalid, match="the same key"):
        check(document)


@pytest.mark.parametrize(
    "keys",
    [
        ("s/chunk-000001", "s/chunk-000000"), ("s/chunk-000007", "s/chunk-000001"), ("s/chunk-0000001", "s/chunk-000001"),
        ("s/gen-00000000/chunk-000001", "s/chunk-000001"), ("s/x", "s/X"),
    ],
)  # fmt: skip
def test_keys_that_say_another_index_are_the_choice_of_their_writer(keys: tuple[str, ...]) -> None:
    document = json.loads(encode_manifest(manifest_of([b"c"] * len(keys))))
    for record, key in zip(document["chunks"], keys, strict=True):
        record["s3_key"] = key
    assert [chunk.key for chunk in check(document).chunks] == list(keys)


def test_indices_out_of_order_are_refused() -> None:
    document = sample()
    document["chunks"].reverse()
    with pytest.raises(ManifestInvalid):
        check(document)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("version", 1 << 31),
        ("encryption_method", "rot13"),
        ("encryption_method", ""),
        ("encryption_method", "AGE"),
    ],
)
def test_a_newer_version_or_method_is_unsupported(field: str, value: Any) -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        check(sample() | {field: value})
    assert "upgrade" in caught.value.hint


def test_the_manifest_of_another_stream_is_refused() -> None:
    with pytest.raises(ManifestInvalid, match="'s'"):
        check(sample(), name="t")


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("s", True),
        ("p/s", True),
        ("a/p/s", True),
        ("ps", False),
        ("p/s/", False),
        ("s/p", False),
        ("", False),
    ],
)
def test_a_name_may_hold_the_prefix_where_the_caller_says_so(name: str, accepted: bool) -> None:
    data = json.dumps(sample()).encode()
    if accepted:
        assert decode_manifest(data, name=name, under_prefix=True) == check(sample())
    else:
        with pytest.raises(ManifestInvalid):
            decode_manifest(data, name=name, under_prefix=True)
    if name != "s":
        with pytest.raises(ManifestInvalid):
            decode_manifest(data, name=name)


@pytest.mark.parametrize("stored", ["", "/", "/s", "p", "a/s"])
def test_a_name_under_a_prefix_is_still_not_any_name(stored: str) -> None:
    with pytest.raises(ManifestInvalid):
        decode_manifest(json.dumps(sample() | {"name": stored}).encode(), name="p/s", under_prefix=True)


@pytest.mark.parametrize(
    "data",
    [
        b"", b" ", b"{", b"}", b"[]", b"[{}]", b"null", b"true", b"1", b'"{}"', b"{}", b"{}{}", b"{},", b"{'a': 1}",
        b"{a: 1}", b'{"a": 1,}', b"\x00", b"\xff\xfe", b'{"version": 1', b"<xml/>", b"\x1f\x8b", b"{" * 100_000,
        b"[" * 100_000, b'{"a":' * 100_000, b'{"tags": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'"' + b"\\" * 100_001, b'{"a": "\n"}', b'{"a": "\\u12"}', b'{"a": "\xff"}', b"-", b"9" * 5000,
    ],
    ids=lambda data: repr(data[:20]),
)  # fmt: skip
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        check(data)


@pytest.mark.parametrize("place", ["tags", "chunks", "unknown", "name", "version"])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_bottomless_nesting_is_refused_wherever_it_is(place: str, opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    bottomless = opening * 100_000 + b"1" + closing * 100_000
    with pytest.raises(ManifestInvalid):
        check(json.dumps(sample() | {place: "HERE"}).encode().replace(b'"HERE"', bottomless))


@pytest.mark.parametrize("field", ["version", "chunks", "index", "sha256", "k"])
def test_a_key_given_twice_is_refused(field: str) -> None:
    name = f'"{field}"'.encode()
    data = json.dumps(sample()).encode()
    start = data.index(name)
    stop = data.index(b": ", start)
    doubled = data[:start] + data[start:stop] + b": 1, " + data[start:]
    assert doubled.count(name) == data.count(name) + 1
    with pytest.raises(ManifestInvalid, match="JSON"):
        check(doubled)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_another_encoding_than_utf_8_is_refused(encoding: str) -> None:
    with pytest.raises(ManifestInvalid):
        check(json.dumps(sample()).encode(encoding))


def test_a_byte_order_mark_is_refused_or_passed_over() -> None:
    """RFC 8259, section 8.1: a parser may do either."""
    data = json.dumps(sample()).encode("utf-8-sig")
    try:
        manifest = check(data)
    except ManifestInvalid:
        return
    assert manifest == check(sample())


def test_surrogates_that_are_no_utf_8_are_refused() -> None:
    data = json.dumps(sample() | {"description": "HERE"}).encode()
    with pytest.raises(ManifestInvalid):
        check(data.replace(b"HERE", b"\xed\xa0\x80"))


@pytest.mark.parametrize("field", [field for field, kind in TOP_KINDS.items() if "text" in kind])
@pytest.mark.parametrize("text", ["\ud800", "\udfff\ud800", "\x00", "\x1b]0;owned\x07", "x" * 1_000_000])
def test_odd_text_is_refused_or_can_be_written_again(field: str, text: str) -> None:
    try:
        manifest = check(sample() | {field: text})
    except S3ductError:
        return
    assert decode_manifest(encode_manifest(manifest), name="s") == manifest


# --- and whatever else there is --------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_errors_of_ours(data: bytes) -> None:
    with pytest.raises(S3ductError):
        check(data)


@given(json_values)
def test_arbitrary_json_raises_nothing_but_errors_of_ours(value: Any) -> None:
    with pytest.raises(S3ductError):
        check(value)


@given(st.data())
def test_arbitrary_values_anywhere_raise_nothing_but_errors_of_ours(data: st.DataObject) -> None:
    document = sample()
    places = [document, *document["chunks"]]
    fields = [*TOP_LEVEL, *SEALED_RECORD, "s3duct"]
    for _ in range(data.draw(st.integers(1, 3))):
        data.draw(st.sampled_from(places))[data.draw(st.sampled_from(fields))] = data.draw(json_values)
    try:
        check(document)
    except S3ductError:
        return


@given(st.data())
def test_a_damaged_text_raises_nothing_but_errors_of_ours(data: st.DataObject) -> None:
    encoded = json.dumps(sample()).encode()
    start = data.draw(st.integers(0, len(encoded)))
    stop = data.draw(st.integers(start, min(len(encoded), start + 40)))
    with_garbage = encoded[:start] + data.draw(st.binary(max_size=10)) + encoded[stop:]
    try:
        check(with_garbage)
    except S3ductError:
        return


# --- what is written is small enough to be read -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["s", "n" * 900, "\u00e4" * 400])
def test_a_manifest_of_as_many_chunks_as_may_be_put_is_small_enough_to_be_read(name: str) -> None:
    longest = dataclasses.replace(
        manifest_of([b"x"]).chunks[0], index=1 << 40, key=f"{name}/gen-00000000/chunk-{1 << 40}",
        size_bytes=MAX_OBJECT_BYTES, etag='"' + "e" * 64 + '-10000"', sealed_size_bytes=MAX_OBJECT_BYTES,
        sealed_sha256=bytes(32),
    )  # fmt: skip
    manifest = dataclasses.replace(manifest_of([b"x"]), chunks=(longest,) * 100)
    assert max_chunks(name) * len(encode_manifest(manifest)) / 100 < MAX_MANIFEST_BYTES
    assert max_chunks(name) > 200_000
