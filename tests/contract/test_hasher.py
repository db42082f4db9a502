"""What `ports.hasher` promises, against the domain's own reference."""

from __future__ import annotations

import mmap
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.adapters.hashing import HashlibHasher
from s3duct.domain.digest import dual_digest

if TYPE_CHECKING:
    from s3duct.domain.ports.hasher import Hasher

HASHERS: dict[str, Hasher] = {"hashlib": HashlibHasher()}
every_hasher = pytest.mark.parametrize("hasher", HASHERS.values(), ids=HASHERS)


@every_hasher
@given(pieces=st.lists(st.binary(max_size=200), max_size=20))
def test_any_pieces_hash_like_the_whole(hasher: Hasher, pieces: list[bytes]) -> None:
    sha256, sha3_256 = hasher.sha256(), hasher.sha3_256()
    for piece in pieces:
        sha256.update(memoryview(piece))
        sha3_256.update(memoryview(piece))
    expected = dual_digest(b"".join(pieces))
    assert (sha256.digest(), sha3_256.digest()) == (expected.sha256, expected.sha3_256)


@every_hasher
def test_known_digests(hasher: Hasher) -> None:
    # FIPS 180-4 and FIPS 202, the examples "abc" and the empty message.
    sha256, sha3_256 = hasher.sha256(), hasher.sha3_256()
    assert sha256.digest().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha3_256.digest().hex() == "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"
    sha256.update(memoryview(b"abc"))
    sha3_256.update(memoryview(b"abc"))
    assert sha256.digest().hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha3_256.digest().hex() == "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"


@every_hasher
def test_a_digest_in_between_does_not_end_it(hasher: Hasher) -> None:
    for lane, name in ((hasher.sha256(), "sha256"), (hasher.sha3_256(), "sha3_256")):
        lane.update(memoryview(b"first"))
        assert lane.digest() == lane.digest() == getattr(dual_digest(b"first"), name)
        lane.update(memoryview(b"second"))
        assert lane.digest() == getattr(dual_digest(b"firstsecond"), name)


@every_hasher
def test_it_hashes_mapped_memory_and_lets_go_of_it(hasher: Hasher) -> None:
    with mmap.mmap(-1, 100_000) as mapping:
        mapping[:] = bytes(range(250)) * 400
        lane = hasher.sha3_256()
        with memoryview(mapping) as view, view[10:99_000] as part:
            lane.update(part)
        expected = dual_digest(mapping[10:99_000]).sha3_256
    assert lane.digest() == expected


@every_hasher
def test_lanes_may_move_between_threads(hasher: Hasher) -> None:
    data = bytes(1 << 20)
    lanes = [hasher.sha256(), hasher.sha3_256(), hasher.sha256()]
    for _ in range(3):
        threads = [threading.Thread(target=lane.update, args=(memoryview(data),)) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    expected = dual_digest(data * 3)
    assert [lane.digest() for lane in lanes] == [expected.sha256, expected.sha3_256, expected.sha256]
