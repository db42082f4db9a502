"""What age adds to the cipher contract: who can open, how damage is told from a wrong key, and sizes."""

from __future__ import annotations

import random
import tracemalloc
from itertools import permutations

import pytest

from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.identities import parse_identities
from s3duct.adapters.age.keys import refuse_a_mixture
from s3duct.adapters.age.opener import AgeOpener
from s3duct.adapters.age.recipients import parse_recipient
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import (
    CiphertextDamaged,
    DecryptionFailed,
    ExitCode,
    KeyRequired,
    UsageError,
    WrongKey,
)
from tests.support.age_keys import KINDS, key_pair, seal, unseal

every_kind = pytest.mark.parametrize("kind", KINDS)
CLASSIC = ["x25519", "ssh-ed25519", "ssh-rsa"]


def failure(cipher: AgeCipher, sealed: bytes, step: int = 65_536) -> DecryptionFailed:
    with pytest.raises(DecryptionFailed) as caught:
        unseal(cipher, sealed, step)
    assert not caught.value.retryable
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


# --- who can do what -----------------------------------------------------------------------------------------------


@every_kind
def test_a_recipient_seals_and_an_identity_opens(kind: str) -> None:
    pair = key_pair(kind)
    assert unseal(pair.opening(), seal(pair.sealing(), b"hello")) == b"hello"


@every_kind
def test_a_recipient_cannot_open_and_an_identity_alone_does_not_seal(kind: str) -> None:
    pair = key_pair(kind)
    with pytest.raises(KeyRequired, match="no identity was given"):
        pair.sealing().opener()
    for attempt in (pair.opening().sealer, lambda: pair.opening().sealed_size_bytes(0)):
        with pytest.raises(UsageError, match="no age recipient"):
            attempt()


@every_kind
def test_what_the_manifest_says(kind: str) -> None:
    pair = key_pair(kind)
    for cipher in (pair.cipher(), pair.sealing()):
        assert cipher.method is EncryptionMethod.AGE
        assert cipher.recipient == pair.recipient
        assert cipher.key_id == pair.cipher().key_id
        assert bytes.fromhex(cipher.key_id)
    assert (pair.opening().method, pair.opening().recipient, pair.opening().key_id) == (
        EncryptionMethod.AGE,
        None,
        "",
    )


def test_several_recipients_in_any_order_have_one_key_id() -> None:
    recipients = [parse_recipient(key_pair(kind).recipient) for kind in CLASSIC]
    ciphers = [AgeCipher(recipients=order) for order in permutations(recipients)]
    assert len({cipher.key_id for cipher in ciphers}) == 1
    assert ciphers[0].recipient == ",".join(recipient.text for recipient in recipients)
    fewer = {AgeCipher(recipients=recipients[:count]).key_id for count in range(4)}
    assert len(fewer) == 4


def test_a_recipient_given_twice_counts_once() -> None:
    once, twice = (AgeCipher(recipients=[key_pair("x25519").identity.recipient] * count) for count in (1, 2))
    assert (once.recipient, once.key_id) == (twice.recipient, twice.key_id)
    assert len(seal(once, b"")) == len(seal(twice, b""))


def test_any_of_several_identities_opens() -> None:
    sealed = seal(key_pair("ssh-rsa").sealing(), b"hello")
    identities = [key_pair(kind, number).identity for kind in KINDS for number in range(2)]
    assert unseal(AgeCipher(identities=identities), sealed) == b"hello"


def test_post_quantum_and_classic_recipients_are_not_mixed() -> None:
    identities = [key_pair("x25519").identity, key_pair("hybrid").identity]
    for mixture in (identities, identities[::-1]):
        with pytest.raises(UsageError, match="cannot be mixed"):
            AgeCipher.of_identities(mixture)
        with pytest.raises(UsageError):
            refuse_a_mixture([identity.recipient for identity in mixture])
    both = AgeCipher(identities=identities)
    for kind in ("x25519", "hybrid"):
        assert unseal(both, seal(key_pair(kind).sealing(), b"hello")) == b"hello"


def test_more_recipients_than_a_header_holds_are_refused() -> None:
    fitting = [key_pair("hybrid", number).identity for number in range(80)]
    cipher = AgeCipher.of_identities(fitting)
    assert unseal(AgeCipher(identities=fitting[-1:]), seal(cipher, b"hello"), step=1000) == b"hello"
    with pytest.raises(UsageError, match="more than a header holds"):
        AgeCipher.of_identities(
            [*fitting, *(key_pair("hybrid", number).identity for number in range(80, 90))]
        )


# --- for whom it was sealed, as a manifest says ------------------------------------------------------------------------


@every_kind
def test_an_identity_may_open_what_names_it_and_nothing_else(kind: str) -> None:
    mine = key_pair(kind)
    for other in (key_pair(kind, 1), *(key_pair(name) for name in KINDS if name != kind)):
        assert mine.opening().may_open(mine.recipient)
        assert not mine.opening().may_open(other.recipient)
        # Among several: first, last, in the middle.
        assert mine.opening().may_open(f"{mine.recipient},{other.recipient}")
        assert mine.opening().may_open(f"{other.recipient},{mine.recipient}")
        assert mine.opening().may_open(f"{other.recipient},{mine.recipient},{other.recipient}")
        both = AgeCipher(identities=[other.identity, mine.identity])
        assert both.may_open(mine.recipient)
        assert both.may_open(other.recipient)
    strangers = ",".join(key_pair(name, 1).recipient for name in KINDS)
    assert not mine.opening().may_open(strangers)
    assert mine.opening().may_open(mine.recipient[:-1])  # a damaged name says nothing


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa"])
@pytest.mark.parametrize("comment", [" me@host", " a comment of words", "  two spaces", " "])
def test_the_comment_of_an_ssh_key_is_no_part_of_it(kind: str, comment: str) -> None:
    mine, other = key_pair(kind), key_pair(kind, 1)
    assert mine.opening().may_open(mine.recipient + comment)
    assert mine.opening().may_open(f"{other.recipient} other,{mine.recipient}{comment}")
    assert not mine.opening().may_open(other.recipient + comment)


def test_more_recipients_than_a_header_holds_are_not_looked_at() -> None:
    """Reading each of them would hold up a reader for hours."""
    mine, stranger = key_pair("x25519").opening(), key_pair("x25519", 1).recipient

    assert not mine.may_open(",".join([stranger] * 1000))
    assert mine.may_open(",".join([stranger] * 10_000))


@every_kind
@pytest.mark.parametrize("named", [None, ""])
def test_what_names_nobody_may_open(kind: str, named: str | None) -> None:
    assert key_pair(kind).opening().may_open(named)


def test_without_an_identity_nothing_is_ruled_out_here() -> None:
    """That there is nothing to open it with is said by `opener`."""
    assert key_pair("x25519").sealing().may_open(key_pair("x25519", 1).recipient)
    assert AgeCipher().may_open(key_pair("x25519").recipient)


def test_whom_it_seals_for_is_not_whom_it_opens_for() -> None:
    cipher = AgeCipher(
        recipients=[key_pair("x25519", 1).identity.recipient], identities=[key_pair("x25519").identity]
    )
    assert cipher.may_open(key_pair("x25519").recipient)
    assert not cipher.may_open(key_pair("x25519", 1).recipient)


@every_kind
def test_no_recipient_proves_an_origin(kind: str) -> None:
    pair = key_pair(kind)
    for cipher in (pair.cipher(), pair.opening(), pair.sealing()):
        assert cipher.manifest_mac([b"{}"]) is None


# --- sizes ---------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("size_bytes", [0, 1, 65_535, 65_536, 65_537, 131_072])
def test_the_size_is_known_beforehand(kind: str, size_bytes: int) -> None:
    cipher = key_pair(kind).sealing()
    assert {len(seal(cipher, bytes(size_bytes))) for _ in range(5)} == {cipher.sealed_size_bytes(size_bytes)}


def test_sizes_of_large_messages() -> None:
    cipher = key_pair("x25519").sealing()
    empty = cipher.sealed_size_bytes(0)
    assert cipher.sealed_size_bytes(2**39) == empty - 16 + 2**39 + 2**39 // 65_536 * 16


def test_memory_does_not_grow_with_the_message() -> None:
    cipher, plain, mebibyte = key_pair("x25519").cipher(), memoryview(bytearray(1 << 20)), 1 << 20
    sealed = memoryview(bytearray(cipher.sealed_size_bytes(32 * mebibyte)))
    tracemalloc.start()
    try:
        sealer, at = cipher.sealer(), 0
        for _ in range(32):
            piece = sealer.update(plain)
            sealed[at : at + len(piece)] = piece
            at += len(piece)
        sealed[at:] = sealer.finish()
        opener = cipher.opener()
        for filled in range(0, len(sealed), mebibyte):
            opener.advance(sealed, filled)
        assert opener.finish(sealed, len(sealed)) == 32 * mebibyte
        assert tracemalloc.get_traced_memory()[1] < 3 * mebibyte
    finally:
        tracemalloc.stop()


# --- a wrong key, and damage ---------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("other", KINDS)
def test_another_identity_does_not_open_it(kind: str, other: str) -> None:
    error = failure(key_pair(other, 7).opening(), seal(key_pair(kind).sealing(), b"hello"))
    assert type(error) is WrongKey
    assert error.exit_code is ExitCode.WRONG_KEY
    assert "no age identity matches" in error.message


@every_kind
def test_any_flipped_bit_is_found(kind: str) -> None:
    pair = key_pair(kind)
    cipher = pair.opening()
    sealed = seal(pair.sealing(), b"attack at dawn")
    body_starts = sealed.index(b"\n---")
    draw = random.Random(3)
    # The header of a post-quantum or RSA file is long: a sample of its bits, and all of what follows.
    bits = [*draw.sample(range(body_starts * 8), 300), *range(body_starts * 8, len(sealed) * 8)]
    for bit in bits:
        damaged = bytearray(sealed)
        damaged[bit // 8] ^= 1 << bit % 8
        error = failure(cipher, bytes(damaged), step=draw.choice([1 << 20, 100]))
        if bit >= body_starts * 8:
            assert type(error) is CiphertextDamaged
            assert error.exit_code is ExitCode.INTEGRITY
        else:  # a stanza that was altered is not for this identity any more, as far as can be told
            assert type(error) in {CiphertextDamaged, WrongKey}


@every_kind
def test_any_truncation_or_extension_is_damage(kind: str) -> None:
    pair = key_pair(kind)
    cipher = pair.opening()
    sealed = seal(pair.sealing(), b"attack at dawn")
    for length in [*range(0, len(sealed), 7), *range(len(sealed) - 60, len(sealed))]:
        assert type(failure(cipher, sealed[:length])) is CiphertextDamaged
    for extra in (b"\0", b"x" * 16, b"x" * 65_552, sealed):
        assert type(failure(cipher, sealed + extra)) is CiphertextDamaged
        assert type(failure(cipher, extra + sealed)) is not WrongKey or extra == sealed


def test_pieces_are_bound_to_their_places_and_their_file() -> None:
    pair = key_pair("x25519")
    cipher, plain = pair.opening(), random.Random(5).randbytes(4 * 65_536 + 100)
    sealed, other = seal(pair.sealing(), plain), seal(pair.sealing(), plain)
    head = pair.sealing().sealed_size_bytes(0) - 16
    ends = [head + number * 65_552 for number in range(5)]
    pieces = [sealed[start:stop] for start, stop in zip(ends, [*ends[1:], None], strict=True)]
    theirs = [other[start:stop] for start, stop in zip(ends, [*ends[1:], None], strict=True)]
    tampered = {
        "swapped": [pieces[1], pieces[0], *pieces[2:]],
        "dropped": [pieces[0], *pieces[2:]],
        "repeated": [pieces[0], *pieces],
        "cut at a piece": pieces[:-1],
        "cut to nothing": [],
        "of another file": [pieces[0], theirs[1], *pieces[2:]],
        "all of another file": theirs,
        "the last in the middle": [*pieces[:2], pieces[-1], *pieces[2:]],
    }
    assert unseal(cipher, sealed[:head] + b"".join(pieces)) == plain
    for how, order in tampered.items():
        assert type(failure(cipher, sealed[:head] + b"".join(order))) is CiphertextDamaged, how


@pytest.mark.parametrize(
    "sealed", [b"", b"age", b'{"version": 1}', bytes(100), b"age-encryption.org/v2\n" * 9]
)
def test_what_is_no_age_file_is_not_called_a_wrong_key(sealed: bytes) -> None:
    assert type(failure(key_pair("x25519").opening(), sealed)) is CiphertextDamaged


def test_every_message_has_a_file_key_and_nonce_of_its_own() -> None:
    cipher = key_pair("x25519").sealing()
    sealed = [seal(cipher, b"") for _ in range(300)]
    assert len({message[:-32] for message in sealed}) == 300
    assert len({message[-32:] for message in sealed}) == 300


def test_nothing_secret_is_shown() -> None:
    pair = key_pair("x25519")
    secret = pair.file.decode().splitlines()[-1]
    (identity,) = parse_identities(pair.file)
    shown = repr(identity) + repr(pair.cipher()) + str(vars(pair.cipher()).keys()) + repr(AgeOpener([]))
    assert secret not in shown
