"""The C2SP CCTV test vectors of age: what must open opens, and each failure is of the class that the vector names.

Unchanged from the npm package `cctv-age` 0.2.0 (https://github.com/C2SP/CCTV, licence 0BSD, CC0-1.0 or Unlicense).
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from s3duct.adapters.age.armor import remove_armor
from s3duct.adapters.age.header import HeaderScan, parse_header, write_header
from s3duct.adapters.age.identities import parse_identity
from s3duct.adapters.age.opener import AgeOpener
from s3duct.adapters.age.payload import NONCE_BYTES, PIECE_BYTES, PayloadSealer, payload_size_bytes
from s3duct.adapters.age.scrypt import Passphrase
from s3duct.domain.errors import CiphertextDamaged, DecryptionFailed, WrongKey

VECTORS = sorted((Path(__file__).resolve().parents[1] / "vectors" / "cctv-age").iterdir())
KNOWN = {"expect", "payload", "file key", "identity", "passphrase", "armored", "compressed", "comment"}
# How the message of a failure begins, for each class of failure that the vectors name.
BEGINNINGS = {
    "no match": (WrongKey, "no age identity matches"),
    "HMAC failure": (CiphertextDamaged, "the age header was altered"),
    "header failure": (
        CiphertextDamaged,
        "the age header is malformed",
        "the age header is cut short",
        "this is not an age v1",
    ),
    "payload failure": (CiphertextDamaged, "the age payload is"),
    "armor failure": (CiphertextDamaged, "the age armor is malformed"),
}
# Here age hands out a full piece and finds only then that it ought to have been the last, or that something follows it.
# `AgeOpener` hands out a piece once it is authentic in that respect too, so less than age does.
HELD_BACK = {
    "armor_garbage_encoded",
    "stream_no_final_full",
    "stream_no_final_two_chunks_full",
    "stream_trailing_garbage_long",
    "stream_trailing_garbage_short",
    "stream_two_final_chunks",
    "stream_two_final_chunks_full",
    "stream_two_final_chunks_second",
}


@dataclass
class Vector:
    fields: dict[str, str]
    content: bytes
    identities: list[str] = field(default_factory=list)
    passphrases: list[str] = field(default_factory=list)

    @property
    def expect(self) -> str:
        return self.fields["expect"]

    def opener(self) -> AgeOpener:
        return AgeOpener(
            [
                *(parse_identity(text) for text in self.identities),
                *(Passphrase(text) for text in self.passphrases),
            ]
        )

    def binary(self) -> bytes:
        return remove_armor(self.content) if "armored" in self.fields else self.content


def read(path: Path) -> Vector:
    head, _, content = path.read_bytes().partition(b"\n\n")
    pairs = [(name, value) for name, _, value in (line.partition(": ") for line in head.decode().split("\n"))]
    fields = dict(pairs)
    assert set(fields) <= KNOWN
    if fields.get("compressed") == "zlib":
        content = zlib.decompress(content)
    return Vector(
        fields,
        content,
        [value for name, value in pairs if name == "identity"],
        [value for name, value in pairs if name == "passphrase"],
    )


def unseal(vector: Vector, step: int) -> tuple[bytes, DecryptionFailed | None]:
    """What has been opened when the end or the first failure is met, feeding `step` bytes at a time."""
    sealed = vector.binary()
    opener, buffer, stop = vector.opener(), memoryview(bytearray(len(sealed))), 0
    try:
        for before, filled in pairwise([*range(0, len(sealed), step), len(sealed)]):
            buffer[before:filled] = sealed[before:filled]
            stop = opener.advance(buffer, filled)
        stop = opener.finish(buffer, len(sealed))
    except DecryptionFailed as error:
        return bytes(buffer[:stop]), error
    return bytes(buffer[opener.start : stop]), None


def test_the_vectors_are_there() -> None:
    assert len(VECTORS) == 143
    assert len({read(path).expect for path in VECTORS}) == 6


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_vector(path: Path) -> None:
    vector = read(path)
    for step in (len(vector.content) + 1, 65_552, 997):
        try:
            plain, error = unseal(vector, step)
        except CiphertextDamaged as refused:  # the armor, which is taken off before
            plain, error = b"", refused
        if vector.expect == "success":
            assert error is None
            assert hashlib.sha256(plain).hexdigest() == vector.fields["payload"]
        else:
            kind, *beginnings = BEGINNINGS[vector.expect]
            assert type(error) is kind
            assert error.message.startswith(tuple(map(str, beginnings)))
        if vector.expect == "payload failure" and step == 997:
            as_age = hashlib.sha256(plain).hexdigest() == vector.fields["payload"]
            assert as_age is (path.name not in HELD_BACK)
            assert len(plain) % PIECE_BYTES == 0


@pytest.mark.parametrize(
    "path", [path for path in VECTORS if read(path).expect == "success"], ids=lambda path: path.name
)
def test_what_opens_is_written_again_byte_for_byte(path: Path) -> None:
    vector = read(path)
    sealed, file_key = vector.binary(), bytes.fromhex(vector.fields["file key"])
    end = HeaderScan().end(memoryview(sealed), len(sealed))
    assert end is not None
    assert write_header(parse_header(sealed[:end]).stanzas, file_key) == sealed[:end]
    plain, _ = unseal(vector, 65_536)
    nonce = sealed[end : end + NONCE_BYTES]
    sealer = PayloadSealer(file_key, nonce)
    again = bytes(sealer.update(memoryview(plain), head=nonce)) + sealer.finish()
    assert again == sealed[end:]
    assert len(again) == payload_size_bytes(len(plain))
