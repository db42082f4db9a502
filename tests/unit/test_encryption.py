from __future__ import annotations

from s3duct.domain.encryption import (
    AES_MAX_MESSAGE_BYTES,
    AES_NONCE_BYTES,
    AES_OVERHEAD_BYTES,
    AES_TAG_BYTES,
    EncryptionMethod,
)


def test_methods_are_named_as_released_versions_name_them() -> None:
    assert {method.value for method in EncryptionMethod} == {None, "aes-256-gcm", "age"}
    assert EncryptionMethod(None) is EncryptionMethod.NONE


def test_a_sealed_chunk_carries_nonce_and_tag() -> None:
    assert (AES_NONCE_BYTES, AES_TAG_BYTES, AES_OVERHEAD_BYTES) == (12, 16, 28)


def test_a_message_is_at_most_two_blocks_short_of_64_gib() -> None:
    """The 32-bit counter starts at 2 for data, and one of its values must not come back (SP 800-38D)."""
    assert AES_MAX_MESSAGE_BYTES == 16 * (2**32 - 2)
