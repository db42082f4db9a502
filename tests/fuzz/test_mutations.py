"""Damaged input is refused with the errors that its parser names, or it is accepted and everything holds of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.fuzz.model import Shape
from tests.fuzz.mutations import damaged, damaged_bytes, every_single_change
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from tests.fuzz.model import Target

# `make fuzz` gives more of them.
FACTOR = int(os.environ.get("FUZZ_FACTOR") or 1)
# The text is drawn within a test that is the same for all targets, so large inputs are no sign of a bad strategy.
_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
structured = [target for target in TARGETS.values() if target.shape is not Shape.BYTES]


def feed(target: Target, inputs: st.SearchStrategy[bytes], *, examples: int) -> None:
    """Give the target that many of the inputs, or fewer if it is slow."""
    wanted = FACTOR * (examples // 8 if target.slow else examples)

    @settings(max_examples=wanted, suppress_health_check=_CHECKS)
    @given(data=inputs)
    def run(data: bytes) -> None:
        assume(len(data) <= 1 << 20)
        target.accepts(data)

    run()


@every_target
def test_the_seeds_are_accepted(target: Target) -> None:
    """Or what is made of them would be refused for one and the same reason."""
    assert all(map(target.accepts, target.seeds()))


@every_target
def test_damaged_bytes_are_refused_or_all_holds(target: Target) -> None:
    feed(target, damaged_bytes(target.seeds(), target.tokens), examples=150)


@pytest.mark.parametrize("target", structured, ids=lambda target: target.name)
def test_damaged_structure_is_refused_or_all_holds(target: Target) -> None:
    feed(target, damaged(target), examples=300 if target.shape is Shape.JSON else 200)


@pytest.mark.parametrize(
    "target",
    [target for target in structured if target.shape is Shape.JSON],
    ids=lambda target: target.name,
)
def test_every_single_change_is_refused_or_all_holds(target: Target) -> None:
    """With nothing left to chance, of the seed that has the most fields."""
    assert sum(map(target.accepts, every_single_change(max(target.seeds(), key=len)))) > 10


@every_target
def test_tokens_in_any_order_are_refused_or_all_holds(target: Target) -> None:
    tokens = st.sampled_from([*target.tokens, *(seed[:100] for seed in target.seeds())])
    feed(target, st.lists(tokens, max_size=5).map(b"".join), examples=150)
