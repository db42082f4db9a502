"""The MAC of a manifest: what it covers, how it is carried, and that both stay as they are."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.domain.errors import ManifestInvalid
from s3duct.domain.json_fields import parse_json_object
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import encode_document, manifest_document
from s3duct.domain.manifest_mac import ManifestMac, attach_mac, covered_bytes, mac_in
from tests.unit.saying import assert_well_said
from tests.unit.strategies import json_values, manifests

MAC = ManifestMac(bytes(range(32)), "0123456789abcdef")


def is_finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


# No NaN and no infinity comes out of the parser.
parsed_values = json_values.filter(is_finite)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Manifests as other versions may write them: with fields, and members of the extension, that are unknown here."""
    document = manifest_document(draw(manifests(max_chunks=2)))
    unknown = st.dictionaries(
        st.text(max_size=4).filter(lambda key: key not in {*document, "s3duct"}), parsed_values, max_size=2
    )
    document |= draw(unknown)
    if draw(st.booleans()):
        document["s3duct"] = draw(
            st.dictionaries(st.text(max_size=4).filter(lambda key: key != "mac"), parsed_values, max_size=2)
        )
    return document


def shuffled(value: Any, draw: random.Random) -> Any:
    """The same JSON with the keys of every object in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(inner, draw)) for key, inner in value.items()]
        draw.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return [shuffled(inner, draw) for inner in value]
    return value


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document: of fields, list items, and what is nested in them."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in inner for place in ((*path, key), *places(item, (*path, key)))]


def container_at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


# --- what is covered -------------------------------------------------------------------------------------------------


@given(documents(), st.integers(), st.sampled_from([None, 0, 1, 2, "\t"]), st.booleans())
def test_order_indentation_and_escapes_do_not_matter(
    document: dict[str, Any], seed: int, indent: int | str | None, ascii_only: bool
) -> None:
    text = json.dumps(shuffled(document, random.Random(seed)), indent=indent, ensure_ascii=ascii_only)
    assume(not any("\ud800" <= character <= "\udfff" for character in text))  # UTF-8 holds no lone surrogate
    again = parse_json_object(text.encode("utf-8"))
    assert covered_bytes(again) == covered_bytes(document)


@given(documents())
def test_an_empty_extension_is_none(document: dict[str, Any]) -> None:
    document.pop("s3duct", None)
    assert covered_bytes(document | {"s3duct": {}}) == covered_bytes(document)


@given(documents(), st.data())
def test_any_change_of_any_value_matters(document: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(places(document)))
    changed = copy.deepcopy(document)
    container, key = container_at(changed, path), path[-1]
    value = data.draw(parsed_values)
    assume(json.dumps(value, sort_keys=True) != json.dumps(container[key], sort_keys=True))
    assume(path != ("s3duct",) or (value and container[key]))
    container[key] = value
    assert covered_bytes(changed) != covered_bytes(document)


@given(documents(), st.data())
def test_any_field_that_goes_comes_or_is_renamed_matters(
    document: dict[str, Any], data: st.DataObject
) -> None:
    fields = [path for path in places(document) if isinstance(container_at(document, path), dict)]
    path = data.draw(st.sampled_from(fields))
    assume(path != ("s3duct",) or document["s3duct"])
    gone = copy.deepcopy(document)
    value = container_at(gone, path).pop(path[-1])
    assert covered_bytes(gone) != covered_bytes(document)
    name = data.draw(st.text(max_size=4))
    assume(name not in container_at(document, path))
    assume(path[:-1] != ("s3duct",) or name != "mac")
    container_at(gone, path)[name] = value
    assert covered_bytes(gone) != covered_bytes(document)


@given(documents(), parsed_values)
def test_a_mac_does_not_cover_itself_but_all_beside_it(document: dict[str, Any], other: Any) -> None:
    covered = covered_bytes(document)
    extension = document.get("s3duct", {})
    assert covered_bytes(document | {"s3duct": {**extension, "mac": other}}) == covered
    assert covered_bytes(document | {"s3duct": {**extension, "mac2": other}}) != covered
    assert covered_bytes(document | {"mac": other}) != covered


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (1, 1.0), (1, "1"), (None, "null"), ([], {}), ("", None)]
)
def test_values_that_python_or_a_reader_may_take_for_equal_are_not(one: object, other: object) -> None:
    assert covered_bytes({"a": one}) != covered_bytes({"a": other})


@given(documents())
def test_what_is_given_stays_as_it_was(document: dict[str, Any]) -> None:
    attach_mac(document, MAC)
    before = copy.deepcopy(document)
    covered_bytes(document)
    mac_in(document)
    assert document == before


# --- how it is carried -----------------------------------------------------------------------------------------------


@given(documents(), st.binary(min_size=32, max_size=32), st.text("0123456789abcdef", max_size=16))
def test_what_was_attached_is_found(document: dict[str, Any], value: bytes, key_id: str) -> None:
    assert mac_in(document) is None
    covered = covered_bytes(document)
    attach_mac(document, ManifestMac(value, key_id))
    again = parse_json_object(encode_document(document))
    assert mac_in(again) == ManifestMac(value, key_id)
    assert covered_bytes(again) == covered


@given(manifests(max_chunks=1))
def test_it_stands_behind_the_fields_of_040_under_one_key(manifest: Manifest) -> None:
    document = manifest_document(manifest)
    attach_mac(document, MAC)
    assert list(document)[:-1] == list(manifest_document(manifest))
    assert list(document)[-1] == "s3duct"
    assert document["s3duct"] == {
        "mac": {"alg": "hmac-sha256", "value": bytes(range(32)).hex(), "key_id": "0123456789abcdef"}
    }


def test_other_members_of_the_extension_stay() -> None:
    document: dict[str, Any] = {"s3duct": {"note": [1]}}
    attach_mac(document, MAC)
    assert document["s3duct"]["note"] == [1]
    assert mac_in(document) == MAC


@pytest.mark.parametrize(
    "extension",
    [
        None, [], "mac", 1, True, {"mac": None}, {"mac": []}, {"mac": "00" * 32},
        *({"mac": {"alg": "hmac-sha256", "key_id": "ab", "value": value}}
          for value in ["", "00" * 31, "00" * 33, "AA" * 32, "zz" * 32, "00" * 31 + "0\n", None, 0, ["00" * 32]]),
        {"mac": {"alg": "hmac-sha256", "key_id": "ab"}},
        {"mac": {"alg": "hmac-sha256", "value": "00" * 32, "key_id": None}},
        {"mac": {"alg": "hmac-sha256", "value": "00" * 32, "key_id": 1}},
    ],
)  # fmt: skip
def test_a_malformed_mac_is_nobodys(extension: object) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        mac_in({"s3duct": extension})
    assert_well_said(caught.value)


@pytest.mark.parametrize("alg", ["hmac-sha3-256", "HMAC-SHA256", "", None, 1, ["hmac-sha256"]])
@pytest.mark.parametrize("value", ["00" * 32, "00" * 64, None])
def test_a_mac_of_an_unknown_algorithm_is_none(alg: object, value: object) -> None:
    assert mac_in({"s3duct": {"mac": {"alg": alg, "value": value}}}) is None
    assert mac_in({"s3duct": {"mac": {}}}) is None


def test_a_mac_without_a_key_id_is_nobodys_known() -> None:
    found = mac_in({"s3duct": {"mac": {"alg": "hmac-sha256", "value": "00" * 32}}})
    assert found == ManifestMac(bytes(32), "")


# --- the format, frozen ----------------------------------------------------------------------------------------------

KEY = bytes(range(32))
TEXT = '{"version": 1, "name": "s", "tags": {"b": "\\u00e4", "a": 1.50}, "s3duct": {"later": [true, null]}, "chunks": []}'
COVERED = (
    b'{"chunks":[],"name":"s","s3duct":{"later":[true,null]},"tags":{"a":1.5,"b":"\\u00e4"},"version":1}'
)


def hkdf_sha256(secret: bytes, info: bytes) -> bytes:
    """RFC 5869 without a salt, for one block of output."""
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def test_the_format_is_what_it_was() -> None:
    document = parse_json_object(TEXT.encode())
    assert covered_bytes(document) == COVERED
    key = hkdf_sha256(KEY, b"s3duct manifest mac v1")
    expected = hmac.new(key, COVERED, hashlib.sha256).hexdigest()
    assert expected == "a0a2a1c7433cf5693cce9ccc1ff8d205bea07c5cf8543b34756de9ef6153035b"
    mac = AesGcmCipher(KEY).manifest_mac([covered_bytes(document)])
    assert mac is not None
    assert mac.hex() == expected


def test_what_nests_without_a_bottom_is_invalid_and_no_crash() -> None:
    document: dict[str, Any] = {}
    for _ in range(100_000):
        document = {"a": document}
    with pytest.raises(ManifestInvalid, match="nested too deeply") as caught:
        covered_bytes(document)
    assert_well_said(caught.value)
    while document:  # level by level: to free it all at once would nest as deeply
        document = document["a"]
