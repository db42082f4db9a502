"""The header of age: written and read back alike, in one way only, however it arrives."""

from __future__ import annotations

import random
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.adapters.age.header import (
    MAX_HEADER_BYTES,
    HeaderScan,
    Stanza,
    malformed,
    parse_header,
    read_stanza,
    write_header,
)
from s3duct.adapters.age.keys import argument_of, check_body
from s3duct.domain.errors import CiphertextDamaged

FILE_KEY = bytes(range(16))
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
stanzas = st.builds(Stanza, words.filter(lambda kind: kind != "scrypt"), st.lists(words, max_size=4).map(tuple),
                    st.binary(max_size=200))  # fmt: skip
headers = st.lists(stanzas, min_size=1, max_size=4).map(lambda some: write_header(some, FILE_KEY))
ONE = write_header([Stanza("X25519", ("share",), bytes(32))], FILE_KEY)


def scanned(content: bytes, steps: list[int]) -> int | None:
    """Where the header ends, found while `content` arrives up to each of `steps`."""
    scan, buffer = HeaderScan(), memoryview(content)
    for filled in steps:
        end = scan.end(buffer, filled)
        if end is not None:
            return end
    return None


@given(some=st.lists(stanzas, min_size=1, max_size=5))
def test_what_is_written_is_read(some: list[Stanza]) -> None:
    content = write_header(some, FILE_KEY)
    header = parse_header(content)
    assert list(header.stanzas) == some
    header.authenticate(FILE_KEY)
    with pytest.raises(CiphertextDamaged, match="altered"):
        header.authenticate(bytes(16))


@given(size_bytes=st.integers(0, 200))
def test_bodies_are_wrapped_and_end_with_a_short_line(size_bytes: int) -> None:
    lines = write_header([Stanza("kind", (), bytes(size_bytes))], FILE_KEY).decode().split("\n")
    body = lines[2:-2]
    assert all(len(line) == 64 for line in body[:-1])
    assert len(body[-1]) < 64


@given(content=headers, after=st.binary(max_size=50), seed=st.integers())
def test_the_end_is_found_however_it_arrives(content: bytes, after: bytes, seed: int) -> None:
    everything, draw = content + after, random.Random(seed)
    steps = sorted(draw.randint(0, len(everything)) for _ in range(5))
    assert scanned(everything, [*steps, len(everything)]) == len(content)
    assert scanned(everything, list(range(len(everything) + 1))) == len(content)
    assert scanned(content[:-1], [len(content) - 1]) is None


@given(content=headers, at=st.integers(0), junk=st.binary(max_size=3), drop=st.integers(0, 3))
def test_an_altered_header_is_never_taken_for_the_same(
    content: bytes, at: int, junk: bytes, drop: int
) -> None:
    place = at % len(content)
    altered = content[:place] + junk + content[place + drop :]
    with suppress(CiphertextDamaged):
        end = scanned(altered, [len(altered)])
        if end is not None:
            parse_header(altered[:end]).authenticate(FILE_KEY)
            assert altered[:end] == content


@given(content=st.binary(max_size=200), lines=st.lists(st.sampled_from(
    ["-> a", "-> scrypt", "->", "-> ", "-> a  b", "AAAA", "A" * 64, "A" * 65, "", "--- " + "A" * 43, "---", "\r"]),
    max_size=8))  # fmt: skip
def test_no_bytes_break_the_parser(content: bytes, lines: list[str]) -> None:
    text = "age-encryption.org/v1\n" + "\n".join(lines)
    for candidate in (content, text.encode() + content, text.encode(), text.encode() + b"\n"):
        with suppress(CiphertextDamaged):
            assert parse_header(candidate).stanzas


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"v1\n", b"v2\n"),
        (b"-> X25519", b"->X25519"),
        (b"-> X25519", b"->  X25519"),
        (b"share\n", b"share \n"),
        (b"share\n", b"sh\xc3\xa4re\n"),
        (b"share\n", b"share\r\n"),
        (b"A\n---", b"A=\n---"),
        (b"A\n---", b"B\n---"),
        (b"\n---", b"\n\n---"),
        (b"--- ", b"---  "),
        (b"-> X25519 share\n", b""),
        (b"-> X25519 share\n", b"-> X25519 share\n\n"),
        (b"-> X25519", b"-> scrypt\n\n-> X25519"),
    ],
)
def test_there_is_one_way_to_write_it(old: bytes, new: bytes) -> None:
    assert ONE.count(old) == 1
    parse_header(ONE)
    with pytest.raises(CiphertextDamaged, match="malformed"):
        parse_header(ONE.replace(old, new))


def test_an_endless_header_is_refused_after_a_bounded_part_of_it() -> None:
    endless = b"age-encryption.org/v1\n-> a\n" + (b"A" * 64 + b"\n") * (MAX_HEADER_BYTES // 65 + 1)
    with pytest.raises(CiphertextDamaged, match="more than"):
        scanned(endless, list(range(0, len(endless), 100)))
    with pytest.raises(CiphertextDamaged, match="MAC line is too long"):
        scanned(ONE[:-1] + b"A" * 100, [len(ONE) + 99])


def test_reading_a_stanza_costs_no_more_where_many_follow() -> None:
    """Or 20,000 of them, which a header has room for, would take a second."""
    lines = ["-> a", ""] * 50_000
    tracemalloc.start()
    try:
        assert read_stanza(lines, 0) == (Stanza("a", (), b""), 2)
        assert tracemalloc.get_traced_memory()[1] < len(lines)
    finally:
        tracemalloc.stop()


def test_the_largest_header_is_read() -> None:
    filler = MAX_HEADER_BYTES - len(write_header([Stanza("a", ("b",), b"")], FILE_KEY)) + 1
    largest = write_header([Stanza("a", ("b" * filler,), b"")], FILE_KEY)
    assert len(largest) == MAX_HEADER_BYTES
    assert scanned(largest + b"x", [*range(0, len(largest), 999), len(largest) + 1]) == len(largest)
    assert parse_header(largest).stanzas[0].kind == "a"


def test_arguments_and_bodies_are_checked_before_they_are_used() -> None:
    right = Stanza("X25519", ("A" * 43,), bytes(32))
    assert argument_of(right, size_bytes=32) == bytes(32)
    check_body(right)
    for arguments in ((), ("A" * 43, "A"), ("A" * 42,), ("A" * 44,), ("A" * 42 + "B",), ("A" * 43 + "=",)):
        with pytest.raises(CiphertextDamaged):
            argument_of(Stanza("X25519", arguments, b""), size_bytes=32)
    for size_bytes in (0, 31, 33, 48):
        with pytest.raises(CiphertextDamaged):
            check_body(Stanza("X25519", (), bytes(size_bytes)))
    assert malformed("why").message == "the age header is malformed: why"
