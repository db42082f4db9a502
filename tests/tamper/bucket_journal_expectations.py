"""What must come of a put after an attack on what the bucket has of the unfinished run, by attack, mode and victim."""

from __future__ import annotations

from s3duct.domain.errors import ChunkDamaged, JournalTooNew, RunInProgress, UnsupportedFormat, WrongKey
from tests.tamper.bucket_journal_scene import Victim
from tests.tamper.journal_expectations import ALL, DAMAGED, MISMATCH, NONE, NOT_SEALED, OF_SEALS, TWO
from tests.tamper.journal_expectations import TABLE as OF_A_LOCAL_JOURNAL
from tests.tamper.modes import AES_SEALED, Mode
from tests.tamper.outcomes import Ends, Inapplicable, Refused, Spoils

WRONG_KEY = Refused((WrongKey,))
BUSY = Refused((RunInProgress,), hint="--takeover")
TOO_NEW = Refused((UnsupportedFormat,), hint="upgrade")
SPOILED = Spoils(
    "the forged record fits the input, and names an object of this stream in its size: what is in it shows when it is read",
    ChunkDamaged,
)

# Of another machine with the key; where the journal can be forged.
TABLE: dict[str, Ends | Refused | Spoils] = {
    **{name: outcome for name, outcome in OF_A_LOCAL_JOURNAL.items() if "destination" not in name},
    "flip:run_id-of-the-header": DAMAGED,
    "flip:encrypted_manifest-of-the-header": DAMAGED,
    "splice:the-journal-of-another-stream": DAMAGED,
    "roll-back:to-the-run-of-the-older-stream": DAMAGED,
    "roll-back:to-that-run-before-its-manifest": DAMAGED,
    "re-seal:the-journal-of-another-key": DAMAGED,
    "downgrade:version-of-tomorrow": Refused((JournalTooNew,), hint="upgrade"),
    "flip:claim-by-a-bit": NONE,
    "flip:claim-to-control-characters": NONE,
    "flip:claim-to-a-path": NONE,
    "flip:claim-to-a-number": NONE,
    "flip:claim-to-a-very-long-run-id": NONE,
    "flip:claim-to-nested-lists": NONE,
    "flip:a-sealed-segment": DAMAGED,
    "truncate:claim": NONE,
    "truncate:claim-to-nothing": NONE,
    "extend:claim-to-a-mebibyte": ALL,
    "extend:segment-to-four-mebibytes": DAMAGED,
    "extend:by-a-segment-of-garbage": DAMAGED,
    "extend:by-a-segment-far-away": ALL,
    "extend:by-two-thousand-objects": ALL,
    "extend:by-objects-that-are-no-journal": ALL,
    "extend:by-a-sign-that-the-run-has-stopped": ALL,
    "extend:by-such-a-sign-of-a-mebibyte": ALL,
    "extend:by-a-record-of-a-chunk-with-other-content": SPOILED,
    "extend:by-a-record-that-names-a-chunk-of-the-older-stream-as-an-earlier-run": NONE,
    "extend:by-a-record-that-names-a-chunk-of-a-neighbour": DAMAGED,
    "swap:segments": ALL,
    "swap:first-segments": DAMAGED,
    "drop:claim": NONE,
    "drop:first-segment": NONE,
    "drop:middle-segment": TWO,
    "drop:last-segment": TWO,
    "duplicate:a-segment": ALL,
    "duplicate:first-segment": DAMAGED,
    "splice:claim-and-journal-of-another-stream": MISMATCH,
    "roll-back:to-claim-and-journal-of-the-older-stream": NONE,
    "roll-back:to-claim-and-journal-of-the-older-stream-before-its-manifest": NONE,
    "re-seal:claim-and-journal-of-another-key": MISMATCH,
    "re-seal:a-forged-run-that-took-this-one-over": ALL,
    "downgrade:claim-of-tomorrow": TOO_NEW,
    "downgrade:one-segment-to-text": ALL,
}
# Whoever has no key can do these to sealed segments as well, since they are made of what was sealed once, or of none.
WITHOUT_FORGING = {
    "truncate:within-the-header",
    "drop:the-journal",
    "drop:a-record",
    "duplicate:a-record",
    "roll-back:to-fewer-records",
    "extend:by-two-thousand-objects",
    "extend:by-objects-that-are-no-journal",
    "extend:by-a-sign-that-the-run-has-stopped",
    "extend:by-such-a-sign-of-a-mebibyte",
    "swap:segments",
    "drop:first-segment",
    "drop:middle-segment",
    "drop:last-segment",
    "duplicate:a-segment",
}
OF_ANOTHER_KEY = {
    "re-seal:the-journal-of-another-key",
    "re-seal:the-journal-of-another-key-under-this-header",
    "re-seal:claim-and-journal-of-another-key",
}
# The copy contradicts what this machine knows of the places of chunks; `--resume-from local` leaves it aside.
SEEN_BY_THE_SAME_MACHINE = {
    "flip:s3_key-of-a-record",
    "flip:index-of-a-record",
    "swap:keys-of-records",
    "swap:indices-of-records",
    "extend:by-a-record-that-names-another-chunk",
    "extend:by-a-record-that-names-a-chunk-of-the-older-stream",
    "extend:by-a-record-that-names-a-chunk-of-the-older-stream-as-an-earlier-run",
    "extend:by-a-record-that-names-a-chunk-of-a-neighbour",
    "duplicate:a-record-under-the-next-index",
    "splice:records-of-the-older-stream",
    "splice:a-record-of-the-older-stream",
    "re-seal:the-journal-of-another-key-under-this-header",
}
SEALED_ONCE_FOR_THIS_NAME = "splice:a-record-of-the-older-stream"
NO_TEXT = {"downgrade:one-segment-to-text", "downgrade:to-no-encryption", "extend:by-a-segment-far-away"}


def expected_of_bucket_journal(
    variant: str, mode: Mode, victim: Victim = Victim.OTHER
) -> Ends | Refused | Spoils | Inapplicable:
    """What must come of it."""
    if mode.method == "plain" and variant in OF_SEALS:
        return NOT_SEALED
    if victim is Victim.SAME:
        return _by_the_same_machine(variant, mode)
    if mode.seals_manifest and victim is Victim.RECIPIENTS:
        return TABLE[variant] if TABLE[variant] is TOO_NEW else NONE
    return _by_another_machine(variant, mode)


def _by_the_same_machine(variant: str, mode: Mode) -> Ends | Refused | Spoils:
    if TABLE[variant] is TOO_NEW:
        return TOO_NEW
    if ("claim" in variant and variant not in ("extend:claim-to-a-mebibyte", "drop:claim")) or (
        variant == "re-seal:a-forged-run-that-took-this-one-over"
    ):
        return BUSY
    if mode.seals_manifest and variant in OF_ANOTHER_KEY:
        return ALL
    if variant in SEEN_BY_THE_SAME_MACHINE:
        return ALL if mode is AES_SEALED and variant != SEALED_ONCE_FOR_THIS_NAME else DAMAGED
    return SPOILED if TABLE[variant] is SPOILED and mode is not AES_SEALED else ALL


def _by_another_machine(variant: str, mode: Mode) -> Ends | Refused | Spoils:
    if mode.method == "plain" and variant == "downgrade:to-no-encryption":
        return ALL
    if mode.seals_manifest and variant in OF_ANOTHER_KEY:
        return WRONG_KEY
    if mode.seals_manifest and variant in NO_TEXT:
        return DAMAGED
    if mode.method == "plain" and variant == "flip:size-of-a-record":
        return TWO  # the object is of another size
    if variant == "downgrade:version-of-tomorrow":
        return TABLE[variant]  # looked at first: how the rest is to be read, that version alone knows
    if mode is AES_SEALED and variant not in WITHOUT_FORGING and not _is_about_the_claim(variant):
        return DAMAGED
    return TABLE[variant]


def _is_about_the_claim(variant: str) -> bool:
    return "claim" in variant
