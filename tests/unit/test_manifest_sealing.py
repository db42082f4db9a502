"""From a manifest to its object and back, for each method: what it proves, and how a wrong key is told from damage."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.plain import PlainCipher
from s3duct.app.pipeline.manifest_io import StoredManifest, open_manifest
from s3duct.app.pipeline.manifest_io import prepare_manifest as prepare_apart
from s3duct.app.pipeline.manifest_sealing import is_sealed, seal_message
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import KeyRequired, ManifestInvalid, S3ductError, UnsupportedFormat, WrongKey
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import encode_manifest
from s3duct.domain.manifest_mac import ManifestMac, attach_mac, mac_in
from s3duct.domain.manifest_trust import OpenedManifest, Proof
from s3duct.domain.names import StreamLocation
from tests.support.age_keys import KINDS, key_pair
from tests.support.sealing import open_message
from tests.unit.saying import assert_well_said, run
from tests.unit.strategies import manifest_of, manifests

if TYPE_CHECKING:
    from s3duct.domain.ports.cipher import Cipher

LOCATION = StreamLocation.parse(prefix="p", name="s")
PLAIN, KEY, OTHER_KEY = PlainCipher(), AesGcmCipher(bytes(32)), AesGcmCipher(b"\x01" * 32)
AGE, OTHER_AGE, FOR_AGE = (
    key_pair("x25519").cipher(),
    key_pair("x25519", 1).opening(),
    key_pair("x25519").sealing(),
)
CIPHERS: dict[str, Cipher] = {"none": PLAIN, "aes": KEY, "age": AGE}
every_cipher = pytest.mark.parametrize("cipher", CIPHERS.values(), ids=CIPHERS)
every_cipher_with_a_key = pytest.mark.parametrize("cipher", [KEY, AGE], ids=["aes", "age"])


def manifest_for(cipher: Cipher, *, sealed: bool = False) -> Manifest:
    manifest = manifest_of([b"one", b"two"])
    return dataclasses.replace(manifest, method=cipher.method, recipient=cipher.recipient, sealed=sealed)


def prepare_manifest(manifest: Manifest, cipher: Cipher) -> bytes:
    return bytes(run(prepare_apart(manifest, cipher)))


def opened(content: bytes, cipher: Cipher) -> OpenedManifest:
    stored = StoredManifest(bytearray(content), hashlib.sha256(content).hexdigest())
    try:
        return run(open_manifest(stored, LOCATION, cipher))
    except S3ductError as error:
        assert_well_said(error)
        raise


def refusal(content: bytes, cipher: Cipher) -> S3ductError:
    with pytest.raises(S3ductError) as caught:
        opened(content, cipher)
    return caught.value


def tampered(content: bytes, **fields: Any) -> bytes:
    return json.dumps({**json.loads(content), **fields}, indent=2).encode()


# --- what is written ------------------------------------------------------------------------------------------------


@every_cipher
@given(manifest=manifests(max_chunks=2))
def test_what_was_prepared_is_opened(cipher: Cipher, manifest: Manifest) -> None:
    sealed = manifest.sealed and cipher.method is not EncryptionMethod.NONE
    manifest = dataclasses.replace(manifest, method=cipher.method, sealed=sealed)
    location = StreamLocation("", manifest.name)
    content = prepare_manifest(manifest, cipher)
    found = run(open_manifest(StoredManifest(bytearray(content), "ab"), location, cipher))
    assert found == OpenedManifest(manifest, sealed, "ab", Proof.MAC if cipher is KEY else Proof.NONE)
    assert is_sealed(content) is sealed


@pytest.mark.parametrize("sealed", [False, True])
def test_aes_puts_a_mac_into_every_manifest(sealed: bool) -> None:
    content = prepare_manifest(manifest_for(KEY, sealed=sealed), KEY)
    text = open_message(KEY, content) if sealed else content
    document = json.loads(text)
    mac = mac_in(document)
    assert mac is not None
    assert mac.key_id == KEY.key_id
    del document["s3duct"]
    assert json.dumps(document, indent=2).encode() == encode_manifest(manifest_for(KEY, sealed=sealed))
    assert opened(content, KEY).proof is Proof.MAC
    assert opened(content, KEY).sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("cipher", [PLAIN, AGE], ids=["none", "age"])
def test_without_a_key_that_proves_anything_it_is_what_040_writes(cipher: Cipher) -> None:
    manifest = manifest_for(cipher)
    assert prepare_manifest(manifest, cipher) == encode_manifest(manifest)
    assert opened(prepare_manifest(manifest, cipher), cipher).proof is Proof.NONE


@pytest.mark.parametrize("kind", KINDS)
def test_recipients_alone_seal_a_manifest_that_their_owners_open(kind: str) -> None:
    pair = key_pair(kind)
    manifest = manifest_for(pair.sealing(), sealed=True)
    content = prepare_manifest(manifest, pair.sealing())
    assert content.startswith(b"age-encryption.org/v1\n")
    found = opened(content, pair.opening())
    assert (found.manifest, found.sealed, found.proof) == (manifest, True, Proof.NONE)


# --- what it proves -------------------------------------------------------------------------------------------------


def test_a_sealed_manifest_without_a_mac_proves_that_it_was_sealed() -> None:
    content = seal_message(KEY, encode_manifest(manifest_for(KEY, sealed=True)))
    assert opened(content, KEY).proof is Proof.SEALED
    assert opened(encode_manifest(manifest_for(KEY)), KEY).proof is Proof.NONE


@pytest.mark.parametrize("sealed", [False, True])
def test_another_keys_mac_and_a_wrong_mac_are_told_apart(sealed: bool) -> None:
    def stored(content: bytes) -> bytes:
        return seal_message(KEY, content) if sealed else content

    theirs = prepare_manifest(manifest_for(KEY), OTHER_KEY)
    assert opened(stored(theirs), KEY).proof is Proof.OTHER_KEY
    mine = prepare_manifest(manifest_for(KEY), KEY)
    assert opened(stored(mine), KEY).proof is Proof.MAC
    assert opened(stored(tampered(mine, description="x")), KEY).proof is Proof.WRONG_MAC
    assert opened(stored(tampered(mine, later=[1])), KEY).proof is Proof.WRONG_MAC


def test_a_mac_of_an_unknown_algorithm_proves_nothing() -> None:
    extension = {"mac": {"alg": "hmac-sha512", "value": "00" * 64}}
    plain = tampered(encode_manifest(manifest_for(KEY)), s3duct=extension)
    assert opened(plain, KEY).proof is Proof.NONE
    assert opened(seal_message(KEY, plain), KEY).proof is Proof.SEALED


@pytest.mark.parametrize("cipher", [PLAIN, AGE], ids=["none", "age"])
def test_a_mac_proves_nothing_to_whoever_cannot_compute_it(cipher: Cipher) -> None:
    content = prepare_manifest(manifest_for(KEY), KEY)
    assert opened(content, cipher).proof is Proof.NONE
    document = json.loads(encode_manifest(manifest_for(AGE, sealed=True)))
    attach_mac(document, ManifestMac(bytes(32), ""))
    assert opened(seal_message(AGE, json.dumps(document).encode()), AGE).proof is Proof.NONE


@every_cipher
def test_a_malformed_mac_is_invalid_whatever_the_key(cipher: Cipher) -> None:
    content = tampered(
        encode_manifest(manifest_for(cipher)), s3duct={"mac": {"alg": "hmac-sha256", "value": "ab"}}
    )
    assert type(refusal(content, cipher)) is ManifestInvalid


@given(st.data())
def test_no_changed_byte_of_a_plain_manifest_keeps_the_proof(data: st.DataObject) -> None:
    content = prepare_manifest(manifest_for(KEY), KEY)
    at, byte = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 255))
    changed = content[:at] + bytes([byte]) + content[at + 1 :]
    try:
        proof = opened(changed, KEY).proof
    except (ManifestInvalid, UnsupportedFormat):
        return
    assert (proof is Proof.MAC) is (without_key_id(changed) == without_key_id(content))


def without_key_id(content: bytes) -> Any:
    """A manifest less the only thing in it that needs no proof: it chooses the words of a refusal."""
    document = json.loads(content)
    document.get("s3duct", {}).get("mac", {}).pop("key_id", None)
    return document


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
def test_no_depth_of_nesting_is_a_crash(opening: str, closing: str) -> None:
    """Some depths can be parsed, but not be written again for the MAC."""
    content = prepare_manifest(manifest_for(KEY), KEY).decode()[:-1]
    limit = sys.getrecursionlimit()
    for depth in [100, *range(limit - 60, limit + 10), 100_000]:
        nested = opening * depth + "1" + closing * depth
        stored = f'{content}, "later": {nested}}}'.encode()
        try:
            assert opened(stored, KEY).proof is Proof.WRONG_MAC
        except ManifestInvalid:
            assert depth > 100


# --- a wrong key, damage, and no key --------------------------------------------------------------------------------


@pytest.mark.parametrize("mac", [False, True])
def test_every_damaged_byte_behind_the_nonce_is_damage_and_no_wrong_key(mac: bool) -> None:
    manifest = manifest_for(KEY, sealed=True)
    content = prepare_manifest(manifest, KEY) if mac else seal_message(KEY, encode_manifest(manifest))
    for at in range(12, len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 0x80 if at % 2 else 0x01
        error = refusal(bytes(damaged), KEY)
        assert type(error) is ManifestInvalid, at
        assert "is damaged" in error.message
        assert "the key is the right one" in error.hint


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 100])
def test_a_manifest_that_lost_its_end_is_damaged(cut: int) -> None:
    content = prepare_manifest(manifest_for(KEY, sealed=True), KEY)
    assert type(refusal(content[:-cut], KEY)) is ManifestInvalid
    assert type(refusal(content + bytes(cut), KEY)) is ManifestInvalid


def test_another_key_is_told_as_that_however_often() -> None:
    """By the share of text in what comes out: under another key that is noise."""
    for _ in range(200):
        error = refusal(prepare_manifest(manifest_for(KEY, sealed=True), KEY), OTHER_KEY)
        assert type(error) is WrongKey
        assert "does not open the manifest of 's'" in error.message
        assert "another key" in error.hint


@given(st.integers(0, 11), st.integers(0, 7))
def test_a_damaged_nonce_looks_like_another_key(at: int, bit: int) -> None:
    damaged = bytearray(prepare_manifest(manifest_for(KEY, sealed=True), KEY))
    damaged[at] ^= 1 << bit
    error = refusal(bytes(damaged), KEY)
    assert type(error) is WrongKey
    assert "or its beginning is damaged" in error.hint


def test_damage_of_an_age_manifest_is_told_from_another_identity() -> None:
    content = prepare_manifest(manifest_for(AGE, sealed=True), AGE)
    payload = content.index(b"\n---")
    for at in range(payload, len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 0x10
        error = refusal(bytes(damaged), AGE)
        assert type(error) is ManifestInvalid, at
        assert "is damaged" in error.message
    assert type(refusal(content[:-1], AGE)) is ManifestInvalid
    assert type(refusal(content, OTHER_AGE)) is WrongKey


def test_a_long_age_header_is_not_taken_for_the_text_that_the_right_key_brings_to_light() -> None:
    """That is how AES tells damage from a wrong key; age says so itself."""
    many = AgeCipher.of_identities([key_pair("hybrid", number).identity for number in range(10)])
    manifest = dataclasses.replace(manifest_for(many, sealed=True), recipient=None)
    content = prepare_manifest(manifest, many)
    assert content.index(b"\n---") * 10 > len(content) * 9
    assert type(refusal(content, key_pair("hybrid", 10).opening())) is WrongKey
    assert opened(content, key_pair("hybrid", 9).opening()).manifest == manifest


@given(st.data())
def test_any_damage_of_an_age_manifest_is_an_error_that_says_one_of_the_two(data: st.DataObject) -> None:
    content = bytearray(prepare_manifest(manifest_for(AGE, sealed=True), AGE))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert type(refusal(bytes(content), AGE)) in {ManifestInvalid, WrongKey}


def test_recipients_open_nothing() -> None:
    error = refusal(prepare_manifest(manifest_for(FOR_AGE, sealed=True), FOR_AGE), FOR_AGE)
    assert type(error) is KeyRequired
    assert error.message.startswith("the manifest of 's' is encrypted: ")
    assert "--age-identity" in error.hint
    assert type(refusal(prepare_manifest(manifest_for(KEY, sealed=True), KEY), AgeCipher())) is KeyRequired


@pytest.mark.parametrize(
    ("writer", "reader", "flag", "absent"),
    [
        (KEY, PLAIN, "--key", "--age-identity"), (AGE, PLAIN, "--age-identity", "--key"),
        (AGE, KEY, "--age-identity", "--key"), (KEY, AGE, "--key", "--age-identity"),
    ],
)  # fmt: skip
def test_the_key_of_another_method_or_none_asks_for_the_right_one(
    writer: Cipher, reader: Cipher, flag: str, absent: str
) -> None:
    for _ in range(20):  # the sealed bytes are others each time
        error = refusal(prepare_manifest(manifest_for(writer, sealed=True), writer), reader)
        assert type(error) is KeyRequired
        assert flag in error.hint
        assert absent not in error.hint
        assert "the manifest of 's' is encrypted" in error.message
        assert ("with age" in error.message) is (writer is AGE)


@pytest.mark.parametrize(
    "cipher", [PLAIN, KEY, AGE, OTHER_AGE, FOR_AGE], ids=["none", "aes", "age", "other", "for"]
)
@pytest.mark.parametrize("share", [1, 5, 9])
def test_a_plain_manifest_with_damaged_bytes_is_invalid_whatever_the_key(cipher: Cipher, share: int) -> None:
    """Bytes that are not UTF-8 do not make it a sealed one, as long as nine in ten are text."""
    content = bytearray(prepare_manifest(manifest_for(KEY), KEY))
    for at in range(0, len(content), 100):
        content[at : at + share] = b"\xff\xfe\x80\xc0\xf8\xfb\xc1\xfc\x90"[:share]
    assert not is_sealed(content)
    assert type(refusal(bytes(content), cipher)) is ManifestInvalid


@every_cipher_with_a_key
@given(plain=st.binary(max_size=300))
def test_whatever_was_sealed_is_opened_or_invalid_but_never_a_wrong_key(cipher: Cipher, plain: bytes) -> None:
    assert type(refusal(seal_message(cipher, plain), cipher)) is ManifestInvalid


def test_a_long_manifest_is_judged_by_its_beginning() -> None:
    """So is the time that it takes."""
    text = b'{"version": 1, ' + b" " * (1 << 16)
    assert not is_sealed(text + b"\xff" * (1 << 17))
    assert is_sealed(b"\xff" * (1 << 16) + text * 3)


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_text_is_what_is_printable_in_nine_of_ten_bytes(offset: int) -> None:
    stored = b"\xff" * (100 + offset) + b" " * (900 - offset)
    assert is_sealed(stored) is (offset > 0)


def test_utf8_text_in_any_script_is_not_sealed() -> None:
    stored = ('{"description": "' + "漢字ばかりの説明" * 50 + '"}').encode()
    assert not is_sealed(stored)


def test_an_age_header_counts_however_short_the_rest() -> None:
    assert is_sealed(b"age-encryption.org/".ljust(28, b" "))
    assert not is_sealed(b"age-encryption.org/".ljust(27, b" "))
    assert not is_sealed(b" age-encryption.org/v1\n".ljust(60))
    for cipher in (PLAIN, KEY):
        assert type(refusal(b"age-encryption.org/v1\n" * 9, cipher)) is KeyRequired
    assert type(refusal(b"age-encryption.org/v1\n" * 9, AGE)) is ManifestInvalid
