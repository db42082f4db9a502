"""Durations as people write them: `90s`, `30m`, `6h`, `2d`, `1h30m`."""

from __future__ import annotations

import re

from s3duct.domain.errors import UsageError

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S

_UNITS = {"d": DAY_S, "h": HOUR_S, "m": MINUTE_S, "s": 1}
_PART = re.compile(r"([0-9]{1,9})\s*([dhms])", re.ASCII)
_DURATION = re.compile(
    r"(?:[0-9]{1,9}\s*d\s*)?(?:[0-9]{1,9}\s*h\s*)?(?:[0-9]{1,9}\s*m\s*)?(?:[0-9]{1,9}\s*s)?", re.ASCII
)


def parse_duration(text: str) -> int:
    """Parse a duration such as `90s`, `30m`, `6h`, `2d` or `1h30m`; `0` needs no unit.

    Returns:
        Seconds, at least 0.

    Raises:
        UsageError: not a duration; a retry cannot help.
    """
    given = text.strip().lower()
    if given == "0":
        return 0
    if not given or _DURATION.fullmatch(given) is None:
        raise UsageError(f"not a duration: {text!r}", hint="write it like 90s, 30m, 6h, 2d or 1h30m")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(given))


def format_duration(duration_s: float) -> str:
    """Write a duration for people, in two units at most: `0.4 s`, `40 s`, `12 min 5 s`, `5 h 58 min`, `2 d 3 h`."""
    if duration_s < 1:
        return f"{max(duration_s, 0):.1f} s"
    seconds = int(duration_s)
    for unit_s, unit, below_s, below in (
        (DAY_S, "d", HOUR_S, "h"),
        (HOUR_S, "h", MINUTE_S, "min"),
        (MINUTE_S, "min", 1, "s"),
    ):
        if seconds >= unit_s:
            whole, rest = divmod(seconds, unit_s)
            smaller = rest // below_s
            return f"{whole} {unit} {smaller} {below}" if smaller else f"{whole} {unit}"
    return f"{seconds} s"
