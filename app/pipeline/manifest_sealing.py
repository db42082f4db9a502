"""Seals a manifest, tells a sealed one from JSON text without trusting either, and opens it."""

from __future__ import annotations

import codecs
import string
from collections.abc import Iterable
from typing import NoReturn

from s3duct.domain.encryption import (
    AES_NONCE_BYTES,
    AES_OVERHEAD_BYTES,
    AES_TAG_BYTES,
    AGE_MAGIC,
    EncryptionMethod,
)
from s3duct.domain.errors import (
    CiphertextDamaged,
    DecryptionFailed,
    KeyRequired,
    ManifestInvalid,
    WrongKey,
)
from s3duct.domain.ports.cipher import Cipher

_TEXT = string.printable.encode("ascii")
# So much is looked at to tell text from sealed bytes, of which nearly two in three are not printable.
_SAMPLE_BYTES = 1 << 16


def is_sealed(stored: bytes | bytearray) -> bool:
    """Whether a stored manifest is anything but JSON text. What it says of itself is not asked.

    Damaged text is text: nine in ten of its bytes are printable. No sealed message of some length is so by chance, but for
    the header of an age file, which is known by its first bytes.
    """
    if len(stored) < AES_OVERHEAD_BYTES:
        return False  # too short for any sealed message
    if stored.startswith(AGE_MAGIC):
        return True
    return not _is_mostly_text(stored) and not _is_utf_8(stored)


def seal_message(cipher: Cipher, plain: bytes | bytearray) -> bytes:
    """Seal a whole small message."""
    return bytes(seal_pieces(cipher, (plain,)))


def seal_pieces(cipher: Cipher, pieces: Iterable[bytes | bytearray]) -> bytearray:
    """Seal a message piece by piece: of a large one, no more than its sealed form is ever held."""
    sealer = cipher.sealer()
    sealed = bytearray()
    for piece in pieces:
        sealed += sealer.update(memoryview(piece))
    sealed += sealer.finish()
    return sealed


def open_in_place(cipher: Cipher, sealed: bytearray) -> None:
    """Open a whole message; its plain bytes take its place. Raises `DecryptionFailed`: then it is garbage."""
    opener = cipher.opener()
    with memoryview(sealed) as buffer:
        stop = opener.finish(buffer, len(sealed))
    del sealed[stop:]
    del sealed[: opener.start]


def open_sealed_manifest(stored: bytearray, name: str, cipher: Cipher) -> None:
    """Open the sealed manifest of stream `name`. As `open_sealed_text`."""
    open_sealed_text(stored, f"the manifest of {name!r}", cipher)


def open_sealed_text(stored: bytearray, what: str, cipher: Cipher) -> None:
    """Open a sealed text, which messages call `what`: `stored` becomes the text.

    Raises:
        KeyRequired: `cipher` has no key, or one of another method.
        ManifestInvalid: it is damaged.
        WrongKey: it is sealed for another key, or so damaged that it looks like that.
    """
    by_age = stored.startswith(AGE_MAGIC)
    if cipher.method is EncryptionMethod.NONE:
        _require_key(what, by_age=by_age)
    if by_age and cipher.method is not EncryptionMethod.AGE:
        _require_key(what, by_age=True)
    if not by_age and cipher.method is EncryptionMethod.AGE and not _is_mostly_text(stored[: len(AGE_MAGIC)]):
        _require_key(what, by_age=False)
    try:
        open_in_place(cipher, stored)
    except DecryptionFailed as error:
        _explain(error, stored, what)


def _require_key(what: str, *, by_age: bool) -> NoReturn:
    flag = "--age-identity" if by_age else "--key"
    raise KeyRequired(
        f"{what} is encrypted{' with age' if by_age else ''}",
        hint=f"give the key it was put with: {flag}",
    )


def _explain(error: DecryptionFailed, opened: bytearray, what: str) -> NoReturn:
    """Say why a manifest does not open.

    AES-GCM cannot tell a wrong key from damage, but JSON can: the right key turns all but the damaged bytes into text. They
    are not authenticated and used for nothing else.
    """
    if isinstance(error, KeyRequired):
        raise KeyRequired(f"{what} is encrypted: {error.message}", hint=error.hint) from error
    readable = _is_mostly_text(opened[AES_NONCE_BYTES:-AES_TAG_BYTES])
    if isinstance(error, CiphertextDamaged) or (not isinstance(error, WrongKey) and readable):
        raise ManifestInvalid(
            f"{what} is damaged: {error.message}",
            hint="the key is the right one as far as can be told; nothing was written",
        ) from error
    raise WrongKey(
        f"the key does not open {what}",
        hint="it was put with another key, or its beginning is damaged; nothing was written",
    ) from error


def _is_mostly_text(content: bytes | bytearray) -> bool:
    sample = content[:_SAMPLE_BYTES]
    return len(sample.translate(None, _TEXT)) * 10 <= len(sample)


def _is_utf_8(content: bytes | bytearray) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), _SAMPLE_BYTES):
            decoder.decode(content[start : start + _SAMPLE_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
