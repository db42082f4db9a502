"""Sizes as people write them: `512M`, `64MiB`, `1G`. All units are powers of 1024, as in s3duct 0.3.0."""

from __future__ import annotations

import re

from s3duct.domain.errors import UsageError

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB

_UNITS = {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB}
# ASCII: ignoring case alone, K is also the Kelvin sign, and i the Turkish one.
_SIZE = re.compile(
    r"(?P<number>[0-9]{1,24}(?:\.[0-9]{1,24})?)\s*(?P<unit>[KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII
)


def parse_size(text: str) -> int:
    """Parse a size such as `512M`, `64MiB`, `1.5G` or `4096`.

    Returns:
        The size in bytes, at least 0.

    Raises:
        UsageError: not a size, negative, or not a whole number of bytes; a retry cannot help.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"not a size: {text!r}", hint="write it like 512M, 64MiB or 1G")
    factor = _UNITS[match["unit"].upper()]
    whole, _, fraction = match["number"].partition(".")
    size_bytes = int(whole) * factor
    if fraction:
        scaled = int(fraction) * factor
        divisor = 10 ** len(fraction)
        if scaled % divisor:
            raise UsageError(f"not a whole number of bytes: {text!r}", hint="write it like 512M, 64MiB or 1G")
        size_bytes += scaled // divisor
    return size_bytes


def format_size(size_bytes: int) -> str:
    """Write a size for people, with one decimal at most: `0 B`, `1.5 MiB`, `2 GiB`."""
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(value, 1) < KIB:
            return f"{value:.1f} {unit}".replace(".0 ", " ")
        value /= KIB
    return f"{value:.1f} TiB".replace(".0 ", " ")
