"""Passphrases, for identity files that are protected by one (c2sp.org/age, "The scrypt recipient type").

Streams are never sealed with a passphrase: each chunk would cost a second and a quarter of a gigabyte.
"""

from __future__ import annotations

import re

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from s3duct.adapters.age.header import HeaderScan, Stanza, malformed, parse_header
from s3duct.adapters.age.keys import Unwrapper, check_body
from s3duct.adapters.age.opener import AgeOpener
from s3duct.adapters.age.primitives import decode_base64, unwrap_key
from s3duct.domain.errors import CiphertextDamaged

# age writes 18 (256 MiB, under a second); 20 takes a gigabyte. A file must not choose what this machine spends.
MAX_WORK_FACTOR = 20
_KIND = "scrypt"
_LABEL = b"age-encryption.org/v1/scrypt"
_SALT_BYTES = 16
_WORK_FACTOR = re.compile(r"[1-9][0-9]{0,3}")
_BLOCK_SIZE = 8


class Passphrase(Unwrapper):
    """Opens the one stanza of a file that is sealed with a passphrase."""

    def __init__(self, passphrase: str) -> None:
        self._passphrase = passphrase.encode("utf-8", "surrogateescape")

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """As the port of identities says."""
        if stanza.kind != _KIND:
            return None
        salt = decode_base64(stanza.arguments[0]) if len(stanza.arguments) == 2 else None
        if salt is None or len(salt) != _SALT_BYTES or not _WORK_FACTOR.fullmatch(stanza.arguments[1]):
            raise malformed("the arguments of a passphrase stanza are not a salt and a work factor")
        check_body(stanza)
        factor = int(stanza.arguments[1])
        if factor > MAX_WORK_FACTOR:
            raise malformed(f"its work factor is {factor}, and more than {MAX_WORK_FACTOR} is not accepted")
        return unwrap_key(stanza.body, self._stretch(salt, factor))

    def _stretch(self, salt: bytes, factor: int) -> bytes:
        try:
            return Scrypt(salt=_LABEL + salt, length=32, n=2**factor, r=_BLOCK_SIZE, p=1).derive(
                self._passphrase
            )
        except MemoryError:
            raise CiphertextDamaged(
                f"there is not enough memory for its passphrase (work factor {factor})"
            ) from None


def is_under_a_passphrase(sealed: bytes) -> bool:
    """Whether an age file asks for a passphrase. Raises `CiphertextDamaged` if it is none."""
    with memoryview(sealed) as buffer:
        end = HeaderScan().end(buffer, len(buffer))
    if end is None:
        raise malformed("it is cut short")
    return any(stanza.kind == _KIND for stanza in parse_header(sealed[:end]).stanzas)


def open_with_passphrase(sealed: bytes, passphrase: str) -> bytes:
    """Open a small age file.

    Raises:
        WrongKey: the passphrase is another one.
        CiphertextDamaged: the file is malformed or altered.
    """
    opener = AgeOpener((Passphrase(passphrase),))
    with memoryview(bytearray(sealed)) as buffer:
        stop = opener.finish(buffer, len(sealed))
        return bytes(buffer[opener.start : stop])
