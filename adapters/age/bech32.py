"""Bech32 (BIP 173) as age uses it: without the limit of 90 characters. Errors never repeat the text: it may be a key."""

from __future__ import annotations

from s3duct.domain.errors import KeySpecError

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_WORDS = 6


def encode(prefix: str, data: bytes) -> str:
    """Return `data` under a lower-case `prefix`, in lower case."""
    words = _to_words(data)
    checksum = _polymod(_expand(prefix) + words + [0] * _CHECKSUM_WORDS) ^ 1
    words += [checksum >> 5 * (_CHECKSUM_WORDS - 1 - position) & 31 for position in range(_CHECKSUM_WORDS)]
    return prefix + "1" + "".join(_ALPHABET[word] for word in words)


def decode(text: str) -> tuple[str, bytes]:
    """Return the prefix, in the case in which it was written, and the bytes.

    Raises:
        KeySpecError: mixed case, no prefix, a foreign character, a wrong checksum, bits left over.
    """
    if not all("!" <= character <= "~" for character in text):
        raise KeySpecError("a key or recipient holds a character that does not belong there")
    lowered = text.lower()
    if text not in (lowered, text.upper()):
        raise KeySpecError("a key or recipient mixes upper and lower case")
    prefix, one, rest = lowered.rpartition("1")
    if not (prefix and one) or len(rest) < _CHECKSUM_WORDS:
        raise KeySpecError("a key or recipient is too short, or is not one")
    try:
        words = [_VALUES[character] for character in rest]
    except KeyError:
        raise KeySpecError("a key or recipient holds a character that does not belong there") from None
    if _polymod(_expand(prefix) + words) != 1:
        raise KeySpecError("the checksum of a key or recipient is wrong", hint="is it copied whole?")
    return text[: len(prefix)], _to_bytes(words[:-_CHECKSUM_WORDS])


def _expand(prefix: str) -> list[int]:
    codes = prefix.encode("ascii")
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _polymod(words: list[int]) -> int:
    checksum = 1
    for word in words:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ word
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _to_words(data: bytes) -> list[int]:
    """Cut into groups of five bits, the last one filled up with zeros."""
    words, held, bits = [], 0, 0
    for byte in data:
        held, bits = held << 8 | byte, bits + 8
        while bits >= 5:
            bits -= 5
            words.append(held >> bits & 31)
        held &= (1 << bits) - 1
    if bits:
        words.append(held << 5 - bits & 31)
    return words


def _to_bytes(words: list[int]) -> bytes:
    data, held, bits = bytearray(), 0, 0
    for word in words:
        held, bits = held << 5 | word, bits + 5
        if bits >= 8:
            bits -= 8
            data.append(held >> bits)
        held &= (1 << bits) - 1
    if bits >= 5 or held:
        raise KeySpecError("a key or recipient is not encoded as it should be")
    return bytes(data)
