from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.errors import ManifestInvalid
from s3duct.domain.json_fields import Fields, invalid, parse_json_object
from s3duct.domain.sizes import MIB
from tests.unit.saying import assert_well_said
from tests.unit.strategies import json_values

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: dict[str, Callable[[Fields], object]] = {
    "text": lambda fields: fields.text("f"),
    "optional_text": lambda fields: fields.optional_text("f"),
    "boolean": lambda fields: fields.boolean("f"),
    "integer": lambda fields: fields.integer("f", low=-5, high=5),
    "digest": lambda fields: fields.digest("f"),
    "array": lambda fields: fields.array("f"),
    "mapping": lambda fields: fields.mapping("f"),
}


def accepts(reader: str, value: Any) -> bool:
    """The rules, once more in other words."""
    if type(value) is str:
        lower_hex = len(value) == 64 and set(value) <= set("0123456789abcdef")
        return reader in {"text", "optional_text"} or (reader == "digest" and lower_hex)
    return {
        type(None): reader == "optional_text",
        bool: reader == "boolean",
        int: reader == "integer" and value in range(-5, 6),
        list: reader == "array",
        dict: reader == "mapping",
    }.get(type(value), False)


@pytest.mark.parametrize("reader", READERS)
@given(value=json_values | st.text(alphabet="0123456789abcdefA", min_size=63, max_size=65))
def test_a_field_is_given_out_as_it_is_or_refused(reader: str, value: Any) -> None:
    read = READERS[reader]
    if accepts(reader, value):
        expected = bytes.fromhex(value) if reader == "digest" else value
        assert read(Fields({"f": value})) == expected
        return
    with pytest.raises(ManifestInvalid) as caught:
        read(Fields({"f": value}))
    assert_well_said(caught.value)
    assert "'f'" in caught.value.message


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_field_is_refused_unless_its_absence_has_a_meaning(reader: str) -> None:
    read = READERS[reader]
    if reader in {"optional_text", "mapping"}:
        assert not read(Fields({"g": 1}))
        return
    with pytest.raises(ManifestInvalid):
        read(Fields({"g": 1}))


def test_a_default_stands_in_for_what_is_missing_and_for_nothing_else() -> None:
    assert Fields({}).text("f", default="d") == "d"
    assert Fields({}).boolean("f", default=True) is True
    assert Fields({}).integer("f", low=0, high=9, default=3) == 3
    null = Fields({"f": None})
    with pytest.raises(ManifestInvalid):
        null.text("f", default="d")
    with pytest.raises(ManifestInvalid):
        null.boolean("f", default=True)
    with pytest.raises(ManifestInvalid):
        null.integer("f", low=0, high=9, default=3)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4))
def test_a_json_object_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    if "NaN" in text or "Infinity" in text:
        return
    assert parse_json_object(text.encode()) == document
    assert parse_json_object(json.dumps(document, indent=2).encode()) == document


@given(st.binary(max_size=100) | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_else_there_is_is_refused(data: bytes) -> None:
    try:
        assert isinstance(parse_json_object(data), dict)
    except ManifestInvalid as error:
        assert_well_said(error)


def test_the_reason_is_told() -> None:
    with pytest.raises(ManifestInvalid, match="because I say so") as caught:
        invalid("because I say so")
    assert_well_said(caught.value)


# --- what would take many times its size once parsed ------------------------------------------------------------------


@pytest.mark.parametrize("element", ["[]", "[[0]]", '{"":{}}', "0", "999", '""', '"aa"', '[[["\\""]]]'])
def test_a_mass_of_tiny_values_is_refused(element: str) -> None:
    data = b'{"x": [' + b",".join([element.encode()] * (MIB // 2)) + b"]}"
    with pytest.raises(ManifestInvalid, match="too many values"):
        parse_json_object(data)


@pytest.mark.parametrize("pair", ['"",\n', '"",0,', '"\\"",0,', "[],"])
def test_counting_takes_no_memory(pair: str) -> None:
    data = b'{"x": [' + pair.encode() * (MIB // 2) + b"0]}"
    tracemalloc.start()
    try:
        with pytest.raises(ManifestInvalid, match="too many values"):
            parse_json_object(data)
        assert tracemalloc.get_traced_memory()[1] < MIB // 2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [1, 8, 17])
def test_keys_count_as_values_do(size: int) -> None:
    """Each one that is new costs more than a hundred bytes."""
    keys = [f'"{number:0{size}x}":0' for number in range(MIB // 6)]
    with pytest.raises(ManifestInvalid, match="too many values"):
        parse_json_object(f"{{{','.join(keys)}}}".encode())


@pytest.mark.parametrize("text", [",[{" * 500_000, '\\"' * 600_000, "\\\\" * 600_000])
def test_what_is_in_a_text_does_not_count(text: str) -> None:
    assert parse_json_object(b'{"x": "' + text.encode() + b'"}') == {"x": json.loads(f'"{text}"')}


@pytest.mark.parametrize("hostile", [b'{"' + b'\\"' * (8 * MIB), b'"' * (8 * MIB + 1), b"\\" * (8 * MIB)])
def test_counting_takes_no_longer_for_texts_that_do_not_end(hostile: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        parse_json_object(hostile)


def test_records_as_short_as_they_can_be_are_accepted() -> None:
    record = {"index": 0, "s3_key": "a/b", "size": 1, "sha256": "0" * 64, "sha3_256": "0" * 64, "etag": ""}
    data = json.dumps({"chunks": [record] * 8000}, separators=(",", ":")).encode()
    assert len(data) > MIB
    assert len(parse_json_object(data)["chunks"]) == 8000
