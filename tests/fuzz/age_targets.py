"""Targets in the age adapter: headers, stanzas, whole files, Bech32, armor."""

from __future__ import annotations

import random
import re
import zlib
from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from s3duct.adapters.age import bech32
from s3duct.adapters.age.armor import is_armored, remove_armor
from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.header import HeaderScan, Stanza, parse_header, write_header
from s3duct.adapters.age.hybrid import HybridIdentity
from s3duct.adapters.age.opener import AgeOpener
from s3duct.adapters.age.payload import PayloadSealer
from s3duct.adapters.age.primitives import encode_base64, wrap_key
from s3duct.adapters.age.scrypt import Passphrase
from s3duct.adapters.age.ssh_ed25519 import SshEd25519Identity
from s3duct.adapters.age.x25519 import X25519Identity
from s3duct.domain.errors import CiphertextDamaged, KeySpecError, WrongKey
from tests.fuzz.armoring import armored
from tests.fuzz.model import Shape, Target, must_hold, text_of
from tests.support.age_keys import seal
from tests.unit.saying import assert_well_said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from s3duct.adapters.age.header import Header
    from s3duct.adapters.age.keys import Identity, Unwrapper

PASSPHRASE = "pass"
LABEL = "AGE ENCRYPTED FILE"
_FILE_KEY = bytes(range(16))
_VERSION = b"age-encryption.org/v1\n"
_MAC_BYTES = len("--- \n") + 43
_TOKENS = (
    b"-> ", b"--- ", b"--- " + b"A" * 43 + b"\n", b"\n---", b"-> X25519 ", b"-> scrypt ", b"-> ssh-ed25519 ",
    b"-> mlkem768x25519 ", b"A" * 43, b"A" * 64, b"\r\n", b"=", _VERSION,
)  # fmt: skip
_VISIBLE = frozenset(map(chr, range(33, 127)))
_COSTLY = re.compile(rb"-> scrypt [^ \n]+ [1-9][0-9]")


def is_costly(data: bytes) -> bool:
    """Whether opening this takes the seconds and gigabytes that a large work factor asks for, and may ask for."""
    if is_armored(data):
        try:
            data = remove_armor(data)
        except CiphertextDamaged:
            return False
    return bool(_COSTLY.search(data))


@cache
def _identities() -> tuple[Identity, ...]:
    """The same ones in every process: an input that was found stays of use."""
    return (
        X25519Identity(bytes(range(32))),
        SshEd25519Identity(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))),
        HybridIdentity(bytes(range(2, 34))),
    )


def protected(content: bytes, *, salt: bytes = bytes(16)) -> bytes:
    """An age file under the passphrase, at a work factor that costs nothing."""
    stretched = Scrypt(salt=b"age-encryption.org/v1/scrypt" + salt, length=32, n=4, r=8, p=1)
    body = wrap_key(_FILE_KEY, stretched.derive(PASSPHRASE.encode()))
    header = write_header([Stanza("scrypt", (encode_base64(salt), "2"), body)], _FILE_KEY)
    sealer = PayloadSealer(_FILE_KEY, bytes(16))
    return bytes(sealer.update(memoryview(content), head=header + bytes(16))) + sealer.finish()


# --- headers ---------------------------------------------------------------------------------------------------------


def _header(data: bytes) -> None:
    header = parse_header(data)
    with must_hold():
        assert header.stanzas
        for stanza in header.stanzas:
            assert all(set(word) <= _VISIBLE and word for word in (stanza.kind, *stanza.arguments))
        assert data.startswith(header.covered + b" ")
        written = write_header(header.stanzas, _FILE_KEY)
        assert written[:-_MAC_BYTES] + data[-_MAC_BYTES:] == data
        assert parse_header(written).stanzas == header.stanzas


def _headers() -> Sequence[bytes]:
    odd = [Stanza("!", ("~", "a" * 70), bytes(48)), Stanza("grease", (), b""), Stanza("b", ("c",), bytes(47))]
    wrapped = [stanza for identity in _identities() for stanza in identity.recipient.wrap(_FILE_KEY).stanzas]
    secret = Stanza("scrypt", (encode_base64(bytes(16)), "2"), bytes(32))
    return [write_header(stanzas, _FILE_KEY) for stanzas in (odd, wrapped[:1], wrapped, [secret])]


def _arriving(data: bytes) -> None:
    """However the bytes arrive, the outcome is the same."""
    if len(data) > 2 and data.startswith(_VERSION):
        draw = random.Random(zlib.crc32(data))
        steps = sorted(draw.randrange(len(data)) for _ in range(draw.randrange(8)))
    else:
        steps = list(range(len(data)))
    outcomes = [_header_at_end(data, arrivals) for arrivals in ([len(data)], [*steps, len(data)])]
    assert outcomes[0] == outcomes[1]
    if outcomes[0] is None:
        raise CiphertextDamaged("there is no header in it")


def _header_at_end(data: bytes, arrivals: list[int]) -> Header | None:
    scan, buffer = HeaderScan(), memoryview(data)
    try:
        for filled in arrivals:
            end = scan.end(buffer, filled)
            if end is not None:
                assert 0 < end <= filled
                return parse_header(data[:end])
    except CiphertextDamaged as refusal:
        assert_well_said(refusal)
    return None


def _stanzas(data: bytes) -> None:
    header = parse_header(_VERSION + data + b"--- " + b"A" * 43 + b"\n")
    everyone: list[Unwrapper] = [*_identities(), Passphrase(PASSPHRASE)]
    for stanza in header.stanzas:
        for identity in everyone[:-1] if is_costly(data) else everyone:
            file_key = identity.unwrap(stanza)
            assert file_key is None or len(file_key) == 16


# --- whole files -----------------------------------------------------------------------------------------------------


def _file(data: bytes) -> None:
    """However the bytes arrive, the outcome is the same; pieces may show another damage first."""
    draw = random.Random(zlib.crc32(data))
    steps = sorted(draw.randrange(len(data) + 1) for _ in range(draw.randrange(6)))
    plain = _plain_of(data, [])
    assert plain == _plain_of(data, steps)
    if plain is None:
        raise CiphertextDamaged("it does not open")
    # Nobody forges a MAC, so nothing but what was sealed opens.
    assert data in _files()


def _plain_of(data: bytes, arrivals: list[int]) -> bytes | None:
    opener, content = AgeOpener(_identities()), bytearray(len(data))
    stop, taken = 0, 0
    with memoryview(content) as buffer:
        try:
            for filled in arrivals:
                buffer[taken:filled], taken = data[taken:filled], filled
                before, stop = stop, opener.advance(buffer, filled)
                assert before <= stop <= filled
            buffer[taken:] = data[taken:]
            stop = opener.finish(buffer, len(data))
        except (CiphertextDamaged, WrongKey) as refusal:
            assert_well_said(refusal)
            return None
        return bytes(buffer[opener.start : stop])


@cache
def _files() -> Sequence[bytes]:
    ciphers = [AgeCipher.of_identities([identity]) for identity in _identities()]
    return [
        *(seal(cipher, b"plain") for cipher in ciphers),
        seal(ciphers[0], b""),
        seal(ciphers[0], bytes(70_000)),
    ]


# --- text ------------------------------------------------------------------------------------------------------------


def _bech32(data: bytes) -> None:
    text = text_of(data)
    prefix, content = bech32.decode(text)
    assert bech32.encode(prefix.lower(), content) == text.lower()
    assert text in (text.lower(), text.upper())


def _armor(data: bytes) -> None:
    content = remove_armor(data)
    assert is_armored(data)
    assert b"".join(armored(content, LABEL).split()) == b"".join(data.split())


DAMAGED = (CiphertextDamaged,)
AGE_TARGETS = [
    Target("age-header", _header, DAMAGED, _headers, Shape.LINES, _TOKENS),
    Target("age-arriving", _arriving, DAMAGED, lambda: [*_headers(), *(seed + bytes(20) for seed in _headers())],
           Shape.LINES, _TOKENS),
    Target("age-stanzas", _stanzas, DAMAGED,
           lambda: [seed[len(_VERSION) : -_MAC_BYTES] for seed in _headers()], Shape.LINES, _TOKENS),
    Target("age-file", _file, DAMAGED, _files, Shape.LINES, _TOKENS),
    Target("bech32", _bech32, (KeySpecError,),
           lambda: [bech32.encode("age", bytes(32)).encode(), bech32.encode("a1", b"").upper().encode()],
           tokens=(b"1", b"age1", "\u212a".encode(), b"\xed\xa0\x80")),
    Target("age-armor", _armor, DAMAGED, lambda: [armored(bytes(size), LABEL) for size in (1, 48, 100)], Shape.LINES,
           (b"=", b"==", b"\r\n", b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"-----END AGE ENCRYPTED FILE-----\n")),
]  # fmt: skip
