"""What `ports.entropy` promises, over the system's source and the fake."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.entropy import SystemEntropy
from tests.fakes.entropy import FakeEntropy

if TYPE_CHECKING:
    from s3duct.domain.ports.entropy import Entropy


@pytest.fixture(params=[SystemEntropy, FakeEntropy])
def entropy(request: pytest.FixtureRequest) -> Entropy:
    made: Entropy = request.param()
    return made


@pytest.mark.parametrize("size_bytes", [0, 1, 4, 16, 33])
def test_tokens_are_lower_case_hex_of_that_many_bytes(entropy: Entropy, size_bytes: int) -> None:
    assert re.fullmatch(f"[0-9a-f]{{{2 * size_bytes}}}", entropy.token_hex(size_bytes))


def test_tokens_differ(entropy: Entropy) -> None:
    assert len({entropy.token_hex(8) for _ in range(1000)}) == 1000


def test_units_lie_between_0_and_1_and_are_spread(entropy: Entropy) -> None:
    drawn = [entropy.unit() for _ in range(2000)]
    assert all(0 <= number < 1 for number in drawn)
    for tenth in range(10):
        assert 100 < sum(tenth <= number * 10 < tenth + 1 for number in drawn) < 320


def test_the_largest_unit_is_below_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.randbits", lambda bits: (1 << bits) - 1)
    assert SystemEntropy().unit() < 1


def test_two_system_sources_do_not_repeat_each_other() -> None:
    assert SystemEntropy().token_hex(16) != SystemEntropy().token_hex(16)
