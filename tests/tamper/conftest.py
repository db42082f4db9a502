"""What every tamper test runs under."""

from tests.usecases.conftest import quick_collections

__all__ = ["quick_collections"]
