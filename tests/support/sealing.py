"""Opens what was sealed as one message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3duct.app.pipeline.manifest_sealing import open_in_place

if TYPE_CHECKING:
    from s3duct.domain.ports.cipher import Cipher


def open_message(cipher: Cipher, sealed: bytes | bytearray) -> bytes:
    """Return the plain bytes; what is given stays as it is. Raises `DecryptionFailed`."""
    message = bytearray(sealed)
    open_in_place(cipher, message)
    return bytes(message)
