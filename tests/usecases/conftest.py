"""What every use-case test runs under."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from s3duct.app.pipeline import lanes

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, scope="module")
def quick_collections() -> Iterator[None]:
    """Every test collects garbage; what was there before need not be looked through each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def by_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks go the way of large ones: lane by lane and piece by piece."""
    monkeypatch.setattr(lanes, "_TINY_BYTES", -1)
    monkeypatch.setattr(lanes, "_SMALL_BYTES", -1)
