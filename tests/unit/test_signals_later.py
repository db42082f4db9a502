"""A signal that comes while a process is being started is heard when that is known."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.signals_later import signals_later

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ended(Exception):
    pass


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    def end(number: int, _: object) -> None:
        raise Ended(number)

    before = signal.signal(signal.SIGTERM, end)
    yield
    signal.signal(signal.SIGTERM, before)


def test_it_comes_at_the_end_of_the_block_and_at_once_after_it() -> None:
    steps = []

    def start_something() -> None:
        with signals_later():
            signal.raise_signal(signal.SIGTERM)
            steps.append("the block goes on")

    with pytest.raises(Ended):
        start_something()
    assert steps == ["the block goes on"]
    with pytest.raises(Ended):
        signal.raise_signal(signal.SIGTERM)
