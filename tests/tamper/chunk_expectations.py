"""What must come of an attack on a chunk, by attack, mode and reader."""

from __future__ import annotations

from s3duct.domain.errors import ChunkDamaged, ChunkMissing, KeyRequired
from tests.tamper.modes import Mode
from tests.tamper.outcomes import Broken, Harmless, Inapplicable, Outcome, Refused
from tests.tamper.readers import Reader
from tests.tamper.scene import CHUNKS, VICTIM

ONE = Broken(ChunkDamaged, (VICTIM,))
ONE_IN_SIZE = Broken(ChunkDamaged, (VICTIM,), same_size=False)

BY_VARIANT: dict[str, Broken] = {
    "flip:first-byte": ONE,
    "flip:a-byte-within": ONE,
    "flip:last-byte": ONE,
    "flip:in-the-first-chunk": Broken(ChunkDamaged, (0,)),
    "flip:in-the-last-chunk": Broken(ChunkDamaged, (CHUNKS - 1,)),
    "truncate:by-a-byte": ONE_IN_SIZE,
    "truncate:to-nothing": ONE_IN_SIZE,
    "extend:by-a-byte": ONE_IN_SIZE,
    "extend:by-itself": ONE_IN_SIZE,
    "swap:two-chunks": Broken(ChunkDamaged, (1, VICTIM)),
    "drop:one-chunk": Broken(ChunkMissing, (VICTIM,)),
    "drop:last-chunk": Broken(ChunkMissing, (CHUNKS - 1,)),
    "duplicate:over-the-next": ONE,
    "splice:from-another-stream": ONE,
    "roll-back:to-the-older-stream": ONE,
    "re-seal:for-another-key": ONE,
    "re-seal:other-content-for-the-same-recipient": ONE,
    "re-seal:same-content-for-the-same-recipient": ONE,
    "downgrade:to-its-plain-bytes": ONE_IN_SIZE,
    "downgrade:to-plain-bytes-of-the-sealed-size": ONE,
}
NOTHING_SEALED = Inapplicable("nothing is sealed in a plain stream")
NEEDS_THE_KEY = Inapplicable("sealing under an AES key needs the key")
NO_KEY = Inapplicable("a plain stream has no key to leave away")


def expected_of_chunk(variant: str, mode: Mode, reader: Reader) -> Outcome:
    """What must come of it."""
    attack = variant.split(":", maxsplit=1)[0]
    if mode.method == "plain" and attack in ("re-seal", "downgrade"):
        return NOTHING_SEALED
    if mode.method == "aes" and variant.endswith("for-the-same-recipient"):
        return NEEDS_THE_KEY
    if reader.keyless and mode.method == "plain":
        return NO_KEY
    if reader.keyless and mode.seals_manifest:
        return Refused((KeyRequired,), hint="--key" if mode.method == "aes" else "--age-identity")
    if variant == "re-seal:same-content-for-the-same-recipient" and reader.opens:
        return Harmless("both digests of the plain bytes are right")
    return BY_VARIANT[variant]
