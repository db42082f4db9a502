"""Bech32, base64 and armor of age: one encoding for each value, and nothing but the domain's errors."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from s3duct.adapters.age.armor import is_armored, remove_armor
from s3duct.adapters.age.bech32 import _polymod, decode, encode
from s3duct.adapters.age.primitives import decode_base64, derive_key, encode_base64, unwrap_key, wrap_key
from s3duct.domain.errors import CiphertextDamaged, KeySpecError

prefixes = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20).map(str.lower)
ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


# --- Bech32 --------------------------------------------------------------------------------------------------------


@given(prefix=prefixes, data=st.binary(max_size=2000))
def test_bech32_of_any_length_comes_back(prefix: str, data: bytes) -> None:
    text = encode(prefix, data)
    assert decode(text) == (prefix, data)
    assert decode(text.upper()) == (prefix.upper(), data)


# BIP 173's own examples whose data are whole bytes, and age's.
@pytest.mark.parametrize(
    ("text", "prefix", "size_bytes"),
    [
        ("A12UEL5L", "A", 0),
        (
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
            None,
            0,
        ),
        (
            "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
            "1",
            None,
        ),
        ("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj", "age", 32),
        ("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX", "AGE-SECRET-KEY-", 32),
    ],
)
def test_bech32_examples(text: str, prefix: str | None, size_bytes: int | None) -> None:
    if size_bytes is None:  # 82 words of five bits are no whole number of bytes: two bits too many
        with pytest.raises(KeySpecError):
            decode(text)
        return
    read, data = decode(text)
    assert len(data) == size_bytes
    assert prefix is None or read == prefix


@pytest.mark.parametrize(
    "text",
    ["", "1", "age", "age1", "1qqqqqq", "age1qqqqq", "\x201nwldj5", "\x7f1axkwrx", "\x801eym55h", "pzry9x0s0muk",
     "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "de1lg7wt\xff", "A1G7SGD8", "10a06t8", "1qzzfhee", "A12uEL5L", "ä12uel5l"],
)  # fmt: skip
def test_bech32_that_is_invalid(text: str) -> None:
    with pytest.raises(KeySpecError):
        decode(text)


@given(data=st.binary(min_size=1, max_size=60), position=st.integers(0), word=st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found(data: bytes, position: int, word: str) -> None:
    text = encode("age", data)
    at = 4 + position % (len(text) - 4)
    assume(text[at] != word)
    with pytest.raises(KeySpecError, match="checksum"):
        decode(text[:at] + word + text[at + 1 :])


@given(text=st.text(max_size=200))
def test_no_text_breaks_bech32(text: str) -> None:
    with suppress(KeySpecError):
        prefix, data = decode(text)
        assert encode(prefix.lower(), data) == text.lower()


@given(words=st.text(st.sampled_from(ALPHABET), max_size=60))
def test_left_over_bits_are_refused_unless_they_are_zero_and_few(words: str) -> None:
    values = [ALPHABET.index(word) for word in words]
    expanded = [3, 3, 3, 0, 1, 7, 5]
    checksum = _polymod(expanded + values + [0] * 6) ^ 1
    text = "age1" + words + "".join(ALPHABET[checksum >> 5 * (5 - place) & 31] for place in range(6))
    bits = "".join(f"{value:05b}" for value in values)
    left_over = bits[len(bits) // 8 * 8 :]
    if len(left_over) < 5 and "1" not in left_over:
        assert encode(*decode(text)) == text
    else:
        with pytest.raises(KeySpecError, match="not encoded as it should be"):
            decode(text)


# --- base64 --------------------------------------------------------------------------------------------------------


@given(data=st.binary(max_size=200))
def test_base64_comes_back(data: bytes) -> None:
    assert decode_base64(encode_base64(data)) == data


@given(text=st.text(st.sampled_from("AQgwx01+/=-_ \n\r\tä\0"), max_size=12) | st.text(max_size=12))
def test_only_canonical_base64_is_read(text: str) -> None:
    data = decode_base64(text)
    assert data is None or encode_base64(data) == text


@pytest.mark.parametrize(
    "text", ["A", "AB", "AA==", "AAA=", "AA\n", " AA", "A-_A", "AAB", "AAAAA", "=", "ÄA"]
)
def test_base64_that_is_refused(text: str) -> None:
    assert decode_base64(text) is None


# --- file keys -----------------------------------------------------------------------------------------------------


def test_hkdf_is_that_of_the_rfc() -> None:
    # RFC 5869, test case 1, the first 32 of its 42 bytes.
    made = derive_key(bytes([11] * 22), salt=bytes(range(13)), info=bytes(range(0xF0, 0xFA)))
    assert made.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"


@given(file_key=st.binary(min_size=16, max_size=16), bit=st.integers(0, 255))
def test_a_wrapped_key_opens_under_its_wrapping_key_alone(file_key: bytes, bit: int) -> None:
    wrapping_key = bytes(range(32))
    wrapped = bytearray(wrap_key(file_key, wrapping_key))
    assert unwrap_key(bytes(wrapped), wrapping_key) == file_key
    assert unwrap_key(bytes(wrapped), bytes(32)) is None
    wrapped[bit // 8] ^= 1 << bit % 8
    assert unwrap_key(bytes(wrapped), wrapping_key) is None


# --- armor ---------------------------------------------------------------------------------------------------------


def armored(data: bytes, end: str = "\n") -> bytes:
    encoded = base64.b64encode(data).decode()
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    return end.join(
        ["-----BEGIN AGE ENCRYPTED FILE-----", *lines, "-----END AGE ENCRYPTED FILE-----", ""]
    ).encode()


@given(data=st.binary(max_size=300), end=st.sampled_from(["\n", "\r\n"]))
def test_armor_comes_off(data: bytes, end: str) -> None:
    assert is_armored(armored(data, end))
    assert remove_armor(b"\n " + armored(data, end) + b"\t\n") == data


@given(data=st.binary(max_size=200), at=st.integers(0), junk=st.binary(max_size=2))
def test_damaged_armor_is_refused_or_means_the_same(data: bytes, at: int, junk: bytes) -> None:
    whole = armored(data)
    place = at % len(whole)
    damaged = whole[:place] + junk + whole[place + 1 :]
    with suppress(CiphertextDamaged):
        assert armored(remove_armor(damaged)).split() == damaged.split()


@given(content=st.binary(max_size=200))
def test_no_bytes_break_the_armor(content: bytes) -> None:
    with pytest.raises(CiphertextDamaged):
        remove_armor(content)
