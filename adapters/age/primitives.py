"""What every part of age uses: its base64, its key derivation, and the wrapping of a file key."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FILE_KEY_BYTES = 16
TAG_BYTES = 16
WRAPPED_KEY_BYTES = FILE_KEY_BYTES + TAG_BYTES
_KEY_BYTES = 32
# Each wrapping key is used once, so age fixes the nonce (c2sp.org/age, "The X25519 recipient type").
_ZERO_NONCE = bytes(12)


def encode_base64(data: bytes) -> str:
    """Standard base64 without padding (RFC 4648, section 4)."""
    return base64.b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64(text: str) -> bytes | None:
    """Decode unpadded base64; None unless it is canonical: one encoding for each value."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if encode_base64(data) == text else None


def derive_key(secret: bytes, *, salt: bytes, info: bytes) -> bytes:
    """32 bytes of HKDF-SHA-256 (RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=salt, info=info).derive(secret)


def wrap_key(file_key: bytes, wrapping_key: bytes) -> bytes:
    """Seal the file key under a wrapping key that is never used again."""
    return ChaCha20Poly1305(wrapping_key).encrypt(_ZERO_NONCE, file_key, None)


def unwrap_key(wrapped: bytes, wrapping_key: bytes) -> bytes | None:
    """Open a file key; None if it was wrapped under another key. The caller has checked the length."""
    try:
        return ChaCha20Poly1305(wrapping_key).decrypt(_ZERO_NONCE, wrapped, None)
    except InvalidTag:
        return None
