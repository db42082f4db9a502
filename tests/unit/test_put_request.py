"""What is asked of a put, held against its cipher before anything is done."""

from __future__ import annotations

import pytest

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.plain import PlainCipher
from s3duct.app.usecases.put_request import PutRequest
from s3duct.domain.backpressure import BufferWishes
from s3duct.domain.chunk import MAX_CHUNK_BYTES
from s3duct.domain.errors import UsageError
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.sizes import GIB, TIB
from tests.support.age_keys import key_pair

AGE = AgeCipher(recipients=[key_pair("x25519").identity.recipient])


def request(chunk_size_bytes: int, *, seal_manifest: bool = False) -> PutRequest:
    return PutRequest(
        location=StreamLocation.parse(prefix="", name="n"),
        destination="memory",
        chunk_size_bytes=chunk_size_bytes,
        buffers=BufferWishes(),
        tool_version="1",
        seal_manifest=seal_manifest,
    )


@pytest.mark.parametrize(
    ("cipher", "largest"),
    [(PlainCipher(), MAX_CHUNK_BYTES), (AesGcmCipher(bytes(32)), 64 * GIB - 32), (AGE, 5 * TIB - 2 * GIB)],
    ids=["plain", "aes", "age"],
)
def test_a_chunk_that_fits_into_an_object(cipher: Cipher, largest: int) -> None:
    request(largest).check(cipher)


@pytest.mark.parametrize(
    ("cipher", "too_large"),
    [(AesGcmCipher(bytes(32)), 64 * GIB - 31), (AGE, MAX_CHUNK_BYTES)],
    ids=["aes", "age"],
)
def test_a_chunk_that_does_not_once_it_is_sealed(cipher: Cipher, too_large: int) -> None:
    with pytest.raises(UsageError, match="chunk size"):
        request(too_large).check(cipher)


def test_without_a_key_no_manifest_is_sealed() -> None:
    with pytest.raises(UsageError) as caught:
        request(GIB, seal_manifest=True).check(PlainCipher())
    assert "--key" in caught.value.hint
    assert "--age-recipient" in caught.value.hint
