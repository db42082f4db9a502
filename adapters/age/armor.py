"""The text form of an age file, in which protected identity files may come (c2sp.org/age, "ASCII armor")."""

from __future__ import annotations

import base64
import binascii
import re

from s3duct.domain.errors import CiphertextDamaged

_BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
_END = b"-----END AGE ENCRYPTED FILE-----"
_FULL_LINE = re.compile(rb"[A-Za-z0-9+/]{64}")
_LAST_LINE = re.compile(rb"(?:[A-Za-z0-9+/]{4}){0,16}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def is_armored(content: bytes) -> bool:
    """Whether this is meant to be an age file in text form."""
    return content.lstrip().startswith(_BEGIN)


def remove_armor(content: bytes) -> bytes:
    """Return the age file in an armor. Space is allowed around it, and nowhere else.

    Raises:
        CiphertextDamaged: it is not exactly what a writer makes.
    """
    lines = content.strip().replace(b"\r\n", b"\n").split(b"\n")
    if len(lines) < 2 or lines[0] != _BEGIN or lines[-1] != _END:
        raise _malformed("it does not begin and end as it should")
    if len(lines) == 2:
        return b""
    *full, last = lines[1:-1]
    if not all(map(_FULL_LINE.fullmatch, full)):
        raise _malformed("a line is not 64 columns of base64")
    if not last or len(last) > 64 or not _LAST_LINE.fullmatch(last):
        raise _malformed("its last line is not base64")
    encoded = b"".join(full) + last
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("it is not base64") from None
    if base64.b64encode(decoded) != encoded:
        raise _malformed("its base64 is not canonical")
    return decoded


def _malformed(detail: str) -> CiphertextDamaged:
    return CiphertextDamaged(f"the age armor is malformed: {detail}")
