"""A large JSON object, parsed piece by piece: its long list is never held whole, as text or parsed.

What is refused is what `json_fields.parse_json_object` refuses.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from functools import partial
from json import JSONDecodeError
from typing import Any, NoReturn

from s3duct.domain.json_fields import STRICT_JSON, Elements, invalid, json_only, refuse_dense, unique_keys
from s3duct.domain.sizes import KIB

_WINDOW_BYTES = 64 * KIB
_MAY_GO_ON = ("", ".", "e", "E")
_SPACE = re.compile(r"[ \t\n\r]*")


def parse_large_object(data: bytes | bytearray, *, list_key: str) -> dict[str, Any]:
    """As `parse_json_object`, but a list of that key is `Elements`, which read on in `data` when they are asked.

    Raises:
        ManifestInvalid: it is no JSON object, anywhere: nothing of it is given out before its end was seen.
    """
    refuse_dense(data)
    with json_only():
        cursor = _Cursor(data)
        is_object = cursor.peek() == "{"
        document = unique_keys(list(_members(data, cursor, list_key))) if is_object else cursor.value()
        if cursor.peek():
            cursor.fail("extra data")
    if not is_object:
        invalid("it is not a JSON object")
    return document


def _members(data: bytes | bytearray, cursor: _Cursor, list_key: str) -> Iterator[tuple[str, Any]]:
    cursor.take("{")
    if cursor.peek() == "}":
        cursor.take("}")
        return
    while True:
        if cursor.peek() != '"':
            cursor.fail("a key is missing")
        key = cursor.value()
        cursor.take(":")
        is_long = key == list_key and cursor.peek() == "["
        yield key, _elements(data, cursor) if is_long else cursor.value()
        if cursor.peek() != ",":
            break
        cursor.take(",")
    cursor.take("}")


def _elements(data: bytes | bytearray, cursor: _Cursor) -> Elements:
    start = cursor.offset_bytes()
    return Elements(partial(_parse_again, data, start), sum(1 for _ in cursor.elements()))


def _parse_again(data: bytes | bytearray, start: int) -> Iterator[Any]:
    with json_only():  # from deeper in a program, what nests deeply may have too little stack left
        yield from _Cursor(data, start).elements()


class _Cursor:
    """A place in JSON text, of which no more is decoded than what is being parsed, and a window behind it.

    Raises `ValueError` where the text is no JSON.
    """

    def __init__(self, data: bytes | bytearray, start: int = 0) -> None:
        self._data = data
        self._decoded = start
        self._text = ""
        self._at = 0
        # Offset in `data` of place `_counted` in `_text`: what has been counted is not counted again.
        self._offset = start
        self._counted = 0

    def offset_bytes(self) -> int:
        self._offset += len(self._text[self._counted : self._at].encode("utf-8"))
        self._counted = self._at
        return self._offset

    def peek(self) -> str:
        """Pass over space; return the character behind it, none at the end of the text."""
        while (stop := self._behind_space()) == len(self._text):
            self._at = stop
            if not self._decode_more():
                return ""
        self._at = stop
        return self._text[stop]

    def take(self, mark: str) -> None:
        if self.peek() != mark:
            self.fail(f"{mark} is missing")
        self._at += 1

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, stop = STRICT_JSON.raw_decode(self._text, self._at)
            except ValueError:
                # As many more bytes each time as there were: one that is wrong is parsed twice in all.
                if not self._decode_more():
                    raise
                continue
            # A number that ends where the text does, or in front of half of its fraction, may go on behind it.
            if self._text[stop : stop + 1] not in _MAY_GO_ON or not self._decode_more():
                self._at = stop
                return value

    def elements(self) -> Iterator[Any]:
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            yield self.value()
            if self.peek() != ",":
                break
            self.take(",")
        self.take("]")

    def fail(self, reason: str) -> NoReturn:
        raise JSONDecodeError(reason, self._text, self._at)

    def _behind_space(self) -> int:
        found = _SPACE.match(self._text, self._at)
        return found.end() if found else self._at

    def _decode_more(self) -> bool:
        """Append a window of text, or as much as there is already. Return False, and change nothing, at the end."""
        if self._decoded == len(self._data):
            return False
        self.offset_bytes()
        rest = self._text[self._at :]
        window = self._data[self._decoded : self._decoded + max(_WINDOW_BYTES, len(rest))]
        is_last = self._decoded + len(window) == len(self._data)
        more, size_bytes = codecs.utf_8_decode(window, "strict", is_last)
        self._decoded += size_bytes
        self._text, self._at, self._counted = rest + more, 0, 0
        return True
