"""The matrix has no hole: each attack, each target, each way to put has a cell, or a reason why there is none."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest

from tests.tamper.attacks import Attack, Target
from tests.tamper.bucket_journal_expectations import TABLE as BUCKET_JOURNAL_TABLE
from tests.tamper.cells import (
    ALL_BUCKET_JOURNAL_CELLS,
    ALL_CHUNK_CELLS,
    ALL_JOURNAL_CELLS,
    ALL_MANIFEST_CELLS,
    Cell,
)
from tests.tamper.chunk_expectations import BY_VARIANT
from tests.tamper.journal_expectations import TABLE as JOURNAL_TABLE
from tests.tamper.manifest_expectations import TABLE as MANIFEST_TABLE
from tests.tamper.modes import MODES, POST_QUANTUM
from tests.tamper.outcomes import Ends, Harmless, Inapplicable, Refused, Spoils, Undetected

CELLS: list[Cell[Any]] = [
    *ALL_CHUNK_CELLS,
    *ALL_MANIFEST_CELLS,
    *ALL_JOURNAL_CELLS,
    *ALL_BUCKET_JOURNAL_CELLS,
]
EXPECTED = {
    (cell.variant.target, cell.variant.attack, cell.mode.name, cell.variant.name): cell.expected
    for cell in CELLS
}


@pytest.mark.parametrize("target", Target, ids=lambda target: target.value)
@pytest.mark.parametrize("attack", Attack, ids=lambda attack: attack.value)
def test_every_attack_on_every_target_has_an_answer_in_every_mode(attack: Attack, target: Target) -> None:
    for mode in MODES:
        answers = [
            expected for place, expected in EXPECTED.items() if place[:3] == (target, attack, mode.name)
        ]
        assert answers, f"{attack.value} of a {target.value}, {mode.name}"
        for answer in answers:
            if isinstance(answer, (Inapplicable, Undetected, Harmless, Spoils)):
                assert len(answer.reason.split()) > 3, answer


def test_every_expectation_belongs_to_a_variant_and_no_variant_is_listed_twice() -> None:
    for cells, table in (
        (ALL_CHUNK_CELLS, BY_VARIANT),
        (ALL_MANIFEST_CELLS, MANIFEST_TABLE),
        (ALL_JOURNAL_CELLS, JOURNAL_TABLE),
        (ALL_BUCKET_JOURNAL_CELLS, BUCKET_JOURNAL_TABLE),
    ):
        listed = Counter(str(cell) for cell in cells)
        assert set(listed.values()) == {1}
        assert {str(cell.variant) for cell in cells} == set(table)


def test_only_a_run_by_the_key_can_be_rolled_back_unseen_under_an_aes_key() -> None:
    """With an AES key in hand, all that goes undetected is what was genuine once."""
    unseen = {
        (target, attack)
        for (target, attack, mode, _), expected in EXPECTED.items()
        if mode.startswith("aes") and isinstance(expected, Undetected)
    }
    assert unseen == {(Target.MANIFEST, Attack.ROLL_BACK)}


def test_cells_are_counted() -> None:
    """A change of these numbers is meant, or a cell was lost."""
    kinds = Counter(
        "none" if isinstance(cell.expected, Inapplicable) else cell.variant.target.value for cell in CELLS
    )
    pairs = {(target, attack, mode) for target, attack, mode, _ in EXPECTED if mode != POST_QUANTUM.name}
    assert len(pairs) == len(list(product(Target, Attack, MODES))) == 200
    assert dict(kinds) == {"chunk": 92, "manifest": 231, "journal": 330, "bucket journal": 319, "none": 50}
    assert sum(isinstance(cell.expected, (Refused, Ends)) for cell in CELLS) > len(CELLS) / 2
