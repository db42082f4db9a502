"""Base64 in lines, as armors and PEM files have it."""

from __future__ import annotations

import base64

_COLUMNS = 64


def armored(data: bytes, label: str) -> bytes:
    """Put `data` into a text between the two lines of `label`."""
    encoded = base64.b64encode(data).decode("ascii")
    lines = [encoded[start : start + _COLUMNS] for start in range(0, len(encoded), _COLUMNS)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode("ascii")


def unarmored(text: bytes) -> bytes:
    """Return what is between the two lines."""
    return base64.b64decode(b"".join(text.split(b"\n")[1:-2]))
