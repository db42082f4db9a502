"""Encryption methods as the manifest names them, and what each adds to a chunk."""

from __future__ import annotations

from enum import Enum

AES_NONCE_BYTES = 12
AES_TAG_BYTES = 16
AES_OVERHEAD_BYTES = AES_NONCE_BYTES + AES_TAG_BYTES
# NIST SP 800-38D, 5.2.1.1: a GCM plaintext holds at most 2^39 - 256 bits.
AES_MAX_MESSAGE_BYTES = (2**39 - 256) // 8
# How every age file begins (c2sp.org/age, "Version line"); the version follows.
AGE_MAGIC = b"age-encryption.org/"


class EncryptionMethod(Enum):
    """How chunks are sealed. The values are those of the manifest field `encryption_method`."""

    NONE = None
    AES_256_GCM = "aes-256-gcm"
    AGE = "age"
