"""The text header of an age v1 file: who may open it, and a MAC over that (c2sp.org/age, "Header").

There is one way to write a given header, and only that one is read: whatever else two programs could understand
differently. A header is hostile input and bounded in size.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from s3duct.adapters.age.primitives import decode_base64, derive_key, encode_base64
from s3duct.domain.errors import CiphertextDamaged

# Room for about 80 post-quantum recipients, or 1,000 of X25519.
MAX_HEADER_BYTES = 128 * 1024
_VERSION_LINE = b"age-encryption.org/v1\n"
BODY_COLUMNS = 64
_MAC_LINE = re.compile(r"--- ([A-Za-z0-9+/]{43})")
_LONGEST_MAC_LINE = 48  # `--- `, 43 characters and the end of the line
_ARGUMENT = re.compile(r"[!-~]+")
_SCRYPT = "scrypt"


@dataclass(frozen=True, slots=True)
class Stanza:
    """The file key wrapped for one recipient: the kind of recipient, its arguments, and the wrapped key."""

    kind: str
    arguments: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A header as read; `covered` is what the MAC is over. Nothing in it is authentic before `authenticate`."""

    stanzas: tuple[Stanza, ...]
    mac: bytes
    covered: bytes

    def authenticate(self, file_key: bytes) -> None:
        """Check the MAC. Raises `CiphertextDamaged` if the header was altered."""
        if not hmac.compare_digest(self.mac, _mac(file_key, self.covered)):
            raise CiphertextDamaged("the age header was altered: its MAC does not match")


def malformed(detail: str) -> CiphertextDamaged:
    """Say that a header is not one that age writes."""
    return CiphertextDamaged(f"the age header is malformed: {detail}")


def write_header(stanzas: Sequence[Stanza], file_key: bytes) -> bytes:
    """Return the header, MAC line included."""
    covered = _VERSION_LINE + "".join(map(write_stanza, stanzas)).encode("ascii") + b"---"
    return covered + b" " + encode_base64(_mac(file_key, covered)).encode("ascii") + b"\n"


def parse_header(content: bytes) -> Header:
    """Read a header that is there from the version line to the end of the MAC line.

    Raises:
        CiphertextDamaged: it is not exactly what a writer makes.
    """
    if not content.startswith(_VERSION_LINE):
        raise malformed("it is of another version")
    try:
        lines = content[len(_VERSION_LINE) :].decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise malformed("it is not text") from None
    stanzas, at = [], 0
    while lines[at].startswith("-> "):
        stanza, at = read_stanza(lines, at)
        stanzas.append(stanza)
        if at == len(lines):
            raise malformed("it ends with a stanza")
    found = _MAC_LINE.fullmatch(lines[at])
    mac = decode_base64(found[1]) if found else None
    if mac is None or lines[at + 1 :] != [""]:
        raise malformed("a line is neither a stanza nor a MAC")
    if not stanzas:
        raise malformed("it names no recipient")
    if len(stanzas) > 1 and any(stanza.kind == _SCRYPT for stanza in stanzas):
        raise malformed("a passphrase stands beside another recipient")
    return Header(tuple(stanzas), mac, content[: content.rindex(b"--- ") + 3])


class HeaderScan:
    """Finds the end of a header in a buffer that fills. Looks at each byte once, and at a bounded number of them."""

    def __init__(self) -> None:
        self._scanned = 0

    def end(self, buffer: memoryview, filled: int) -> int | None:
        """Offset after the header; None if it has not all arrived.

        Raises:
            CiphertextDamaged: this cannot become a header any more.
        """
        seen = min(filled, len(_VERSION_LINE))
        if buffer[:seen] != _VERSION_LINE[:seen]:
            raise CiphertextDamaged("this is not an age v1 file")
        visible = min(filled, MAX_HEADER_BYTES)
        arrived = bytes(buffer[self._scanned : visible])
        mark = arrived.find(b"\n---")
        if mark >= 0:
            stop = arrived.find(b"\n", mark + 1)
            if stop >= 0:
                return self._scanned + stop + 1
            if len(arrived) - mark - 1 >= _LONGEST_MAC_LINE:
                raise malformed("its MAC line is too long")
            self._scanned += mark
        else:
            self._scanned = max(self._scanned, visible - len(b"\n--"))
        if visible == MAX_HEADER_BYTES:
            raise malformed(f"it has more than {MAX_HEADER_BYTES} bytes")
        return None


def _mac(file_key: bytes, covered: bytes) -> bytes:
    return hmac.digest(derive_key(file_key, salt=b"", info=b"header"), covered, hashlib.sha256)


def write_stanza(stanza: Stanza) -> str:
    """Return its lines, the end of the last one included. Plugins are spoken to in the same form."""
    body = encode_base64(stanza.body)
    # A body ends with a line shorter than 64 columns, even if that one is empty.
    lines = [body[start : start + BODY_COLUMNS] for start in range(0, len(body) + 1, BODY_COLUMNS)]
    return "\n".join([" ".join(["->", stanza.kind, *stanza.arguments]), *lines, ""])


def read_stanza(lines: list[str], at: int) -> tuple[Stanza, int]:
    """Read the stanza whose first line, `-> `, is at `at`; return it and the line after it. Raises `CiphertextDamaged`."""
    words = lines[at].split(" ")[1:]
    if not all(map(_ARGUMENT.fullmatch, words)):
        raise malformed("an argument of a stanza is empty or not printable")
    last = at + 1
    while last < len(lines) and len(lines[last]) == BODY_COLUMNS:
        last += 1
    if last == len(lines) or len(lines[last]) > BODY_COLUMNS:
        raise malformed("the body of a stanza does not end with a short line")
    body = decode_base64("".join(lines[at + 1 : last + 1]))
    if body is None:
        raise malformed("the body of a stanza is not canonical base64")
    return Stanza(words[0], tuple(words[1:]), body), last + 1
