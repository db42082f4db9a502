from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.adapters.plain import PlainCipher
from s3duct.app.pipeline import manifest_io
from s3duct.app.pipeline.manifest_io import load_manifest
from s3duct.app.pipeline.manifest_sealing import is_sealed, seal_message
from s3duct.domain.errors import (
    DecryptionFailed,
    KeyRequired,
    ManifestInvalid,
    ObjectNotFound,
    S3ductError,
    StoreUnavailable,
    StreamNotFound,
)
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import encode_manifest
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.object_store import Bytes, ObjectStore, StoredObject
from tests.support.sealing import open_message
from tests.unit.saying import assert_well_said, run
from tests.unit.strategies import manifest_of, manifests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from s3duct.domain.ports.cipher import Cipher

PLAIN = PlainCipher()
KEY = AesGcmCipher(bytes(32))
OTHER_KEY = AesGcmCipher(b"\x01" * 32)
LOCATION = StreamLocation.parse(prefix="p", name="s")


class OneObject(ObjectStore):
    """A bucket with one object, given out in pieces, and then perhaps an error; says whether the reader closed it."""

    def __init__(
        self,
        content: bytes,
        *,
        piece: int = 7,
        key: str = LOCATION.manifest_key,
        error: S3ductError | None = None,
    ) -> None:
        self._content = content
        self._piece = piece
        self._key = key
        self._error = error
        self.given = 0
        self.closed = False

    async def get(self, key: str) -> AsyncIterator[Bytes]:
        if key != self._key:
            raise ObjectNotFound(f"no object {key!r}")
        try:
            for start in range(0, len(self._content), self._piece):
                piece = self._content[start : start + self._piece]
                self.given += len(piece)
                yield memoryview(piece)
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        raise NotImplementedError

    async def put_parts(
        self, key: str, parts: AsyncIterator[Bytes], *, part_bytes: int, storage_class: str | None = None
    ) -> StoredObject:
        raise NotImplementedError

    async def head(self, key: str) -> StoredObject:
        raise NotImplementedError

    def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[StoredObject]:
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        raise NotImplementedError


def load(content: bytes | OneObject, cipher: Cipher = PLAIN) -> Manifest:
    store = content if isinstance(content, OneObject) else OneObject(content)
    try:
        return run(load_manifest(store, LOCATION, cipher)).manifest
    except S3ductError as error:
        assert_well_said(error)
        raise


MANIFEST = manifest_of([b"one", b"two"])
SEALED = dataclasses.replace(MANIFEST, sealed=True)


@given(st.integers(1, 2000))
def test_a_plain_manifest_is_read_from_any_pieces(piece: int) -> None:
    store = OneObject(encode_manifest(MANIFEST), piece=piece)
    assert load(store) == MANIFEST
    assert store.closed


def test_a_sealed_manifest_is_opened_with_its_key() -> None:
    assert load(seal_message(KEY, encode_manifest(SEALED)), KEY) == SEALED


def test_a_missing_manifest_is_a_missing_stream() -> None:
    with pytest.raises(StreamNotFound, match="'s'") as caught:
        load(OneObject(b"{}", key="p/t/.manifest.json"))
    assert "--prefix" in caught.value.hint


def test_a_sealed_manifest_without_a_key_asks_for_it() -> None:
    with pytest.raises(KeyRequired) as caught:
        load(seal_message(KEY, encode_manifest(SEALED)))
    assert "--key" in caught.value.hint


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(DecryptionFailed, match="does not open the manifest"):
        load(seal_message(KEY, encode_manifest(SEALED)), OTHER_KEY)


@given(st.data())
def test_no_flipped_bit_of_a_sealed_manifest_goes_unseen(data: st.DataObject) -> None:
    sealed = bytearray(seal_message(KEY, encode_manifest(SEALED)))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((DecryptionFailed, ManifestInvalid)):
        load(bytes(sealed), KEY)


@given(st.data())
def test_a_sealed_manifest_cut_short_is_refused(data: st.DataObject) -> None:
    sealed = seal_message(KEY, encode_manifest(SEALED))
    with pytest.raises((DecryptionFailed, ManifestInvalid)):
        load(sealed[: data.draw(st.integers(0, len(sealed) - 1))], KEY)


@pytest.mark.parametrize("plain", [b"", b"[]", b"{}", b"\xff" * 40, "{}".encode("utf-16")])
def test_what_was_sealed_and_is_no_manifest_is_invalid(plain: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        load(seal_message(KEY, plain), KEY)


@pytest.mark.parametrize("cipher", [PLAIN, KEY])
@given(content=st.binary(max_size=100))
def test_arbitrary_bytes_raise_nothing_but_errors_of_ours(cipher: Cipher, content: bytes) -> None:
    with pytest.raises(S3ductError):
        load(content, cipher)


def test_a_manifest_without_end_is_given_up_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_io, "MAX_MANIFEST_BYTES", 1000)
    store = OneObject(b"{" * 100_000, piece=300)

    async def scene() -> None:
        with pytest.raises(ManifestInvalid, match="larger than 1000 bytes"):
            await load_manifest(store, LOCATION, PLAIN)
        assert store.closed  # now, not when the garbage is collected
        assert store.given <= 1200

    run(scene())
    exact = OneObject(encode_manifest(MANIFEST).ljust(1000), piece=100)
    monkeypatch.setattr(manifest_io, "MAX_MANIFEST_BYTES", len(encode_manifest(MANIFEST).ljust(1000)))
    assert load(exact) == MANIFEST


def test_an_error_of_the_store_in_the_middle_is_raised_as_it_is() -> None:
    with pytest.raises(StoreUnavailable, match="lost"):
        load(OneObject(encode_manifest(MANIFEST)[:50], error=StoreUnavailable("lost")))


@given(manifests(max_chunks=1))
def test_a_manifest_as_written_is_not_taken_for_sealed_and_sealed_it_is(manifest: Manifest) -> None:
    encoded = encode_manifest(manifest)
    assert not is_sealed(encoded)
    assert is_sealed(seal_message(KEY, encoded))


@pytest.mark.parametrize(
    ("beginning", "sealed"),
    [
        (b"{}", False), (b" \r\n\t{}", False), ("{ä".encode(), False), (b"{not json", False),
        (b"[]", False), (b"null", False), (b"\x00{}", False), (b"{\xff", False), (b"age-encryption.org/v1\n", True),
        (b"{\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5", True), (bytes(range(128, 140)), True),
    ],
)  # fmt: skip
def test_json_text_is_told_apart_from_anything_else(beginning: bytes, sealed: bool) -> None:
    for length in (28, 100):  # of 100 bytes, up to ten may be damaged
        stored = beginning.ljust(length)
        assert is_sealed(stored) is sealed
        assert is_sealed(bytearray(stored)) is sealed


@given(st.binary(max_size=27))
def test_what_is_too_short_to_be_sealed_is_no_question_of_keys(stored: bytes) -> None:
    assert not is_sealed(stored)
    assert is_sealed(seal_message(KEY, b""))
    with pytest.raises(ManifestInvalid):
        load(stored)


@pytest.mark.parametrize("cipher", [PLAIN, KEY])
@given(plain=st.binary(max_size=200))
def test_opening_undoes_sealing(cipher: Cipher, plain: bytes) -> None:
    sealed = seal_message(cipher, plain)
    assert len(sealed) == cipher.sealed_size_bytes(len(plain))
    assert open_message(cipher, bytearray(sealed)) == plain
