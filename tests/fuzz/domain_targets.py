"""Targets in the domain: manifests, journals, names, sizes and buckets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from s3duct.domain.bucket import LocalFolder, S3Bucket, parse_bucket
from s3duct.domain.chunk import MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, ChunkKeys, parse_chunk_size
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import JournalDamaged, ManifestInvalid, UnsupportedFormat, UsageError
from s3duct.domain.journal_codec import checked_line, decode_journal, encode_header, encode_record_line
from s3duct.domain.json_fields import Elements, parse_json_object
from s3duct.domain.manifest_codec import (
    decode_manifest,
    encode_document,
    encode_manifest,
    manifest_document,
    parse_document,
)
from s3duct.domain.manifest_mac import ManifestMac, attach_mac, covered_bytes, mac_in
from s3duct.domain.names import StreamLocation, stream_name_of_manifest_key
from s3duct.domain.resume import JournalHeader, ManifestRecord, ResumePlan, RunBinding
from s3duct.domain.sizes import TIB, format_size, parse_size
from tests.fuzz.model import Shape, Target, must_hold, text_of
from tests.unit.strategies import manifest_of, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from s3duct.domain.chunk import ChunkRecord

_VECTOR = Path(__file__).resolve().parents[1] / "vectors" / "manifest-v1-plain.json"
_NAME = "fmt"  # the stream of the vector
_CONTENTS = [b"aaaa", b"bbbb", b"cc"]
_TOKENS = (b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b'"\\ud800"', b"null", b"[" * 4000, b'{"":', b'{"":' * 800, b"fmt/",
           b"/../")  # fmt: skip
_LONGEST_NUMBER = 10**24  # `parse_size` reads 24 digits


# --- manifests and journals ------------------------------------------------------------------------------------------


def _json_object(data: bytes) -> None:
    document = parse_json_object(data)
    json.loads(data, object_pairs_hook=_check_keys)
    with must_hold():
        assert parse_json_object(json.dumps(document).encode()) == document


def _check_keys(pairs: list[tuple[str, Any]]) -> None:
    assert len({key for key, _ in pairs}) == len(pairs)


def _json_pieces(data: bytes) -> None:
    document = parse_document(data)
    with must_hold():
        whole = {
            key: list(value) if isinstance(value, Elements) else value for key, value in document.items()
        }
        assert whole == parse_json_object(data)
        assert covered_bytes(document) == covered_bytes(whole)


def _mac(data: bytes) -> None:
    """What a MAC covers has one form, in which it can be read again."""
    document = parse_json_object(data)
    covered = covered_bytes(document)
    with must_hold():
        assert covered_bytes(parse_json_object(covered)) == covered
    found = mac_in(document)
    if found is not None:
        attach_mac(document, found)
        assert (mac_in(document), covered_bytes(document)) == (found, covered)


def _manifest(data: bytes) -> None:
    manifest = decode_manifest(data, name=_NAME)
    with must_hold():
        assert manifest.name == _NAME
        assert [record.index for record in manifest.chunks] == list(range(len(manifest.chunks)))
        assert len({record.key for record in manifest.chunks}) == len(manifest.chunks)
        for record in manifest.chunks:
            _check_record(record, name=_NAME)
            assert record.size_bytes <= manifest.chunk_size_bytes
        assert sum(record.size_bytes for record in manifest.chunks) == manifest.total_bytes
        assert manifest.encrypted == (manifest.method is not EncryptionMethod.NONE)
        assert decode_manifest(encode_manifest(manifest), name=_NAME) == manifest
        assert decode_manifest(data, name=f"prefix/{_NAME}", under_prefix=True) == manifest


def _check_record(record: ChunkRecord, *, name: str) -> None:
    assert record.index >= 0
    assert record.size_bytes > 0
    assert record.key.startswith(f"{name}/")
    inside = record.key.removeprefix(f"{name}/").split("/")
    assert not {"", ".", ".."} & set(inside)
    assert inside[-1] != ".manifest.json"
    assert len(record.digest.sha256) == len(record.digest.sha3_256) == 32
    assert record.sealed_sha256 is None or len(record.sealed_sha256) == 32
    assert record.sealed_size_bytes is None or record.sealed_size_bytes > 0


def _manifests() -> Sequence[bytes]:
    plain = manifest_of(_CONTENTS, name=_NAME)
    sealed = tuple(
        replace(record, sealed_size_bytes=record.size_bytes + 28, sealed_sha256=bytes(32))
        for record in plain.chunks
    )
    ours = replace(
        plain,
        chunks=sealed,
        method=EncryptionMethod.AES_256_GCM,
        sealed=True,
        recipient="age1…",
        storage_class="GLACIER_IR",
        description="ä 🦆",
        tags={"env": "prod", "": ""},
    )
    document = manifest_document(ours)
    attach_mac(document, ManifestMac(bytes(32), "0123"))
    whole = encode_document(document)
    compact = json.dumps(json.loads(whole), separators=(",", ":"), ensure_ascii=False).encode()
    return [_VECTOR.read_bytes(), encode_manifest(manifest_of([], name=_NAME)), whole, compact]


def _journal(data: bytes) -> None:
    data = b"".join(map(_rechecked, data.splitlines(keepends=True)))
    journal, whole = decode_journal(data)
    assert whole == data.rfind(b"\n") + 1
    assert (journal is None) == (whole == 0)
    if journal is None:
        return
    header, name = journal.header, journal.header.binding.name
    for record in journal.records:
        _check_record(record.chunk, name=name)
    lines = [encode_header(header), *map(encode_record_line, journal.records)]
    lines += [encode_record_line(ManifestRecord(sha256)) for sha256 in journal.manifests]
    with must_hold():
        assert decode_journal(b"".join(lines)) == (journal, sum(map(len, lines)))
    # What a put does next with it.
    ResumePlan(journal.records)
    keys = ChunkKeys(name, header.generation, header.run_id[:8])
    assert keys.of(0) != keys.replacing(0)


def _rechecked(line: bytes) -> bytes:
    """Give a mutated line a check value that matches: what is behind the check is fuzzed as well."""
    try:
        fields = parse_json_object(line)
    except ManifestInvalid:
        return line
    fields.pop("check", None)
    return checked_line(fields) if line.endswith(b"\n") else line


def _journals() -> Sequence[bytes]:
    binding = RunBinding(
        "s3://bucket", "p/", "s", 4096, EncryptionMethod.AES_256_GCM, "0123", True, "GLACIER"
    )
    header = JournalHeader(
        binding,
        run_id="0123456789abcdef",
        generation="0123abcd",
        created="2026-01-01T00:00:00+00:00",
    )
    lines = [encode_header(header), *map(encode_record_line, records_of(_CONTENTS))]
    plain = encode_header(replace(header, generation="", binding=replace(binding, name="ä/b")))
    finished = encode_record_line(ManifestRecord("ab" * 32))
    return [
        b"".join([*lines, finished]),
        b"".join([lines[0], *reversed(lines[1:]), lines[1][:50]]),
        plain,
        lines[0][:-1],
    ]


# --- what people type ------------------------------------------------------------------------------------------------


def _location(data: bytes) -> None:
    prefix, _, name = text_of(data).partition("\n")
    location = StreamLocation.parse(prefix=prefix, name=name)
    with must_hold():
        assert location.name == name
        assert location.prefix.rstrip("/") == prefix.rstrip("/")
        assert StreamLocation.parse(prefix=location.prefix, name=name) == location
        assert stream_name_of_manifest_key(location.manifest_key, prefix=location.prefix) == name
        assert location.manifest_key.startswith(location.folder)
        key = location.full_key(ChunkKeys(name, "0123abcd", "0123abcd").of(999_999))
        assert key.startswith(location.folder)
        assert all(0 < len(text.encode()) <= 1024 for text in (key, location.manifest_key))
        assert not {"", ".", ".."} & set(key.split("/"))


def _size(data: bytes) -> None:
    text = text_of(data)
    size_bytes = parse_size(text)
    assert 0 <= size_bytes <= _LONGEST_NUMBER * TIB
    with must_hold():
        assert size_bytes >= _LONGEST_NUMBER or parse_size(str(size_bytes)) == size_bytes
    assert text.strip().isascii()
    assert format_size(size_bytes).isascii()
    assert MIN_CHUNK_BYTES <= parse_chunk_size(text) == size_bytes <= MAX_CHUNK_BYTES


def _bucket(data: bytes) -> None:
    bucket = parse_bucket(text_of(data))
    with must_hold():
        if isinstance(bucket, S3Bucket):
            assert bucket.name.isascii()
            assert not set(bucket.name) & set("/:%\n ")
            assert parse_bucket(bucket.name) == parse_bucket(f"s3://{bucket.name}/") == bucket
        else:
            assert bucket.path.startswith("/")
            assert "\0" not in bucket.path
            encoded = quote(bucket.path.encode("utf-8", "surrogateescape"))
            assert parse_bucket(f"file://{encoded}") == LocalFolder(bucket.path)


DOMAIN_TARGETS = [
    Target("json", _json_object, (ManifestInvalid,), _manifests, Shape.JSON, _TOKENS),
    Target("json-pieces", _json_pieces, (ManifestInvalid,), _manifests, Shape.JSON, _TOKENS),
    Target("manifest-mac", _mac, (ManifestInvalid,), _manifests, Shape.JSON, _TOKENS),
    Target("manifest", _manifest, (ManifestInvalid, UnsupportedFormat), _manifests, Shape.JSON, _TOKENS),
    Target("journal", _journal, (JournalDamaged, UnsupportedFormat), _journals, Shape.JSON, _TOKENS),
    Target("name", _location, (UsageError,), lambda: [b"\nname", b"a/b/\nhost/data 2026", "ä\n🦆/%".encode()],
           tokens=(b"//", b"/../", b"/./", b"\xed\xa0\x80", "\u202e".encode(), b"x" * 970), longest=1200),
    Target("size", _size, (UsageError,), lambda: [b"4096", b"64MiB", b" 1.5 g", b"512mb", b"1" + b"0" * 9],
           tokens=(b"K", b"iB", b".", "\u212a".encode(), "\u0130".encode(), "\uff11".encode(), b"9" * 24), longest=64),
    Target("bucket", _bucket, (UsageError,),
           lambda: [b"bucket", b"s3://my.bucket_1", b"file:///srv/a%20b", b"file://localhost/x/", b"file:////\xff"],
           tokens=(b"file://", b"s3://", b"%00", b"%ff", b"%2e", b"\xed\xa0\x80", b"localhost"), longest=300),
]  # fmt: skip
