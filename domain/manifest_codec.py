"""Manifest to JSON and back. What is read is hostile input: everything is checked before anything is used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from s3duct.domain.chunk import MAX_OBJECT_BYTES, ChunkRecord, chunk_key, place_of_chunk
from s3duct.domain.chunk_records import ChunkRecords
from s3duct.domain.digest import DIGEST_BYTES, DualDigest
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import ManifestInvalid, UnsupportedFormat
from s3duct.domain.json_fields import Fields, invalid
from s3duct.domain.json_pieces import parse_large_object
from s3duct.domain.manifest import FORMAT_VERSION, Manifest
from s3duct.domain.manifest_mac import mac_in
from s3duct.domain.names import MANIFEST_FILE, RESUME_FOLDER, has_control_characters
from s3duct.domain.sizes import GIB, MIB, TIB

# A record takes about 330 bytes of JSON: room for some three million chunks. Readers stop downloading here.
MAX_MANIFEST_BYTES = GIB
MAX_TOTAL_BYTES = 1024 * 1024 * TIB
MAX_CHUNK_COUNT = 1 << 40
_MAX_ETAG_LENGTH = 1024
_USUAL_ETAG_LENGTH = 128


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest without a MAC; see `encode_document`."""
    return encode_document(manifest_document(manifest))


def encode_document(document: Mapping[str, object]) -> bytes:
    """Write a manifest's JSON object as UTF-8, two spaces deep."""
    return json.dumps(document, indent=2).encode("utf-8")


def manifest_document(manifest: Manifest) -> dict[str, object]:
    """Return a manifest as a JSON object, fields in the order of s3duct 0.4.0."""
    return {
        "version": FORMAT_VERSION,
        "name": manifest.name,
        "description": manifest.description,
        "created": manifest.created,
        "tool_version": manifest.tool_version,
        "chunk_count": len(manifest.chunks),
        "chunk_size": manifest.chunk_size_bytes,
        "total_bytes": manifest.total_bytes,
        "encrypted": manifest.encrypted,
        "encrypted_manifest": manifest.sealed,
        "encryption_method": manifest.method.value,
        "encryption_recipient": manifest.recipient,
        "storage_class": manifest.storage_class,
        "tags": dict(manifest.tags),
        "chunks": [encode_record(record) for record in manifest.chunks],
        "final_chain": manifest.final_chain,
        "stream_sha256": manifest.stream_sha256,
        "stream_sha3_256": manifest.stream_sha3_256,
    }


def encode_record(record: ChunkRecord) -> dict[str, object]:
    """Write a chunk record as the JSON object that manifests and journals hold.

    No field of ours may be added: s3duct 0.3.0 crashes on an unknown key in a chunk record.
    """
    fields: dict[str, object] = {
        "index": record.index,
        "s3_key": record.key,
        "size": record.size_bytes,
        "sha256": record.digest.sha256.hex(),
        "sha3_256": record.digest.sha3_256.hex(),
        "etag": record.etag,
    }
    if record.sealed_size_bytes is not None:
        fields["encrypted_size"] = record.sealed_size_bytes
    if record.sealed_sha256 is not None:
        fields["encrypted_sha256"] = record.sealed_sha256.hex()
    return fields


def max_chunks(name: str) -> int:
    """Return how many chunks a manifest of stream `name` has room for: whatever is written must be readable again."""
    record = ChunkRecord(
        index=1 << 40,
        key=chunk_key(name, 1 << 40, generation="0" * 8),
        size_bytes=MAX_OBJECT_BYTES,
        digest=DualDigest(bytes(DIGEST_BYTES), bytes(DIGEST_BYTES)),
        etag="x" * _USUAL_ETAG_LENGTH,
        sealed_size_bytes=MAX_OBJECT_BYTES,
        sealed_sha256=bytes(DIGEST_BYTES),
    )
    longest = len(encode_document({"": [encode_record(record)]}))
    return (MAX_MANIFEST_BYTES - MIB) // longest


def decode_manifest(data: bytes | bytearray, *, name: str, under_prefix: bool = False) -> Manifest:
    """Read and validate the manifest of stream `name`.

    Args:
        data: the JSON.
        name: what the stream is called where it was found.
        under_prefix: accept that `name` holds the prefix as well, which manifests do not.

    Raises:
        ManifestInvalid: not JSON, a wrong type, a value out of range, or inconsistent with itself.
        UnsupportedFormat: a newer format version or an unknown encryption method.
    """
    return read_document(parse_document(data), name=name, under_prefix=under_prefix)


def parse_document(data: bytes | bytearray) -> dict[str, Any]:
    """Parse a manifest, without its chunks, which are `Elements`. Raises `ManifestInvalid`: not JSON."""
    return parse_large_object(data, list_key="chunks")


def read_document(document: Mapping[str, Any], *, name: str, under_prefix: bool = False) -> Manifest:
    """As `decode_manifest`, from parsed JSON."""
    mac_in(document)  # malformed, it is nobody's
    reader = Fields(document)
    version = reader.integer("version", default=FORMAT_VERSION, low=1, high=1 << 31)
    if version > FORMAT_VERSION:
        raise UnsupportedFormat(
            f"the manifest of {name!r} has format version {version}, this program reads {FORMAT_VERSION}",
            hint="upgrade s3duct to read this stream",
        )
    stored_name = reader.text("name")
    if stored_name != name and not (under_prefix and name.endswith(f"/{stored_name}")):
        raise ManifestInvalid(
            f"under the name {name!r} lies the manifest of {stored_name!r}",
            hint="put in its place, copied or renamed: a stream is bound to its name (--prefix chooses the folder)",
        )
    manifest = Manifest(
        name=stored_name,
        chunk_size_bytes=reader.integer("chunk_size", low=1, high=MAX_OBJECT_BYTES),
        total_bytes=reader.integer("total_bytes", low=0, high=MAX_TOTAL_BYTES),
        chunks=ChunkRecords(decode_record(item, name=stored_name) for item in reader.array("chunks")),
        final_chain=_final_chain(reader),
        created=reader.text("created", default=""),
        tool_version=reader.text("tool_version", default=""),
        method=_method(reader),
        recipient=reader.optional_text("encryption_recipient"),
        sealed=reader.boolean("encrypted_manifest", default=False),
        storage_class=reader.optional_text("storage_class"),
        description=reader.text("description", default=""),
        tags=_text_map(reader.mapping("tags")),
        stream_sha256=reader.text("stream_sha256", default=""),
        stream_sha3_256=reader.text("stream_sha3_256", default=""),
    )
    _check_consistency(manifest, chunk_count=reader.integer("chunk_count", low=0, high=MAX_CHUNK_COUNT))
    return manifest


def decode_record(item: object, *, name: str) -> ChunkRecord:
    """Read and validate one chunk record of stream `name`. Raises `ManifestInvalid`."""
    if not isinstance(item, dict):
        invalid("a chunk record is not an object")
    reader = Fields(item)
    sealed_size = reader.get("encrypted_size")
    sealed_sha256 = reader.get("encrypted_sha256")
    return ChunkRecord(
        index=reader.integer("index", low=0, high=1 << 40),
        key=_chunk_key(reader, name),
        size_bytes=reader.integer("size", low=1, high=MAX_OBJECT_BYTES),
        digest=DualDigest(sha256=reader.digest("sha256"), sha3_256=reader.digest("sha3_256")),
        etag=_etag(reader),
        sealed_size_bytes=(
            None if sealed_size is None else reader.integer("encrypted_size", low=1, high=MAX_OBJECT_BYTES)
        ),
        sealed_sha256=None if sealed_sha256 is None else reader.digest("encrypted_sha256"),
    )


def _method(reader: Fields) -> EncryptionMethod:
    text = reader.optional_text("encryption_method")
    try:
        method = EncryptionMethod(text)
    except ValueError:
        raise UnsupportedFormat(
            f"unknown encryption method {text!r} in the manifest", hint="upgrade s3duct to read this stream"
        ) from None
    if reader.boolean("encrypted", default=False) != (method is not EncryptionMethod.NONE):
        invalid("fields 'encrypted' and 'encryption_method' contradict each other")
    return method


def _chunk_key(reader: Fields, name: str) -> str:
    key = reader.text("s3_key")
    inner = key.removeprefix(f"{name}/")
    if (
        inner == key
        or any(segment in ("", ".", "..") for segment in inner.split("/"))
        or has_control_characters(key)
    ):
        invalid(f"chunk key {key!r} does not lie under {name + '/'!r}")
    if inner.rsplit("/", 1)[-1] == MANIFEST_FILE:
        invalid(f"chunk key {key!r} is a manifest")
    if inner.split("/", 1)[0] == RESUME_FOLDER:
        invalid(f"chunk key {key!r} is part of a journal")
    return key


def _etag(reader: Fields) -> str:
    etag = reader.text("etag", default="")
    if len(etag) > _MAX_ETAG_LENGTH:
        invalid("an ETag is too long")
    return etag


def _final_chain(reader: Fields) -> str:
    return reader.digest("final_chain").hex() if reader.text("final_chain") else ""


def _text_map(fields: Mapping[str, Any]) -> dict[str, str]:
    if any(not isinstance(value, str) for value in fields.values()):
        invalid("a tag is not text")
    return dict(fields)


def _check_consistency(manifest: Manifest, *, chunk_count: int) -> None:
    if chunk_count != len(manifest.chunks):
        invalid(f"'chunk_count' is {chunk_count}, but {len(manifest.chunks)} chunks are listed")
    if any(record.index != place for place, record in enumerate(manifest.chunks)):
        invalid("the chunk indices do not run from 0 in order")
    if _has_twins(manifest.chunks, manifest.name):
        invalid("two chunks have the same key")
    if any(record.size_bytes > manifest.chunk_size_bytes for record in manifest.chunks):
        invalid("a chunk is larger than 'chunk_size'")
    if sum(record.size_bytes for record in manifest.chunks) != manifest.total_bytes:
        invalid("the chunk sizes do not add up to 'total_bytes'")


def _has_twins(chunks: Sequence[ChunkRecord], name: str) -> bool:
    """Whether two chunks have the same key.

    Keys that say the chunk's own index differ as the indices do. Only others are collected: a set of all would take as much
    memory as the records.
    """
    odd: dict[str, int] = {}
    for record in chunks:
        place = place_of_chunk(record.key, name=name)
        index = None if place is None else place[1]
        if index == record.index:
            continue
        if record.key in odd:
            return True
        odd[record.key] = len(chunks) if index is None else index
    return any(index < len(chunks) and chunks[index].key == key for key, index in odd.items())
