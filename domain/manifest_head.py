"""What a manifest says of its stream beside the chunks, and how to read that off its beginning.

Writers put `chunks` behind it (s3duct 0.3.0, 0.4.0 and this one). JSON has no order of keys: a beginning that lacks any of
it says nothing, and the manifest is to be read whole.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.json_fields import STRICT_JSON, Fields
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import MAX_CHUNK_COUNT, MAX_TOTAL_BYTES, read_document

_CHUNKS = "chunks"
_SPACE = " \t\n\r"
_SAID = frozenset(
    (
        "version",
        "name",
        "description",
        "created",
        "tool_version",
        "chunk_count",
        "chunk_size",
        "total_bytes",
        "encrypted",
        "encrypted_manifest",
        "encryption_method",
        "encryption_recipient",
        "storage_class",
        "tags",
    )
)


@dataclass(frozen=True, slots=True)
class ManifestHead:
    """As `Manifest`, with the number of the chunks in place of them."""

    name: str
    chunk_count: int
    chunk_size_bytes: int
    total_bytes: int
    created: str
    tool_version: str
    method: EncryptionMethod
    recipient: str | None
    sealed: bool
    storage_class: str | None
    description: str
    tags: Mapping[str, str]

    @property
    def encrypted(self) -> bool:
        """Whether the chunks are sealed."""
        return self.method is not EncryptionMethod.NONE


def head_of(
    manifest: Manifest, *, chunk_count: int | None = None, total_bytes: int | None = None
) -> ManifestHead:
    """Return what a manifest says beside its chunks; the figures, if given, in place of its own."""
    return ManifestHead(
        name=manifest.name,
        chunk_count=len(manifest.chunks) if chunk_count is None else chunk_count,
        chunk_size_bytes=manifest.chunk_size_bytes,
        total_bytes=manifest.total_bytes if total_bytes is None else total_bytes,
        created=manifest.created,
        tool_version=manifest.tool_version,
        method=manifest.method,
        recipient=manifest.recipient,
        sealed=manifest.sealed,
        storage_class=manifest.storage_class,
        description=manifest.description,
        tags=manifest.tags,
    )


def read_head(beginning: bytes | bytearray, *, name: str, under_prefix: bool = False) -> ManifestHead | None:
    """Read what stands in front of the chunks; None if that is not everything, or no JSON.

    Nothing is compared with the chunks: whether they add up, only the whole manifest tells.

    Raises:
        ManifestInvalid, UnsupportedFormat: see `decode_manifest`.
    """
    fields = _members_before_chunks(beginning)
    if fields is None or not fields.keys() >= _SAID:
        return None
    reader = Fields(fields)
    without = {"chunks": [], "chunk_count": 0, "total_bytes": 0, "final_chain": ""}
    return head_of(
        read_document(fields | without, name=name, under_prefix=under_prefix),
        chunk_count=reader.integer("chunk_count", low=0, high=MAX_CHUNK_COUNT),
        total_bytes=reader.integer("total_bytes", low=0, high=MAX_TOTAL_BYTES),
    )


def _members_before_chunks(beginning: bytes | bytearray) -> dict[str, Any] | None:
    fields: dict[str, Any] = {}
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(beginning)  # it may be cut within a character
        position = _behind(text, 0, "{")
        while True:
            key, position = STRICT_JSON.raw_decode(text, position)
            position = _behind(text, position, ":")
            if key == _CHUNKS:
                return fields
            if not isinstance(key, str) or key in fields:
                return None
            fields[key], position = STRICT_JSON.raw_decode(text, position)
            position = _behind(text, position, ",")
    except (ValueError, RecursionError):
        return None


def _behind(text: str, position: int, mark: str) -> int:
    """Return where the next token behind `mark` begins. Raises `ValueError` if something else stands there."""
    position = _behind_space(text, position)
    if text[position : position + 1] != mark:
        raise ValueError(mark)
    return _behind_space(text, position + 1)


def _behind_space(text: str, position: int) -> int:
    while text[position : position + 1] in _SPACE and position < len(text):
        position += 1
    return position
