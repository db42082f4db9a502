"""Typed access to untrusted JSON: every field is checked before it is used."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from s3duct.domain.digest import DIGEST_BYTES
from s3duct.domain.errors import ManifestInvalid
from s3duct.domain.sizes import MIB

_HEX = re.compile(r"[0-9a-f]*")

# Parsed, JSON takes 6 to 8 times its size where keys and values are as long as those of chunk records (over 16 bytes each),
# and 46 times where they are short. So large documents of short values are refused before they are parsed.
_HARMLESS_BYTES = MIB
_BYTES_PER_VALUE = 12
# A thousand values, with what is before them and in texts left out. Possessive throughout, and a text may lack its end: so
# it is linear in time and constant in memory, whatever the input. (Cutting the texts out takes 50 times its size.)
_COUNTED_AT_ONCE = 1000
_THOUSAND_VALUES = re.compile(rb'(?:(?:[^"\[{,:]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+[\[{,:]){1000}+', re.DOTALL)


def parse_json_object(data: bytes) -> dict[str, Any]:
    """Parse one JSON object strictly: UTF-8, no duplicate keys, no NaN, no bottomless nesting, no mass of tiny values.

    Raises:
        ManifestInvalid: it is none.
    """
    refuse_dense(data)
    with json_only():
        # Decoded here: json.loads would also take UTF-16 and UTF-32.
        document = STRICT_JSON.decode(data.decode("utf-8"))
    if not isinstance(document, dict):
        invalid("it is not a JSON object")
    return document


class Elements:
    """The elements of a JSON list that is not held (see `json_pieces`): each pass over them parses them anew."""

    __slots__ = ("_count", "_parse")

    def __init__(self, parse: Callable[[], Iterator[Any]], count: int) -> None:
        """Take what begins a pass, and how many elements it gives."""
        self._parse = parse
        self._count = count

    def __iter__(self) -> Iterator[Any]:
        return self._parse()

    def __len__(self) -> int:
        return self._count


class Fields:
    """Typed access to the fields of one untrusted JSON object. What is not of its type raises `ManifestInvalid`."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def get(self, key: str) -> object:
        """Return the field as it is, None if it is missing."""
        return self._fields.get(key)

    def text(self, key: str, *, default: str | None = None) -> str:
        """Return a text."""
        value = self._fields.get(key, default)
        if not isinstance(value, str):
            invalid(f"field {key!r} is not text")
        return value

    def optional_text(self, key: str) -> str | None:
        """Return a text, or None if the field is null or missing."""
        return None if self._fields.get(key) is None else self.text(key)

    def boolean(self, key: str, *, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._fields.get(key, default)
        if not isinstance(value, bool):
            invalid(f"field {key!r} is not true or false")
        return value

    def integer(self, key: str, *, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number from `low` to `high`."""
        value = self._fields.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            invalid(f"field {key!r} is not a whole number")
        if not low <= value <= high:
            invalid(f"field {key!r} is out of range")
        return value

    def digest(self, key: str) -> bytes:
        """Return the 32 bytes of a digest in lower-case hex."""
        text = self.text(key)
        if len(text) != 2 * DIGEST_BYTES or not _HEX.fullmatch(text):
            invalid(f"field {key!r} is not a digest of {DIGEST_BYTES} bytes in hex")
        return bytes.fromhex(text)

    def array(self, key: str) -> list[Any] | Elements:
        """Return a list."""
        value = self._fields.get(key)
        if not isinstance(value, list | Elements):
            invalid(f"field {key!r} is not a list")
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        """Return an object, an empty one if the field is missing."""
        value = self._fields.get(key, {})
        if not isinstance(value, dict):
            invalid(f"field {key!r} is not an object")
        return value


def invalid(reason: str) -> NoReturn:
    """Raise `ManifestInvalid` for `reason`."""
    raise ManifestInvalid(
        f"the manifest is not valid: {reason}", hint="it was altered or damaged; nothing was written"
    )


@contextmanager
def json_only() -> Iterator[None]:
    """Raise `ManifestInvalid` in place of what a parser raises for text that is no JSON."""
    try:
        yield
    except (ValueError, RecursionError, MemoryError) as error:
        raise ManifestInvalid(f"the manifest is not valid JSON ({type(error).__name__})") from None


def refuse_dense(data: bytes | bytearray) -> None:
    """Raise `ManifestInvalid` for text that would take many times its size once parsed."""
    most = max(len(data), _HARMLESS_BYTES) // _BYTES_PER_VALUE
    # What is in texts does not count. Leaving them out takes time, and is needed only if they hold many such characters.
    if sum(map(data.count, (b",", b"[", b"{", b":"))) <= most:
        return
    values = end = 0
    while found := _THOUSAND_VALUES.match(data, end):
        values, end = values + _COUNTED_AT_ONCE, found.end()
        if values > most:
            invalid("it has too many values for its size")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of these members. Raises `ValueError` if two of them have the same key."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("duplicate key")
    return fields


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


# JSON as RFC 8259 has it, without duplicate keys.
STRICT_JSON = json.JSONDecoder(
    object_pairs_hook=unique_keys, parse_constant=_no_constant, parse_float=_finite
)
