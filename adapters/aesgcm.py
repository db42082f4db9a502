"""Adapter of `ports.cipher`: AES-256-GCM (NIST SP 800-38D) over `cryptography`.

A sealed message is `nonce(12) || ciphertext || tag(16)` with a random nonce and no associated data, as s3duct 0.3.0 writes
it. With random 96-bit nonces one key should seal at most 2^32 messages (SP 800-38D, 8.3): SECURITY.md has the arithmetic.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import AEADDecryptionContext, algorithms, modes
from cryptography.hazmat.primitives.ciphers import Cipher as Aead
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from s3duct.domain.encryption import (
    AES_NONCE_BYTES,
    AES_OVERHEAD_BYTES,
    AES_TAG_BYTES,
    EncryptionMethod,
)
from s3duct.domain.errors import DecryptionFailed
from s3duct.domain.ports.cipher import Cipher, Opener, Sealer

KEY_BYTES = 32
_KEY_ID_BYTES = 8
_MAC_INFO = b"s3duct manifest mac v1"


def new_key() -> bytes:
    """Return 32 bytes of the system's randomness."""
    return os.urandom(KEY_BYTES)


class AesGcmCipher(Cipher):
    """AES-256-GCM under one 32-byte key."""

    def __init__(self, key: bytes) -> None:
        """Keep the key.

        Args:
            key: 32 bytes.
        """
        if len(key) != KEY_BYTES:
            raise ValueError("an AES-256 key has 32 bytes")
        self._key = key

    @property
    def method(self) -> EncryptionMethod:
        """AES-256-GCM."""
        return EncryptionMethod.AES_256_GCM

    @property
    def recipient(self) -> str | None:
        """None: the key is symmetric."""
        return None

    @property
    def key_id(self) -> str:
        """16 hex digits of an HMAC under the key: equal for equal keys, of no use to find one."""
        return hmac.digest(self._key, b"s3duct key id v1", hashlib.sha256)[:_KEY_ID_BYTES].hex()

    def may_open(self, recipient: str | None) -> bool:
        """The key alone decides."""
        return True

    def manifest_mac(self, covered: Iterable[bytes]) -> bytes | None:
        """HMAC-SHA256 under HKDF-SHA256 (RFC 5869) of the key: no salt, info "s3duct manifest mac v1"."""
        key = HKDF(SHA256(), KEY_BYTES, salt=None, info=_MAC_INFO).derive(self._key)
        mac = hmac.new(key, digestmod=hashlib.sha256)
        for piece in covered:
            mac.update(piece)
        return mac.digest()

    def sealed_size_bytes(self, plain_bytes: int) -> int:
        """28 bytes more: nonce and tag."""
        return plain_bytes + AES_OVERHEAD_BYTES

    def sealer(self) -> Sealer:
        """Begin a message under a fresh random nonce."""
        return _AesGcmSealer(self._key)

    def opener(self) -> Opener:
        """Begin to open a message; its nonce comes with it."""
        return _AesGcmOpener(self._key)


class _AesGcmSealer(Sealer):
    def __init__(self, key: bytes) -> None:
        nonce = os.urandom(AES_NONCE_BYTES)
        self._encryptor = Aead(algorithms.AES(key), modes.GCM(nonce)).encryptor()
        self._head = nonce

    def room_bytes(self, plain_bytes: int) -> int:
        return AES_NONCE_BYTES + plain_bytes

    def update(self, plain: memoryview, into: memoryview | None = None) -> memoryview:
        head = len(self._head)
        size = head + len(plain)
        sealed = (memoryview(bytearray(size)) if into is None else into)[:size]
        sealed[:head] = self._head
        self._encryptor.update_into(plain, sealed[head:])
        self._head = b""
        return sealed

    def finish(self) -> bytes:
        self._encryptor.finalize()
        return self._head + self._encryptor.tag


class _AesGcmOpener(Opener):
    """Opens in place: every byte of ciphertext is replaced by its plain byte, 12 bytes into the buffer.

    The tag is the last 16 bytes and only known to be the tag once the message is complete, so that much is held back.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._decryptor: AEADDecryptionContext | None = None
        self._opened = AES_NONCE_BYTES

    @property
    def start(self) -> int:
        return AES_NONCE_BYTES

    def advance(self, buffer: memoryview, filled: int) -> int:
        stop = filled - AES_TAG_BYTES
        if stop > self._opened:
            piece = buffer[self._opened : stop]
            self._begun(buffer).update_into(piece, piece)
            self._opened = stop
        return self._opened

    def finish(self, buffer: memoryview, filled: int) -> int:
        if filled < AES_OVERHEAD_BYTES:
            raise DecryptionFailed(f"too short to be sealed with AES-256-GCM ({filled} bytes)")
        stop = self.advance(buffer, filled)
        try:
            self._begun(buffer).finalize_with_tag(bytes(buffer[filled - AES_TAG_BYTES : filled]))
        except InvalidTag:
            raise DecryptionFailed("the AES-256-GCM tag does not match") from None
        return stop

    def _begun(self, buffer: memoryview) -> AEADDecryptionContext:
        if self._decryptor is None:
            nonce = bytes(buffer[:AES_NONCE_BYTES])
            self._decryptor = Aead(algorithms.AES(self._key), modes.GCM(nonce)).decryptor()
        return self._decryptor
