from __future__ import annotations

import dataclasses
import hashlib
import hmac

from hypothesis import assume, given
from hypothesis import strategies as st

from s3duct.domain.chain import GENESIS_KEY, ChainLink, chain_over
from s3duct.domain.digest import DualDigest, dual_digest
from tests.unit.strategies import digests

streams = st.lists(digests, max_size=6)


def reference(stream: list[DualDigest]) -> bytes:
    """The format's formula, written down once more with another function."""
    key = b"s3duct-genesis"
    for digest in stream:
        key = hmac.new(key, digest.sha256 + digest.sha3_256, hashlib.sha256).digest()
    return key if stream else b""


def test_the_chain_of_a_real_stream_of_040_is_met() -> None:
    assert chain_over([dual_digest(b"hello\n")]).hex() == (
        "2f5a003caed91f06bcfc01b547b7262247dfef60bf6ef39680563e7d1054a16b"
    )


def test_the_genesis_key_is_that_of_the_format() -> None:
    assert GENESIS_KEY == b"s3duct-genesis"


def test_no_chunks_have_an_empty_link() -> None:
    assert chain_over([]) == ChainLink()
    assert chain_over([]).hex() == ""


@given(streams)
def test_the_chain_is_the_formula(stream: list[DualDigest]) -> None:
    assert chain_over(stream).value == reference(stream)


@given(streams, streams)
def test_a_chain_can_be_continued_from_any_link(first: list[DualDigest], rest: list[DualDigest]) -> None:
    link = chain_over(first)
    for digest in rest:
        link = link.extend(digest)
    assert link == chain_over(first + rest)
    assert len(link.value) == (32 if first or rest else 0)


@given(streams, streams)
def test_different_streams_end_differently(first: list[DualDigest], second: list[DualDigest]) -> None:
    assert (chain_over(first) == chain_over(second)) == (first == second)


@given(st.lists(digests, min_size=1, max_size=6), st.data())
def test_a_flip_a_swap_a_drop_a_duplicate_and_a_truncation_move_the_end(
    stream: list[DualDigest], data: st.DataObject
) -> None:
    end = chain_over(stream)
    at = data.draw(st.integers(0, len(stream) - 1))
    other = data.draw(st.integers(0, len(stream) - 1))
    bit = data.draw(st.integers(0, 255))

    def flipped(raw: bytes) -> bytes:
        return (int.from_bytes(raw, "big") ^ (1 << bit)).to_bytes(32, "big")

    one = stream[at]
    for changed in (
        dataclasses.replace(one, sha256=flipped(one.sha256)),
        dataclasses.replace(one, sha3_256=flipped(one.sha3_256)),
    ):
        assert chain_over([*stream[:at], changed, *stream[at + 1 :]]) != end
    assert chain_over(stream[:at] + stream[at + 1 :]) != end
    assert chain_over([*stream[:at], one, *stream[at:]]) != end
    assert chain_over(stream[:at]) != end
    assume(stream[at] != stream[other])
    swapped = list(stream)
    swapped[at], swapped[other] = stream[other], stream[at]
    assert chain_over(swapped) != end
