"""What every fault test runs under, and the keys of those over real bytes."""

from tests.support.fixtures import key_file
from tests.usecases.conftest import quick_collections

__all__ = ["key_file", "quick_collections"]
