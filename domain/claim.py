"""The claim on a name: which run, and which process of it, puts the stream of that name right now (ADR 0017).

It is one small object beside the bucket's journal, never sealed: it holds random identifiers only, and a host that has
nothing but age recipients must be able to read what it wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from s3duct.domain.errors import IntegrityError, UnsupportedFormat
from s3duct.domain.journal_codec import checked_line, parse_checked_line
from s3duct.domain.json_fields import Fields

CLAIM_VERSION = 1
MAX_CLAIM_BYTES = 4096
SEGMENT_RECORDS = 64
# How often a run that writes looks whether the claim is still its own.
LOOK_EVERY_S = 10.0
# A run that lives writes something at least so often, and one that has not for so long is dead, or as good as dead.
REFRESH_EVERY_S = 180.0
STALE_AFTER_S = 900.0

_MARK = "s3duct_claim"
_RUN_ID = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class Claim:
    """`run_id` as in the journal's header; `owner` is random for each process. Both are empty where they cannot be read."""

    run_id: str = ""
    owner: str = ""


def encode_claim(claim: Claim) -> bytes:
    """Write a claim as the object to store."""
    return checked_line({_MARK: CLAIM_VERSION, "run_id": claim.run_id, "owner": claim.owner})


def decode_claim(data: bytes) -> Claim:
    """Read a claim; one that is damaged is nobody's.

    Raises:
        UnsupportedFormat: a newer version wrote it.
    """
    try:
        fields = Fields(parse_checked_line(data))
        version = fields.integer(_MARK, low=1, high=1 << 31)
        claim = Claim(fields.text("run_id"), fields.text("owner"))
    except IntegrityError:
        return Claim()
    if version > CLAIM_VERSION:
        raise UnsupportedFormat(
            f"the claim of an unfinished put has version {version}",
            hint="upgrade s3duct to put this stream",
        )
    return claim if _RUN_ID.fullmatch(claim.run_id) else Claim()


def describe_age(age_s: float | None) -> str:
    """Say how long ago something was, for people."""
    if age_s is None:
        return "at an unknown time"
    for unit, seconds in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if age_s >= 2 * seconds:
            return f"{age_s / seconds:.0f} {unit} ago"
    return f"{age_s:.0f} seconds ago"
