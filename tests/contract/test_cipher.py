"""What `ports.cipher` promises, over every cipher; and that AES-GCM messages are those of any other implementation."""

from __future__ import annotations

import hashlib
import hmac
import os
import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as Aead
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.plain import PlainCipher
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import DecryptionFailed, S3ductError
from tests.support.age_keys import key_pair

if TYPE_CHECKING:
    from s3duct.domain.ports.cipher import Cipher

KEY = bytes(range(32))
CIPHERS: dict[str, Cipher] = {
    "plain": PlainCipher(),
    "aes-256-gcm": AesGcmCipher(KEY),
    "age": key_pair("x25519").cipher(),
    "age for three": AgeCipher.of_identities(
        [key_pair(kind).identity for kind in ("ssh-ed25519", "x25519", "ssh-rsa")]
    ),
    "age post-quantum": key_pair("hybrid").cipher(),
}
# Around the pieces that matter: the nonce (12), the block (16), nonce and tag (28), and age's piece (65,536).
SIZES = [0, 1, 11, 12, 13, 15, 16, 17, 27, 28, 29, 1000, 65_535, 65_536, 65_537, 131_072, 131_073, 200_000]

every_cipher = pytest.mark.parametrize("cipher", CIPHERS.values(), ids=CIPHERS)


def content(size_bytes: int) -> bytes:
    return random.Random(size_bytes).randbytes(size_bytes)


def cuts(draw: random.Random, size_bytes: int) -> list[int]:
    """Offsets at which to cut, ends included; empty pieces occur."""
    return sorted([0, size_bytes, *(draw.randint(0, size_bytes) for _ in range(draw.randint(0, 6)))])


def seal(cipher: Cipher, plain: bytes, offsets: list[int]) -> bytes:
    sealer, view = cipher.sealer(), memoryview(plain)
    pieces = [bytes(sealer.update(view[start:stop])) for start, stop in pairwise(offsets)]
    return b"".join(pieces) + bytes(sealer.finish())


def unseal(cipher: Cipher, sealed: bytes, arrivals: list[int], *, spare: int = 0) -> bytes:
    """Open in place, as a download does, checking what the port promises on the way."""
    opener = cipher.opener()
    buffer = memoryview(bytearray(len(sealed) + spare))
    start, stop = opener.start, 0
    for before, filled in pairwise(arrivals):
        buffer[before:filled] = sealed[before:filled]
        beyond = bytes(buffer[filled:])
        now = opener.advance(buffer, filled)
        assert stop <= now <= max(filled, start)
        assert bytes(buffer[filled:]) == beyond  # what has not arrived is not touched
        assert opener.start == start
        stop = now
    end = opener.finish(buffer, len(sealed))
    assert end >= max(stop, start)
    return bytes(buffer[start:end])


# --- every cipher --------------------------------------------------------------------------------------------------


@every_cipher
@pytest.mark.parametrize("size_bytes", SIZES)
def test_sealed_and_opened_is_the_same_in_any_pieces(cipher: Cipher, size_bytes: int) -> None:
    draw = random.Random(size_bytes)
    plain = content(size_bytes)
    for _ in range(8):
        sealed = seal(cipher, plain, cuts(draw, size_bytes))
        assert len(sealed) == cipher.sealed_size_bytes(size_bytes)
        assert unseal(cipher, sealed, cuts(draw, len(sealed)), spare=draw.choice([0, 1, 100])) == plain


@every_cipher
def test_a_byte_at_a_time(cipher: Cipher) -> None:
    plain = content(100)
    sealed = seal(cipher, plain, list(range(101)))
    assert unseal(cipher, sealed, list(range(len(sealed) + 1))) == plain


@pytest.mark.parametrize("cipher", [PlainCipher(), AesGcmCipher(KEY)], ids=["plain", "aes-256-gcm"])
def test_plain_bytes_are_ready_as_soon_as_they_can_be(cipher: Cipher) -> None:
    sealed = bytearray(seal(cipher, content(1000), [0, 1000]))
    opener, held_back = cipher.opener(), 16 if cipher.method is EncryptionMethod.AES_256_GCM else 0
    assert opener.advance(memoryview(sealed), 500) == 500 - held_back
    assert bytes(sealed[opener.start : 500 - held_back]) == content(1000)[: 500 - held_back - opener.start]


@pytest.mark.parametrize("name", [name for name in CIPHERS if name.startswith("age")])
def test_plain_bytes_of_age_are_ready_once_more_follows_their_piece(name: str) -> None:
    cipher, plain = CIPHERS[name], content(200_000)
    sealed = memoryview(bytearray(seal(cipher, plain, [0, 200_000])))
    head = cipher.sealed_size_bytes(0) - 16  # header and nonce
    opener = cipher.opener()
    assert opener.advance(sealed, head - 1) == 0
    assert opener.advance(sealed, head + 65_552) == 0
    assert opener.advance(sealed, head + 65_553) == 65_536
    assert bytes(sealed[:65_536]) == plain[:65_536]


@every_cipher
def test_sealing_leaves_the_plain_bytes_as_they_are(cipher: Cipher) -> None:
    plain = bytearray(content(5000))
    sealer = cipher.sealer()
    sealer.update(memoryview(plain)[:2000])
    sealer.update(memoryview(plain)[2000:])
    sealer.finish()
    assert plain == content(5000)  # a chunk is sealed again from its start when its upload is retried


@every_cipher
def test_sealed_pieces_stay_as_they_are_while_later_ones_are_made(cipher: Cipher) -> None:
    sealer, view = cipher.sealer(), memoryview(content(3000))
    pieces = [sealer.update(view[start : start + 1000]) for start in range(0, 3000, 1000)]
    copies = [bytes(piece) for piece in pieces]
    sealer.finish()
    assert [bytes(piece) for piece in pieces] == copies


@every_cipher
def test_pieces_are_sealed_into_the_buffer_that_is_given(cipher: Cipher) -> None:
    for size_bytes in (1, 1000, 65_536, 65_537, 200_000):
        plain, sealer, sealed = memoryview(content(size_bytes)), cipher.sealer(), b""
        for start in range(0, size_bytes, 70_000):
            piece = plain[start : start + 70_000]
            room = bytearray(sealer.room_bytes(len(piece)))
            ready = memoryview(sealer.update(piece, memoryview(room)))
            assert ready == (piece if cipher.method is EncryptionMethod.NONE else room[: len(ready)])
            sealed += bytes(ready)
        sealed += bytes(sealer.finish())
        assert unseal(cipher, sealed, [0, len(sealed)]) == plain


@every_cipher
def test_messages_in_turns_do_not_disturb_each_other(cipher: Cipher) -> None:
    sealers = [cipher.sealer() for _ in range(3)]
    plains = [content(3000 + number) for number in range(3)]
    sealed = [bytearray() for _ in range(3)]
    for start in range(0, 4000, 500):
        for number in range(3):
            sealed[number] += sealers[number].update(memoryview(plains[number])[start : start + 500])
    for number in range(3):
        sealed[number] += sealers[number].finish()
        assert unseal(cipher, bytes(sealed[number]), [0, len(sealed[number])]) == plains[number]


def test_what_the_manifest_says_of_each_cipher() -> None:
    plain, aes = PlainCipher(), AesGcmCipher(KEY)
    assert (plain.method, plain.recipient, plain.key_id) == (EncryptionMethod.NONE, None, "")
    assert (aes.method, aes.recipient) == (EncryptionMethod.AES_256_GCM, None)


@every_cipher
def test_what_was_sealed_with_it_may_open(cipher: Cipher) -> None:
    assert cipher.may_open(cipher.recipient)


@every_cipher
@pytest.mark.parametrize("recipient", [None, ""])
def test_for_whom_is_not_known_may_open(cipher: Cipher, recipient: str | None) -> None:
    assert cipher.may_open(recipient)


@every_cipher
@pytest.mark.parametrize("covered", [b"", b"{}", bytes(range(256)) * 500], ids=len)
def test_a_mac_is_32_bytes_and_always_the_same_or_there_is_none(cipher: Cipher, covered: bytes) -> None:
    mac = cipher.manifest_mac([covered])
    assert cipher.manifest_mac([covered]) == mac
    assert (mac is not None) is (cipher.method is EncryptionMethod.AES_256_GCM)
    assert mac is None or len(mac) == 32


# --- AES-256-GCM ---------------------------------------------------------------------------------------------------


def test_a_symmetric_key_decides_alone_whatever_the_manifest_names() -> None:
    for cipher in (PlainCipher(), AesGcmCipher(KEY)):
        assert cipher.may_open(key_pair("x25519").recipient)


def test_macs_tell_keys_and_manifests_apart() -> None:
    draw = random.Random(11)
    keys = [KEY, bytes(32), bytes(31) + b"\1", b"\1" + bytes(31), *(draw.randbytes(32) for _ in range(50))]
    covered = [b"", b"\0", b"{}", b'{"a":1}', b'{"a":2}']
    macs = {AesGcmCipher(key).manifest_mac([text]) for key in keys for text in covered}
    assert len(macs) == len(keys) * len(covered)
    assert None not in macs


@given(key=st.binary(min_size=32, max_size=32), covered=st.binary(max_size=100))
def test_a_mac_is_made_with_a_key_of_its_own(key: bytes, covered: bytes) -> None:
    """RFC 5869 and RFC 2104, written out: whoever reads the bucket in ten years needs no more than that."""
    cipher = AesGcmCipher(key)
    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    own_key = hmac.new(extracted, b"s3duct manifest mac v1\x01", hashlib.sha256).digest()
    mac = cipher.manifest_mac([covered])
    assert mac == hmac.new(own_key, covered, hashlib.sha256).digest()
    # Never under the key that encrypts, nor what a key id shows.
    assert mac != hmac.new(key, covered, hashlib.sha256).digest()
    assert (
        cipher.manifest_mac([b"s3duct key id v1"])
        != hmac.new(key, b"s3duct key id v1", hashlib.sha256).digest()
    )
    shown = cipher.manifest_mac([b"s3duct key id v1"])
    assert shown is not None
    assert not shown.hex().startswith(cipher.key_id)


@given(plain=st.binary(max_size=300), key=st.binary(min_size=32, max_size=32), seed=st.integers())
def test_a_sealed_message_is_nonce_ciphertext_and_tag(plain: bytes, key: bytes, seed: int) -> None:
    sealed = seal(AesGcmCipher(key), plain, cuts(random.Random(seed), len(plain)))
    assert AESGCM(key).decrypt(sealed[:12], sealed[12:], None) == plain


@given(
    plain=st.binary(max_size=300),
    key=st.binary(min_size=32, max_size=32),
    nonce=st.binary(min_size=12, max_size=12),
    seed=st.integers(),
)
def test_a_message_sealed_elsewhere_is_opened(plain: bytes, key: bytes, nonce: bytes, seed: int) -> None:
    sealed = nonce + AESGCM(key).encrypt(nonce, plain, None)
    assert unseal(AesGcmCipher(key), sealed, cuts(random.Random(seed), len(sealed))) == plain


def must_fail(cipher: Cipher, sealed: bytes, arrivals: list[int]) -> None:
    with pytest.raises(DecryptionFailed) as caught:
        unseal(cipher, sealed, arrivals)
    assert not caught.value.retryable
    assert "\n" not in caught.value.message
    assert KEY.hex() not in caught.value.message


def test_any_flipped_bit_is_found() -> None:
    cipher = AesGcmCipher(KEY)
    sealed = seal(cipher, content(40), [0, 40])
    for position in range(len(sealed) * 8):
        damaged = bytearray(sealed)
        damaged[position // 8] ^= 1 << (position % 8)
        must_fail(cipher, bytes(damaged), [0, 30, len(damaged)])


def test_any_truncation_is_found() -> None:
    cipher = AesGcmCipher(KEY)
    sealed = seal(cipher, content(40), [0, 40])
    for length in range(len(sealed)):
        must_fail(cipher, sealed[:length], [0, length // 2, length])
        if length:
            must_fail(cipher, sealed[-length:], [0, length])


@pytest.mark.parametrize("extra", [b"\0", b"x" * 16, b"x" * 28], ids=len)
def test_any_extension_is_found(extra: bytes) -> None:
    cipher = AesGcmCipher(KEY)
    sealed = seal(cipher, content(40), [0, 40])
    for damaged in (sealed + extra, extra + sealed, sealed[:30] + extra + sealed[30:], sealed + sealed):
        must_fail(cipher, damaged, [0, len(damaged)])


def test_another_key_does_not_open_it() -> None:
    sealed = seal(AesGcmCipher(KEY), content(1000), [0, 1000])
    must_fail(AesGcmCipher(bytes(31) + b"\1"), sealed, [0, 100, len(sealed)])


@pytest.mark.parametrize("size_bytes", [0, 1, 12, 27])
def test_a_message_of_impossible_length_is_refused(size_bytes: int) -> None:
    opener = AesGcmCipher(KEY).opener()
    buffer = memoryview(bytearray(64))
    stop = opener.advance(buffer, size_bytes)
    assert stop <= opener.start  # nothing is plain yet
    with pytest.raises(DecryptionFailed):
        opener.finish(buffer, size_bytes)


def test_every_message_has_a_nonce_of_its_own() -> None:
    cipher = AesGcmCipher(KEY)
    nonces = {seal(cipher, b"", [0, 0])[:12] for _ in range(1000)}
    assert len(nonces) == 1000


def test_key_ids_tell_keys_apart_and_give_nothing_away() -> None:
    draw = random.Random(7)
    keys = [draw.randbytes(32) for _ in range(200)] + [bytes(32), KEY]
    ids = [AesGcmCipher(key).key_id for key in keys]
    assert ids == [AesGcmCipher(bytes(bytearray(key))).key_id for key in keys]
    assert len(set(ids)) == len(keys)
    for key, key_id in zip(keys, ids, strict=True):
        assert bytes.fromhex(key_id)
        assert not any(key_id[at : at + 8] in key.hex() for at in range(0, len(key_id) - 7, 2)), (
            "bytes of the key"
        )
        assert key.hex() not in repr(AesGcmCipher(key)) + str(vars(AesGcmCipher(key)).keys())


@pytest.mark.parametrize("size_bytes", [0, 16, 24, 31, 33, 64])
def test_a_key_of_another_length_is_refused(size_bytes: int) -> None:
    with pytest.raises((ValueError, S3ductError)):
        AesGcmCipher(bytes(size_bytes))


# --- what the adapter relies on in `cryptography` ------------------------------------------------------------------


@pytest.mark.parametrize("size_bytes", [1, 15, 16, 17, 4096, 100_003])
def test_cryptography_seals_and_opens_in_place_and_needs_no_more_room(size_bytes: int) -> None:
    nonce, plain = os.urandom(12), content(size_bytes)
    buffer = memoryview(bytearray(plain))
    encryptor = Aead(algorithms.AES(KEY), modes.GCM(nonce)).encryptor()
    half = size_bytes // 2
    assert encryptor.update_into(buffer[:half], buffer[:half]) == half
    assert encryptor.update_into(buffer[half:], buffer[half:]) == size_bytes - half
    assert encryptor.finalize() == b""
    assert bytes(buffer) + encryptor.tag == AESGCM(KEY).encrypt(nonce, plain, None)

    decryptor = Aead(algorithms.AES(KEY), modes.GCM(nonce)).decryptor()
    for start in range(0, size_bytes, 999):
        piece = buffer[start : start + 999]
        assert decryptor.update_into(piece, piece) == len(piece)
    assert decryptor.finalize_with_tag(encryptor.tag) == b""
    assert bytes(buffer) == plain


def test_cryptography_tells_a_wrong_tag() -> None:
    decryptor = Aead(algorithms.AES(KEY), modes.GCM(bytes(12))).decryptor()
    decryptor.update(b"x")
    with pytest.raises(InvalidTag):
        decryptor.finalize_with_tag(bytes(16))
