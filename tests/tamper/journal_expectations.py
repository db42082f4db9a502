"""What must come of the same put after an attack on its journal, by attack and mode.

A refusal changes nothing; what ends well is whole. There is no third way.
"""

from __future__ import annotations

from s3duct.domain.errors import (
    InputDiverged,
    InputTooShort,
    JournalDamaged,
    JournalMismatch,
    JournalTooNew,
)
from tests.tamper.modes import Mode
from tests.tamper.outcomes import Ends, Inapplicable, Refused

DAMAGED = Refused((JournalDamaged,), hint="--no-resume")
MISMATCH = Refused((JournalMismatch,), hint="--no-resume")
DIVERGED = Refused((InputDiverged,), hint="--no-resume")
ALL, TWO, NONE = Ends(3), Ends(2), Ends(0)
NOT_SEALED = Inapplicable("records of plain chunks say nothing of seals")
NO_KEY = Inapplicable("a plain stream is put without a key already")

TABLE: dict[str, Ends | Refused] = {
    "flip:s3duct_journal-of-the-header": DAMAGED,
    "flip:run_id-of-the-header": ALL,
    "flip:generation-of-the-header": DAMAGED,
    "flip:created-of-the-header": ALL,
    "flip:over-of-the-header": NONE,
    "flip:destination-of-the-header": MISMATCH,
    "flip:prefix-of-the-header": MISMATCH,
    "flip:name-of-the-header": DAMAGED,
    "flip:chunk_size-of-the-header": MISMATCH,
    "flip:encryption_method-of-the-header": MISMATCH,
    "flip:key_id-of-the-header": MISMATCH,
    "flip:encrypted_manifest-of-the-header": MISMATCH,
    "flip:storage_class-of-the-header": MISMATCH,
    "flip:index-of-a-record": DAMAGED,
    "flip:s3_key-of-a-record": DAMAGED,
    "flip:size-of-a-record": Refused((InputTooShort,)),
    "flip:sha256-of-a-record": DAMAGED,
    "flip:sha3_256-of-a-record": DAMAGED,
    "flip:etag-of-a-record": DAMAGED,
    "flip:encrypted_size-of-a-record": TWO,
    "flip:encrypted_sha256-of-a-record": DAMAGED,
    "flip:chain-of-a-record": DAMAGED,
    "flip:ts-of-a-record": ALL,
    "flip:generation-that-is-none": DAMAGED,
    "flip:run-id-that-is-none": DAMAGED,
    "flip:first-byte": DAMAGED,
    "flip:a-line-break": DAMAGED,
    "truncate:within-the-last-line": TWO,
    "truncate:before-the-last-line-break": TWO,
    "truncate:within-the-header": NONE,
    "truncate:within-a-line-between": DAMAGED,
    "extend:by-a-torn-line": ALL,
    "extend:by-a-line-of-garbage": DAMAGED,
    "extend:by-an-empty-line": DAMAGED,
    "extend:by-an-unknown-field": ALL,
    "extend:by-a-record-of-a-chunk-that-is-not-there": ALL,
    "extend:by-a-record-that-names-another-chunk": DAMAGED,
    "extend:by-a-record-that-names-a-chunk-of-the-older-stream": DAMAGED,
    "swap:order-of-records": ALL,
    "swap:keys-of-records": DAMAGED,
    "swap:tags-of-records": DAMAGED,
    "swap:sealed-digests-of-records": DAMAGED,
    "swap:digests-of-records": DAMAGED,
    "swap:indices-of-records": DAMAGED,
    "swap:digests-of-records-relinked": DIVERGED,
    "drop:the-journal": NONE,
    "drop:the-header": DAMAGED,
    "drop:a-record": TWO,
    "drop:all-records": NONE,
    "duplicate:a-record": ALL,
    "duplicate:the-header": DAMAGED,
    "duplicate:a-record-under-the-next-index": DAMAGED,
    "splice:a-record-of-another-stream": DAMAGED,
    "splice:a-record-of-the-older-stream": DAMAGED,
    "splice:the-journal-of-another-stream": MISMATCH,
    "splice:records-of-the-older-stream": DAMAGED,
    "roll-back:to-fewer-records": TWO,
    "roll-back:to-the-run-of-the-older-stream": NONE,
    "roll-back:to-that-run-before-its-manifest": NONE,
    "re-seal:the-journal-of-another-key": MISMATCH,
    "re-seal:the-journal-of-another-key-under-this-header": DAMAGED,
    "downgrade:records-without-seals": NONE,
    "downgrade:records-without-digests-of-seals": ALL,
    "downgrade:to-plain-keys": NONE,
    "downgrade:to-no-encryption": MISMATCH,
    "downgrade:version-of-tomorrow": Refused((JournalTooNew,), hint="--no-resume"),
    "downgrade:version-zero": DAMAGED,
}
OF_SEALS = {
    "flip:encrypted_size-of-a-record",
    "flip:encrypted_sha256-of-a-record",
    "swap:sealed-digests-of-records",
    "downgrade:records-without-seals",
    "downgrade:records-without-digests-of-seals",
}


def expected_of_journal(variant: str, mode: Mode) -> Ends | Refused | Inapplicable:
    """What must come of it."""
    if mode.method == "plain":
        if variant in OF_SEALS:
            return NOT_SEALED
        if variant == "downgrade:to-no-encryption":
            return NO_KEY
        if variant == "flip:size-of-a-record":
            return TWO  # the object is of another size
    return TABLE[variant]
