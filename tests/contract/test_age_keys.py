"""Recipients and identities of every kind: what they wrap they unwrap, and what is malformed is refused."""

from __future__ import annotations

import base64
import random
from contextlib import suppress
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from s3duct.adapters.age.header import Stanza
from s3duct.adapters.age.hybrid import HybridIdentity, HybridRecipient
from s3duct.adapters.age.primitives import encode_base64
from s3duct.adapters.age.ssh_ed25519 import SshEd25519Recipient
from s3duct.adapters.age.ssh_keys import is_ssh_public_key, parse_ssh_identity, parse_ssh_recipient
from s3duct.adapters.age.ssh_rsa import SshRsaIdentity
from s3duct.adapters.age.ssh_wire import SshPublicKey
from s3duct.adapters.age.x25519 import X25519Identity, X25519Recipient, exchange, is_usable_point
from s3duct.domain.errors import CiphertextDamaged, KeySpecError
from tests.support.age_keys import KINDS, key_pair, ssh_private_key

FILE_KEY = bytes(range(16))
# Points of order 1, 2, 4 and 8 on Curve25519 (RFC 7748, section 7, and its twist).
LOW_ORDER = [
    bytes(32),
    b"\1" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]
# Of a key made for this test by `ssh-keygen -t ed25519 -N …`: writing one takes more than `cryptography`.
OPENSSH_UNDER_A_PASSPHRASE = b"""\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBFg9mMF+
S+lalfqIhprnQmAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIGjCprqQFcte+iA+
uAvlxYLL0/6/gsCHVeYXPyJzi7ZTAAAAkIaffoyd6t8Vgl7/YrK3dHJR+xVJrzWF6E+ygn
3qa32a8H8HCBoueyWl4pwTM9uwRtOvAZwqvpiGAKLBzeFR2s9UcfSEdPGcuKbvoGU43dOY
ndl2Zt/OLyAUhhHNejzBpLqVna2cODoLFMmnCjmENh+cYAxiU0GNqBkPp7GDlPa9qceoRw
qP2CZW1ayy1llW+Q==
-----END OPENSSH PRIVATE KEY-----
"""

every_kind = pytest.mark.parametrize("kind", KINDS)


# --- every kind ----------------------------------------------------------------------------------------------------


@every_kind
def test_a_wrapped_file_key_comes_back(kind: str) -> None:
    identity = key_pair(kind).identity
    stanzas = [identity.recipient.wrap(FILE_KEY).stanzas[0] for _ in range(20)]
    assert {identity.unwrap(stanza) for stanza in stanzas} == {FILE_KEY}
    assert len({stanza.body for stanza in stanzas}) == 20
    assert len({(len(stanza.body), *map(len, stanza.arguments)) for stanza in stanzas}) == 1


@every_kind
@pytest.mark.parametrize("other", KINDS)
def test_no_one_else_unwraps_it(kind: str, other: str) -> None:
    stanza = key_pair(kind).identity.recipient.wrap(FILE_KEY).stanzas[0]
    assert key_pair(other, 1).identity.unwrap(stanza) is None


@every_kind
def test_another_stanza_type_is_ignored_whatever_is_in_it(kind: str) -> None:
    identity = key_pair(kind).identity
    right = identity.recipient.wrap(FILE_KEY).stanzas[0]
    for name in (right.kind + "x", right.kind.swapcase(), "scrypt", "grease"):
        assert identity.unwrap(Stanza(name, ("?",) * 5, b"")) is None


@every_kind
def test_malformed_stanzas_are_damage(kind: str) -> None:
    identity = key_pair(kind).identity
    right = identity.recipient.wrap(FILE_KEY).stanzas[0]
    last = right.arguments[-1]
    wrong = [
        (),
        (*right.arguments, "A"),
        (*right.arguments[:-1], last[:-1]),
        (*right.arguments[:-1], last + "="),
        (*right.arguments[:-1], "ä" * len(last)),
    ]
    for arguments in wrong:
        with pytest.raises(CiphertextDamaged, match="malformed"):
            identity.unwrap(replace(right, arguments=arguments))


@pytest.mark.parametrize("kind", ["x25519", "hybrid", "ssh-ed25519"])
def test_the_length_of_a_body_is_checked(kind: str) -> None:
    identity = key_pair(kind).identity
    right = identity.recipient.wrap(FILE_KEY).stanzas[0]
    for body in (b"", right.body[:-1], right.body + b"\0", right.body * 2):
        with pytest.raises(CiphertextDamaged, match="a wrapped file key has"):
            identity.unwrap(replace(right, body=body))


@pytest.mark.parametrize("kind", ["x25519", "hybrid", "ssh-ed25519"])
@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:6])
def test_shares_of_low_order_are_damage(kind: str, point: bytes) -> None:
    identity = key_pair(kind).identity
    right = identity.recipient.wrap(FILE_KEY).stanzas[0]
    share = bytes(1088) + point if kind == "hybrid" else point
    with pytest.raises(CiphertextDamaged, match="low order"):
        identity.unwrap(replace(right, arguments=(*right.arguments[:-1], encode_base64(share))))


@every_kind
@given(seed=st.integers())
def test_no_stanza_breaks_an_identity(kind: str, seed: int) -> None:
    draw, identity = random.Random(seed), key_pair(kind).identity
    right = identity.recipient.wrap(FILE_KEY).stanzas[0]
    arguments = [list(argument) for argument in right.arguments]
    for argument in arguments:
        if draw.random() < 0.5:
            argument[draw.randrange(len(argument))] = draw.choice("A/+z=!")
    body = bytearray(right.body)
    if draw.random() < 0.5:
        body[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
    stanza = Stanza(right.kind, tuple(map("".join, arguments)), bytes(body))
    with suppress(CiphertextDamaged):
        assert identity.unwrap(stanza) == (FILE_KEY if stanza == right else None)


# --- X25519 and post-quantum ---------------------------------------------------------------------------------------


def test_the_examples_of_the_specification() -> None:
    secret = bytes([0x42] * 32)
    expected = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    assert X25519Identity(secret).recipient.text == expected


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:6])
def test_recipients_of_low_order_are_refused(point: bytes) -> None:
    assert not is_usable_point(point)
    with pytest.raises(KeySpecError):
        X25519Recipient(point)
    with pytest.raises(KeySpecError):
        HybridRecipient(bytes(1184) + point)
    with pytest.raises(ValueError, match="computing shared key"):
        exchange(bytes([5] * 32), point)


@pytest.mark.parametrize("size_bytes", [0, 31, 33, 1215, 1216, 1217])
def test_keys_of_another_length_are_refused(size_bytes: int) -> None:
    for make in (X25519Recipient, X25519Identity, HybridIdentity):
        with pytest.raises(KeySpecError):
            make(bytes([9]) * size_bytes)
    if size_bytes != 1216:
        with pytest.raises(KeySpecError):
            HybridRecipient(bytes([9]) * size_bytes)


def test_a_lattice_key_out_of_range_is_refused() -> None:
    with pytest.raises(KeySpecError):
        HybridRecipient(b"\xff" * 1184 + bytes([9]) + bytes(31))


# --- SSH -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa"])
def test_a_comment_and_spaces_are_no_part_of_a_recipient(kind: str) -> None:
    text = key_pair(kind).recipient
    for written in (text, text + " me@example.org", text.replace(" ", "   ") + "  a comment "):
        assert is_ssh_public_key(written)
        assert parse_ssh_recipient(written).text == text


@pytest.mark.parametrize("encoding", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_older_forms_of_private_keys_are_read(encoding: PrivateFormat) -> None:
    private = ssh_private_key("ssh-rsa")
    content = private.private_bytes(Encoding.PEM, encoding, NoEncryption())
    assert parse_ssh_identity(content, what="the file").recipient.text == key_pair("ssh-rsa").recipient


def test_a_key_under_a_passphrase_is_refused_and_says_why() -> None:
    protection = BestAvailableEncryption(b"pass")
    forms = [("ssh-ed25519", PrivateFormat.PKCS8), ("ssh-rsa", PrivateFormat.PKCS8),
             ("ssh-rsa", PrivateFormat.TraditionalOpenSSL)]  # fmt: skip
    files = [ssh_private_key(kind).private_bytes(Encoding.PEM, form, protection) for kind, form in forms]
    for content in (OPENSSH_UNDER_A_PASSPHRASE, *files):
        with pytest.raises(KeySpecError, match="protected by a passphrase, which is not supported") as caught:
            parse_ssh_identity(content, what="the file")
        assert "ssh-keygen -p" in caught.value.hint


def test_other_kinds_of_ssh_keys_are_refused() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert is_ssh_public_key(public)
    with pytest.raises(KeySpecError, match="of another kind"):
        parse_ssh_recipient(public)
    with pytest.raises(KeySpecError, match="malformed"):
        parse_ssh_recipient("ssh-ed25519 " + key_pair("ssh-rsa").recipient.split(" ")[1])
    content = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    with pytest.raises(KeySpecError, match="of another kind"):
        parse_ssh_identity(content, what="the file")


def test_short_rsa_keys_are_refused() -> None:
    with pytest.raises(KeySpecError, match="1024 bits"):
        SshRsaIdentity(generate_private_key(65537, 1024))  # noqa: S505 -- the point of the test


@pytest.mark.parametrize("modulus", [(1 << 2048) - 2, (1 << 2047) + 2], ids=["large", "small"])
def test_rsa_keys_that_encrypt_nothing_are_refused(modulus: int) -> None:
    """The loader lets them pass."""
    fields = [b"ssh-rsa", b"\1\0\1", b"\0" + modulus.to_bytes(256, "big")]
    wire = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    with pytest.raises(KeySpecError, match="not a public key"):
        parse_ssh_recipient("ssh-rsa " + base64.b64encode(wire).decode())


def test_a_private_key_that_would_take_too_long_to_check_is_refused_by_its_size() -> None:
    end = b"\n-----END RSA PRIVATE KEY-----\n"
    for begin in (b"-----BEGIN RSA PRIVATE KEY-----\n", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"):
        with pytest.raises(KeySpecError, match="too many for an SSH private key"):
            parse_ssh_identity(begin + b"A" * 16_384 + end, what="the file")
        with pytest.raises(KeySpecError, match="that can be read"):
            parse_ssh_identity(begin + b"A" * (16_384 - len(begin + end)) + end, what="the file")


def test_a_private_key_that_is_too_short_is_refused() -> None:
    """OpenSSL has no name for what is wrong with an Ed25519 key of 30 bytes in place of 32 (found by fuzzing)."""
    pem = (
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VxBCIEIIu20pVv1MXLNaWFCkUGhuy2UO0THPRY3TTLkuQJavJr"
        b"\n-----END PRIVATE KEY-----\n"
    )
    with pytest.raises(KeySpecError, match="that can be read"):
        parse_ssh_identity(pem, what="the file")


@pytest.mark.parametrize("y", [1, 2**255 - 19, 2**255 - 18, 0, 2**255 - 20])
def test_ed25519_points_without_use_are_refused(y: int) -> None:
    key = SshPublicKey.of(Ed25519PrivateKey.generate().public_key())
    with pytest.raises(KeySpecError):
        SshEd25519Recipient(key, y.to_bytes(32, "little"))


@given(seed=st.integers(), kind=st.sampled_from(["ssh-ed25519", "ssh-rsa"]))
def test_no_damage_breaks_the_parsers_of_ssh_keys(seed: int, kind: str) -> None:
    draw, pair = random.Random(seed), key_pair(kind)
    public, private = list(pair.recipient), bytearray(pair.file)
    for _ in range(draw.randint(1, 4)):
        public[draw.randrange(len(public))] = draw.choice(["A", "/", " ", "=", "\0", "ä", ""])
        private[draw.randrange(40, len(private) - 40)] = draw.choice(b"AB/+=\n z")
    with suppress(KeySpecError):
        parse_ssh_recipient("".join(public))
    with suppress(KeySpecError):
        parse_ssh_identity(bytes(private), what="the file")
