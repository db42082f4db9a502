"""The cells of the matrix: each variant of each attack, with each way to put, where there is such a thing.

Chunks and manifests are attacked under a post-quantum key as well, once each: what differs is the header alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Generic, TypeVar

from tests.tamper.attacks import Variant
from tests.tamper.bucket_journal_attacks import BUCKET_JOURNAL_ATTACKS
from tests.tamper.bucket_journal_expectations import expected_of_bucket_journal
from tests.tamper.chunk_attacks import CHUNK_ATTACKS
from tests.tamper.chunk_expectations import expected_of_chunk
from tests.tamper.journal_attacks import JOURNAL_ATTACKS
from tests.tamper.journal_expectations import expected_of_journal
from tests.tamper.manifest_attacks import MANIFEST_ATTACKS
from tests.tamper.manifest_expectations import expected_by_get
from tests.tamper.modes import AES, AGE, MODES, POST_QUANTUM, Mode
from tests.tamper.outcomes import Ends, Inapplicable, Outcome, Spoils
from tests.tamper.readers import GET

S = TypeVar("S")


@dataclass(frozen=True)
class Cell(Generic[S]):
    """One variant of an attack on a stream put in one mode; `expected` is for the first way to look."""

    variant: Variant[S]
    mode: Mode
    expected: Outcome | Ends | Spoils

    def __str__(self) -> str:
        return f"{self.variant}-{self.mode.name}"


def cells_of(
    variants: Iterable[Variant[S]], expect: Callable[[str, Mode], Outcome | Ends | Spoils], smoke: str
) -> list[Cell[S]]:
    listed = list(variants)
    pairs = [
        *product(listed, MODES),
        *((variant, POST_QUANTUM) for variant in listed if str(variant) == smoke),
    ]
    return [Cell(variant, mode, expect(str(variant), mode)) for variant, mode in pairs]


ALL_CHUNK_CELLS = cells_of(
    CHUNK_ATTACKS.variants,
    lambda variant, mode: expected_of_chunk(variant, mode, GET),
    "re-seal:other-content-for-the-same-recipient",
)
ALL_MANIFEST_CELLS = cells_of(MANIFEST_ATTACKS.variants, expected_by_get, "re-seal:for-another-key")
ALL_JOURNAL_CELLS = cells_of(JOURNAL_ATTACKS.variants, expected_of_journal, "drop:a-record")

# A copy that is not sealed is the same text in three modes: two of them get the last variant of each attack alone.
_LAST = {variant.attack: variant for variant in BUCKET_JOURNAL_ATTACKS.variants}
ALL_BUCKET_JOURNAL_CELLS = [
    cell
    for cell in cells_of(
        BUCKET_JOURNAL_ATTACKS.variants, expected_of_bucket_journal, "extend:by-a-segment-of-garbage"
    )
    if cell.mode not in (AES, AGE) or cell.variant is _LAST[cell.variant.attack]
]


def applicable(cells: Iterable[Cell[S]]) -> list[Cell[S]]:
    return [cell for cell in cells if not isinstance(cell.expected, Inapplicable)]


CHUNK_CELLS = applicable(ALL_CHUNK_CELLS)
MANIFEST_CELLS = applicable(ALL_MANIFEST_CELLS)
JOURNAL_CELLS = applicable(ALL_JOURNAL_CELLS)
BUCKET_JOURNAL_CELLS = applicable(ALL_BUCKET_JOURNAL_CELLS)
