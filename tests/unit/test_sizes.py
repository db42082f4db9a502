from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from s3duct.domain.errors import UsageError
from s3duct.domain.sizes import GIB, KIB, MIB, TIB, format_size, parse_size
from tests.unit.saying import assert_well_said

UNITS = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": TIB}


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512M", 512 * MIB),
        ("256M", 256 * MIB),
        ("1G", GIB),
        ("64MiB", 64 * MIB),
        ("64MB", 64 * MIB),
        ("64mib", 64 * MIB),
        ("64 MiB", 64 * MIB),
        (" 64M\n", 64 * MIB),
        ("1.5G", 3 * GIB // 2),
        ("0.5K", 512),
        ("5T", 5 * TIB),
        ("4096", 4096),
        ("4096B", 4096),
        ("007K", 7 * KIB),
        ("0", 0),
    ],
)
def test_a_size_is_read_in_powers_of_1024(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "M", "MiB", "-1", "-1M", "+1M", "1e3", "1_000", "1,5G", "1.5.5G", "1.G", ".5G", "1 2", "5MM", "5P", "0x10",
        "\u0661\u0662M", "½G", "1M B", "1K 1M", "inf", "nan", "1M\x00",
    ],
)  # fmt: skip
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a size") as caught:
        parse_size(text)
    assert_well_said(caught.value)


@pytest.mark.parametrize("text", ["5\u212a", "5\u212aB", "5K\u0130B", "5\u0131B", "5K\u0131b"])
def test_what_is_a_unit_only_when_case_is_ignored_is_refused(text: str) -> None:
    """The Kelvin sign, a capital I with a dot, a small one without."""
    with pytest.raises(UsageError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["0.5", "1.0001K", "0.0000000000001T"])
def test_a_fraction_of_a_byte_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="whole number of bytes"):
        parse_size(text)


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 5000 + "G", "1." + "0" * 5000 + "G", "1" * 4000])
def test_endless_digits_are_a_size_or_refused(text: str) -> None:
    """CPython converts no more than 4,300 digits; that is no reason for a traceback."""
    try:
        assert parse_size(text) >= GIB
    except UsageError as error:
        assert_well_said(error)


@given(st.text() | st.from_regex(r"[0-9]{0,4}\.?[0-9]{0,4} ?[kKmMgGtTpP]?i?[bB]?", fullmatch=True))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    try:
        assert parse_size(text) >= 0
    except UsageError as error:
        assert_well_said(error)


@given(st.integers(0, 1023), st.sampled_from(sorted(UNITS.values())))
def test_parsing_undoes_formatting_where_a_unit_is_exact(count: int, unit: int) -> None:
    assert parse_size(format_size(count * unit)) == count * unit


@given(st.integers(1, 1023), st.sampled_from([KIB, MIB, GIB, TIB]))
def test_parsing_undoes_formatting_of_halves(count: int, unit: int) -> None:
    size_bytes = count * unit + unit // 2
    assert parse_size(format_size(size_bytes)) == size_bytes


@given(st.integers(0, 2000 * TIB))
@example(KIB - 1)
@example(KIB)
@example(MIB - 1)
@example(MIB)
def test_a_formatted_size_is_right_to_one_decimal(size_bytes: int) -> None:
    number, unit = format_size(size_bytes).split(" ")
    assert len(number.partition(".")[2]) <= 1
    assert abs(Fraction(number) * UNITS[unit] - size_bytes) <= Fraction(UNITS[unit], 20)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (3 * MIB // 2, "1.5 MiB"),
        (2 * GIB, "2 GiB"),
    ],
)
def test_sizes_are_written_for_people(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text


@pytest.mark.parametrize(("size_bytes", "text"), [(MIB - 1, "1 MiB"), (GIB - 1, "1 GiB"), (TIB - 1, "1 TiB")])
def test_a_size_that_rounds_up_to_the_next_unit_is_written_in_that_unit(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text
