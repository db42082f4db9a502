"""The claim on a name: what is written is read again, and what is not a claim is nobody's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.claim import Claim, decode_claim, describe_age, encode_claim
from s3duct.domain.errors import UnsupportedFormat
from s3duct.domain.journal_codec import checked_line
from s3duct.domain.names import StreamLocation, lies_in_resume_folder

CLAIM = Claim("0123456789abcdef", "fedcba98")
HEX = st.text("0123456789abcdef", min_size=8, max_size=64)


@given(run_id=HEX, owner=HEX)
def test_a_claim_is_read_as_it_was_written(run_id: str, owner: str) -> None:
    claim = Claim(run_id, owner)
    assert decode_claim(encode_claim(claim)) == claim


@given(at=st.integers(0, len(encode_claim(CLAIM)) - 2), bit=st.integers(0, 7))
def test_a_damaged_claim_is_nobodys(at: int, bit: int) -> None:
    damaged = bytearray(encode_claim(CLAIM))
    damaged[at] ^= 1 << bit
    assert decode_claim(bytes(damaged)) == Claim()


@pytest.mark.parametrize("text", [b"", b"\n", b"{}", b"[]", b"\xff", encode_claim(CLAIM)[:-9]])
def test_what_is_no_claim_is_nobodys(text: bytes) -> None:
    assert decode_claim(text) == Claim()


@pytest.mark.parametrize("run_id", ["", "xyz", "../../other", "0123", "0" * 65])
def test_a_run_id_that_could_lead_elsewhere_is_nobodys(run_id: str) -> None:
    """It becomes part of keys."""
    assert decode_claim(checked_line({"s3duct_claim": 1, "run_id": run_id, "owner": "a"})) == Claim()


def test_a_newer_claim_is_not_guessed_at() -> None:
    with pytest.raises(UnsupportedFormat):
        decode_claim(checked_line({"s3duct_claim": 2, "run_id": "0" * 8, "owner": "a"}))


@pytest.mark.parametrize(
    ("age_s", "text"),
    [
        (None, "at an unknown time"),
        (0, "0 seconds ago"),
        (119, "119 seconds ago"),
        (120, "2 minutes ago"),
        (7199, "120 minutes ago"),
        (7200, "2 hours ago"),
        (86400 * 3, "3 days ago"),
    ],
)
def test_ages_are_told_in_words(age_s: float | None, text: str) -> None:
    assert describe_age(age_s) == text


def test_keys_of_journals_are_told_from_all_others() -> None:
    location = StreamLocation.parse(prefix="p", name="a/b")
    run_id = "0123456789abcdef"
    own = [location.claim_key, location.segment_key(run_id, 0), location.segment_key(run_id, 1_234_567)]
    assert own[1] == f"p/a/b/.resume/{run_id}/000000.jsonl"
    assert all(location.is_resume_key(key) for key in [*own, location.probe_key(run_id)])
    assert location.segment_of(own[2]) == (run_id, 1_234_567)
    others = [
        "p/a/b/.manifest.json",
        "p/a/b/chunk-000000",
        "p/a/b/.resume/x",
        "p/a/b/.resume/claim.json/x",
        f"p/a/b/.resume/{run_id}/000000.jsonl/chunk-000000",
        f"p/a/b/.resume/{run_id}/.manifest.json",
        f"p/a/.resume/{run_id}/000000.jsonl",
        f".resume/{run_id}/000000.jsonl",
    ]
    assert not any(location.is_resume_key(key) for key in others)
    assert not any(location.segment_of(key) for key in [*others, location.claim_key])


@pytest.mark.parametrize(
    ("name", "lies"),
    [("a", False), (".resume", True), ("a/.resume", True), ("a/.resume/b", True), ("a.resume", False)],
)
def test_names_that_lie_among_journals(name: str, lies: bool) -> None:
    assert lies_in_resume_folder(name) is lies
