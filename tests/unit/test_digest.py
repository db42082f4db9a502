from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.digest import DIGEST_BYTES, DualDigest, dual_digest

# NIST, "Examples with Intermediate Values": one block and the empty message.
KNOWN = {
    b"abc": (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
    ),
    b"": (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a",
    ),
}


@pytest.mark.parametrize("data", KNOWN)
def test_both_digests_are_those_of_the_standards(data: bytes) -> None:
    digest = dual_digest(data)
    assert (digest.sha256.hex(), digest.sha3_256.hex()) == KNOWN[data]
    assert digest.combined.hex() == "".join(KNOWN[data])


@given(st.binary())
def test_every_kind_of_buffer_gives_the_same_digest(data: bytes) -> None:
    assert dual_digest(data) == dual_digest(bytearray(data)) == dual_digest(memoryview(b"x" + data)[1:])


@given(st.binary(), st.binary())
def test_digests_are_equal_exactly_if_the_data_is(first: bytes, second: bytes) -> None:
    assert (dual_digest(first) == dual_digest(second)) == (first == second)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_a_digest_of_another_length_cannot_be(sha256: bytes, sha3_256: bytes) -> None:
    if len(sha256) == len(sha3_256) == DIGEST_BYTES:
        return
    with pytest.raises(ValueError, match="32 bytes"):
        DualDigest(sha256=sha256, sha3_256=sha3_256)


def test_either_half_counts() -> None:
    one, other = dual_digest(b"one"), dual_digest(b"other")
    assert dataclasses.replace(one, sha256=other.sha256) != one
    assert dataclasses.replace(one, sha3_256=other.sha3_256) != one
