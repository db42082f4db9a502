"""Piece by piece, a large object is what it is parsed at once, and what is refused is the same."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain import json_pieces
from s3duct.domain.errors import ManifestInvalid
from s3duct.domain.json_fields import Elements, parse_json_object
from s3duct.domain.json_pieces import parse_large_object
from s3duct.domain.sizes import MIB
from tests.unit.saying import assert_well_said
from tests.unit.strategies import json_values

RECORD = {"index": 0, "s3_key": "a/b", "size": 1, "sha256": "0" * 64, "sha3_256": "0" * 64, "etag": ""}
# The shortest window that holds any character; what does not fit makes it grow.
windows = st.integers(4, 40)


def whole(value: Any) -> Any:
    return list(value) if isinstance(value, Elements) else value


def parsed(data: bytes, window: int, list_key: str = "a") -> dict[str, Any] | None:
    """Return what is read through a small window, None if it is refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_pieces, "_WINDOW_BYTES", window)
        try:
            document = parse_large_object(bytearray(data), list_key=list_key)
        except ManifestInvalid as error:
            assert_well_said(error)
            return None
        assert all(
            len(value) == len(list(value)) for value in document.values() if isinstance(value, Elements)
        )
        return {key: whole(value) for key, value in document.items()}


def parsed_at_once(data: bytes) -> dict[str, Any] | None:
    try:
        return parse_json_object(data)
    except ManifestInvalid:
        return None


@given(
    document=st.dictionaries(
        st.text(max_size=8), json_values | st.lists(json_values, max_size=6), max_size=5
    ),
    indent=st.sampled_from([None, 0, 2, "\t", "\r\n "]),
    ascii_only=st.booleans(),
    window=windows,
)
def test_any_object_is_what_it_is_at_once(
    document: dict[str, Any], indent: int | str | None, ascii_only: bool, window: int
) -> None:
    data = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    expected = parsed_at_once(data)
    found = parsed(data, window, next(iter(document), "a"))
    assert found == expected
    if found is not None and expected is not None:
        assert list(found) == list(expected)


@given(data=st.data(), window=windows)
def test_damaged_text_is_refused_as_it_is_at_once(data: st.DataObject, window: int) -> None:
    document = {"a": [RECORD, {"ä": [1.5, -2e3, True]}], "b": "🦆", "c": [], "d": {"e": [[]]}}
    text = json.dumps(document, ensure_ascii=data.draw(st.booleans())).encode()
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 8)))
    garbage = data.draw(
        st.binary(max_size=4) | st.sampled_from([b",", b"]", b"}", b'"', b":", b"NaN", b"[", b"{", b" "])
    )
    damaged = text[:start] + garbage + text[stop:]
    assert parsed(damaged, window) == parsed_at_once(damaged)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "[", "[]", "[1]", "null", "1", '"a"', "{", "{}", " {} ", "{} {}", "{},", "{]", '{"a"}', '{"a":}',
        '{"a":1,}', '{,"a":1}', '{"a":[}', '{"a":[1,]}', '{"a":[,1]}', '{"a":[1 2]}', '{"a":[1]]}', '{"a":[1}', "{a:1}",
        "{1:1}", '{"a":1 "b":2}', '{"a":[1],"a":[1]}', '{"a":[{"b":1,"b":1}]}', '{"a":[1e999]}', '{"a":[-Infinity]}',
        '{"a":[01]}', '{"a":[12345678901234567890]}', '{"a":[1.25e-3,10,1]}', '{"a":[1.]}', '{"a":[1.e5]}', '{"a":[1e]}',
        '{"a":[1e+]}', '{"a":[-]}', '{"a":1.', '{"a":[1', "\ufeff{}", '{"a":[1]}\0', '{"a":["\\ud83e\\udd86"]}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("window", [4, 5, 6, 7, 64])
def test_so_are_the_borders_of_the_grammar(text: str, window: int) -> None:
    assert parsed(text.encode(), window) == parsed_at_once(text.encode())


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_what_nests_without_a_bottom_is_refused(opening: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        parse_large_object(b'{"a": [' + opening * 100_000, list_key="a")


def test_a_pass_that_has_too_little_stack_for_what_nests_deeply_says_so() -> None:
    document = parse_large_object(b'{"a": [' + b"[" * 900 + b"]" * 900 + b"]}", list_key="a")

    def deeper(levels: int) -> list[Any]:
        return deeper(levels - 1) if levels else list(document["a"])

    try:
        assert len(deeper(800)) == 1
    except ManifestInvalid as error:
        assert_well_said(error)


@pytest.mark.parametrize("element", ["[]", "0", '""', '{"":{}}'])
def test_a_mass_of_tiny_values_is_refused(element: str) -> None:
    data = b'{"x": [' + b",".join([element.encode()] * (MIB // 2)) + b"]}"
    with pytest.raises(ManifestInvalid, match="too many values"):
        parse_large_object(data, list_key="x")


def test_no_list_is_given_out_before_the_end_was_seen() -> None:
    with pytest.raises(ManifestInvalid, match="JSON"):
        parse_large_object(b'{"a": [1, 2, 3], "b": [1, 2, 3', list_key="a")


def test_a_list_is_never_held_whole() -> None:
    data = json.dumps({"chunks": [RECORD] * 20_000, "behind": 1}).encode()
    tracemalloc.start()
    try:
        document = parse_large_object(data, list_key="chunks")
        assert sum(record == RECORD for record in document["chunks"]) == len(document["chunks"]) == 20_000
        assert document["behind"] == 1
        assert tracemalloc.get_traced_memory()[1] < len(data) // 5
    finally:
        tracemalloc.stop()


def test_lists_behind_a_long_text_are_counted_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hostile bucket says must not take time that grows with the square of it."""
    counted = 0
    cursor = json_pieces._Cursor
    offset_bytes = cursor.offset_bytes

    def count(self: Any) -> int:
        nonlocal counted
        counted += self._at - self._counted
        return offset_bytes(self)

    monkeypatch.setattr(cursor, "offset_bytes", count)
    data = b'{"z":"' + b"x" * MIB + b'"' + b',"a":[]' * 1000 + b"}"
    with pytest.raises(ManifestInvalid, match="JSON"):  # of two lists of one name
        parse_large_object(data, list_key="a")
    assert counted <= len(data)
