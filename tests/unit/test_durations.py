from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.durations import DAY_S, HOUR_S, MINUTE_S, format_duration, parse_duration
from s3duct.domain.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("30m", 30 * MINUTE_S),
        ("6h", 6 * HOUR_S),
        ("2d", 2 * DAY_S),
        ("1h30m", 90 * MINUTE_S),
        (" 1D 2h 3M 4s ", DAY_S + 2 * HOUR_S + 3 * MINUTE_S + 4),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5",
        "h",
        "-1h",
        "1.5h",
        "1h-",
        "30m1h",
        "1h1h",
        "6 hours",
        "1w",
        "inf",
        "\u0661h",
        "9" * 10 + "s",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration") as caught:
        parse_duration(text)
    assert "6h" in caught.value.hint


@given(st.text(alphabet="0123456789dhms ", max_size=12))
def test_whatever_is_given_it_is_a_duration_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_duration(text) >= 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (40.9, "40 s"),
        (60, "1 min"),
        (725, "12 min 5 s"),
        (HOUR_S, "1 h"),
        (6 * HOUR_S - 100, "5 h 58 min"),
        (2 * DAY_S + 3 * HOUR_S + 59, "2 d 3 h"),
    ],
)
def test_durations_are_written_in_two_units_at_most(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
