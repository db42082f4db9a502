"""What `ports.hasher` promises, against the domain's own reference."""

from __future__ import annotations

import contextlib
import mmap
import random
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.digest import dual_digest
from tests.contract.hashers import HASHERS, native

if TYPE_CHECKING:
    from s3duct.domain.ports.hasher import Hasher, HashLane

every_hasher = pytest.mark.parametrize("hasher", HASHERS, indirect=True)
EDGES = (0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 135, 136, 137, 271, 272, 273)


@pytest.fixture(scope="module")
def hasher(request: pytest.FixtureRequest) -> Iterator[Hasher]:
    yield HASHERS[request.param]()
    if str(request.param).startswith("native"):
        HASHERS["native"]()  # chooses for the whole process


def lanes_of(hasher: Hasher, algorithm: str, count: int) -> list[HashLane]:
    return [getattr(hasher, algorithm)() for _ in range(count)]


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


@every_hasher
@pytest.mark.parametrize("algorithm", ["sha256", "sha3_256"])
def test_lanes_that_go_together_hash_like_each_alone(hasher: Hasher, algorithm: str) -> None:
    """Any number of lanes, any lengths, any splits; sizes around the edges of blocks and padding."""
    rng = random.Random(algorithm)
    for _ in range(150):
        count = rng.randrange(10)
        lanes = lanes_of(hasher, algorithm, count)
        whole = [b""] * count
        for _ in range(rng.randrange(4)):
            sizes = [rng.choice((*EDGES, rng.randrange(2000))) for _ in range(count)]
            pieces = [rng.randbytes(size) for size in sizes]
            hasher.update_together(lanes, [memoryview(piece) for piece in pieces])
            whole = [before + piece for before, piece in zip(whole, pieces, strict=True)]
        digests = [lane.digest() for lane in lanes]
        assert digests == [getattr(dual_digest(message), algorithm) for message in whole]


@every_hasher
def test_lanes_of_both_algorithms_may_go_together(hasher: Hasher) -> None:
    lanes = [hasher.sha256(), hasher.sha3_256(), hasher.sha256(), hasher.sha3_256()]
    pieces = [bytes([number]) * 5000 for number in range(4)]
    hasher.update_together(lanes, [memoryview(piece) for piece in pieces])
    digests = [dual_digest(piece) for piece in pieces]
    expected = [digests[0].sha256, digests[1].sha3_256, digests[2].sha256, digests[3].sha3_256]
    assert [lane.digest() for lane in lanes] == expected


@every_hasher
def test_more_lanes_than_pieces_are_refused(hasher: Hasher) -> None:
    with pytest.raises(ValueError, match=r"pieces|argument"):
        hasher.update_together([hasher.sha256(), hasher.sha256()], [memoryview(b"one")])


@every_hasher
def test_it_says_what_hashes_and_how_much_at_once(hasher: Hasher) -> None:
    assert "SHA-256: " in hasher.description
    assert "SHA3-256: " in hasher.description
    assert hasher.description.isprintable()
    assert hasher.sha256_at_once >= 1
    assert hasher.sha3_256_at_once >= 1


def test_the_extension_refuses_a_lane_twice_in_a_call_and_takes_nothing_in() -> None:
    native()
    from s3duct.adapters.native.hasher import NativeHasher

    hasher = NativeHasher()
    first, twice = hasher.sha3_256(), hasher.sha3_256()
    with pytest.raises(RuntimeError, match="in use"):
        hasher.update_together([first, twice, twice], [memoryview(b"piece")] * 3)
    assert first.digest() == twice.digest() == dual_digest(b"").sha3_256
    hasher.update_together([first, twice], [memoryview(b"piece")] * 2)
    assert first.digest() == twice.digest() == dual_digest(b"piece").sha3_256


def test_the_extension_refuses_what_it_cannot_hash_and_takes_nothing_in() -> None:
    hasher = native()
    lanes = [hasher.sha3_256(), hasher.sha3_256()]
    gaps = memoryview(bytes(10))[::2]
    with pytest.raises(BufferError):
        hasher.update_together(lanes, [memoryview(b"piece"), gaps])
    assert [lane.digest() for lane in lanes] == [dual_digest(b"").sha3_256] * 2


def test_threads_that_share_a_lane_of_the_extension_never_corrupt_it() -> None:
    """What is refused is not taken in, what is taken in is taken in whole."""
    hasher = native()
    lane, piece, taken = hasher.sha3_256(), memoryview(bytes(1 << 20)), []

    def hash_on() -> None:
        for _ in range(5):
            with contextlib.suppress(RuntimeError):
                hasher.update_together([lane], [piece])
                taken.append(1)

    threads = [threading.Thread(target=hash_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken
    assert lane.digest() == dual_digest(bytes(len(taken) << 20)).sha3_256
