"""The MAC of a manifest (ours: member `mac` of the top-level key `s3duct`).

It covers everything else in the manifest, fields unknown to this version included, in one canonical form: keys sorted, no
spaces, ASCII only, numbers as Python writes them. The key that computes it stays with the cipher (`ports.cipher`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from s3duct.domain.json_fields import Elements, Fields, invalid

ALGORITHM = "hmac-sha256"
EXTENSION = "s3duct"  # the one top-level key under which all that is not in s3duct 0.4.0 goes
_MEMBER = "mac"
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class ManifestMac:
    """A MAC of 32 bytes, and the id of the key it was made with (see `Cipher.key_id`)."""

    value: bytes
    key_id: str


def covered_bytes(document: Mapping[str, Any]) -> bytes:
    """Return what the MAC of a manifest is computed over: its canonical JSON without the MAC.

    Raises:
        ManifestInvalid: it is nested too deeply.
    """
    return b"".join(covered_pieces_of(document))


def covered_pieces_of(document: Mapping[str, Any]) -> Iterator[bytes]:
    """As `covered_bytes`, piece by piece: the elements of long lists (the chunks) one by one.

    Of a document of `parse_document` they are parsed anew, which is never all at once.
    """
    extension = document.get(EXTENSION)
    if isinstance(extension, dict):
        rest = {key: value for key, value in extension.items() if key != _MEMBER}
        document = {key: value for key, value in document.items() if key != EXTENSION}
        document |= {EXTENSION: rest} if rest else {}
    try:
        separator = b"{"
        for name in sorted(document):
            yield separator + canonical(name) + b":"
            yield from _pieces_of(document[name])
            separator = b","
        yield b"}" if document else b"{}"
    except RecursionError:
        invalid("it is nested too deeply")


def canonical(value: object) -> bytes:
    """Write one JSON value as a MAC covers it."""
    return _CANONICAL.encode(value).encode("ascii")


def _pieces_of(value: object) -> Iterator[bytes]:
    if not isinstance(value, list | Elements):
        yield canonical(value)
        return
    if not value:
        yield b"[]"
        return
    separator = b"["
    for element in value:
        yield separator + canonical(element)
        separator = b","
    yield b"]"


def attach_mac(document: dict[str, Any], mac: ManifestMac) -> None:
    """Put a MAC over `covered_bytes` into a manifest. s3duct 0.3.0 and 0.4.0 ignore it, as any unknown top-level key."""
    extension = document.setdefault(EXTENSION, {})
    extension[_MEMBER] = {"alg": ALGORITHM, "value": mac.value.hex(), "key_id": mac.key_id}


def mac_in(document: Mapping[str, Any]) -> ManifestMac | None:
    """Return the MAC that a manifest carries, None if there is none or its algorithm is unknown.

    Raises:
        ManifestInvalid: it is malformed.
    """
    extension = Fields(Fields(document).mapping(EXTENSION))
    fields = Fields(extension.mapping(_MEMBER))
    if fields.get("alg") != ALGORITHM:
        return None
    return ManifestMac(value=fields.digest("value"), key_id=fields.text("key_id", default=""))
