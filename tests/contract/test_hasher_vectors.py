"""Every hasher against the test vectors of the Cryptographic Algorithm Validation Program (tests/vectors/nist)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.hashers import HASHERS

if TYPE_CHECKING:
    from s3duct.domain.ports.hasher import Hasher

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "nist"
every_hasher = pytest.mark.parametrize("name", HASHERS)


def fields(file: str) -> Iterator[tuple[str, str]]:
    for line in (VECTORS / file).read_text(encoding="ascii").splitlines():
        name, equals, value = line.partition(" = ")
        if equals and not line.startswith("["):
            yield name, value


def messages(file: str) -> list[tuple[bytes, bytes]]:
    """Return the messages of a file, each with its digest. The empty one is written as a byte."""
    values = [value for _, value in fields(file)]
    triples = zip(values[::3], values[1::3], values[2::3], strict=True)
    return [(bytes.fromhex(text)[: int(bits) // 8], bytes.fromhex(digest)) for bits, text, digest in triples]


def hash_together(hasher: Hasher, algorithm: str, whole: list[bytes], *, at_once: int) -> list[bytes]:
    digests = []
    for start in range(0, len(whole), at_once):
        group = whole[start : start + at_once]
        lanes = [getattr(hasher, algorithm)() for _ in group]
        hasher.update_together(lanes, [memoryview(message) for message in group])
        digests += [lane.digest() for lane in lanes]
    return digests


@every_hasher
@pytest.mark.parametrize(
    ("algorithm", "file", "count"),
    [
        ("sha256", "SHA256ShortMsg.rsp", 65),
        ("sha3_256", "SHA3_256ShortMsg.rsp", 137),
        ("sha3_256", "SHA3_256LongMsg.rsp", 11),
    ],
)
def test_every_message_has_its_published_digest(name: str, algorithm: str, file: str, count: int) -> None:
    hasher = HASHERS[name]()
    known = messages(file)
    assert len(known) == count
    whole, digests = [message for message, _ in known], [digest for _, digest in known]
    for at_once in (1, 2, 3, 4, 7):
        assert hash_together(hasher, algorithm, whole, at_once=at_once) == digests


@every_hasher
def test_digests_of_digests_end_where_they_were_published(name: str) -> None:
    """The Monte Carlo test: 100 times 1,000 digests, each of the one before. The first ten hundredths of it."""
    hasher = HASHERS[name]()
    known = [bytes.fromhex(value) for name, value in fields("SHA3_256Monte.rsp") if name != "COUNT"]
    assert len(known) == 101
    digest = known[0]
    for expected in known[1:11]:
        for _ in range(1000):
            lane = hasher.sha3_256()
            lane.update(memoryview(digest))
            digest = lane.digest()
        assert digest == expected
