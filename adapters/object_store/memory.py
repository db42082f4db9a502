"""A bucket in this process's memory: the fake of the tests, and a store for embedders to try things on."""

from __future__ import annotations

from obstore.store import MemoryStore

from s3duct.adapters.object_store.base import ObstoreObjectStore


class MemoryObjectStore(ObstoreObjectStore):
    """obstore's memory store. Storage classes are accepted and forgotten."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__(MemoryStore())
