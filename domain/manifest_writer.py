"""A manifest piece by piece, as it is stored and as its MAC covers it: a document of many chunks is never built whole.

Both are, byte for byte, what `manifest_codec.encode_document` and `manifest_mac.covered_bytes` make of the document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import encode_record, manifest_document
from s3duct.domain.manifest_mac import ManifestMac, attach_mac, canonical

_CHUNKS = "chunks"


def stored_pieces(manifest: Manifest, mac: ManifestMac | None = None) -> Iterator[bytes]:
    """Yield the JSON to store: two spaces deep, fields in the order of s3duct 0.4.0, the MAC last."""
    document = _without_chunks(manifest)
    if mac is not None:
        attach_mac(document, mac)
    names = list(document)
    at = names.index(_CHUNKS)
    head = json.dumps({name: document[name] for name in names[:at]}, indent=2)
    tail = json.dumps({name: document[name] for name in names[at + 1 :]}, indent=2)
    yield (head.removesuffix("\n}") + f',\n  "{_CHUNKS}": [').encode("utf-8")
    separator = "\n"
    for record in manifest.chunks:
        # Records are flat: with these separators the fast encoder, which knows no indentation, writes the same.
        fields = json.dumps(encode_record(record), separators=(",\n      ", ": "))
        yield f"{separator}    {{\n      {fields[1:-1]}\n    }}".encode()
        separator = ",\n"
    yield (("\n  " if manifest.chunks else "") + "]," + tail.removeprefix("{")).encode("utf-8")


def covered_pieces(manifest: Manifest) -> Iterator[bytes]:
    """Yield what a MAC is computed over: canonical JSON, see `manifest_mac`."""
    document = _without_chunks(manifest)
    separator = b"{"
    for name in sorted(document):
        yield separator + canonical(name) + b":"
        separator = b","
        if name == _CHUNKS:
            yield from _covered_chunks(manifest)
        else:
            yield canonical(document[name])
    yield b"}"


def _covered_chunks(manifest: Manifest) -> Iterator[bytes]:
    separator = b"["
    for record in manifest.chunks:
        yield separator + canonical(encode_record(record))
        separator = b","
    yield b"]" if manifest.chunks else b"[]"


def _without_chunks(manifest: Manifest) -> dict[str, object]:
    document = manifest_document(replace(manifest, chunks=()))
    return document | {"chunk_count": len(manifest.chunks)}
