"""Fixtures of the unit tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def isolated_environment() -> None:
    """Spare a thousand small tests the folders: nothing here looks at the home or the environment."""
