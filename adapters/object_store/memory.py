"""A bucket in this process's memory: the fake of the tests, and a store for embedders to try things on."""

from __future__ import annotations

from obstore.store import MemoryStore

from s3duct.adapters.object_store.base import ObstoreObjectStore
from s3duct.domain.ports.object_store import Bytes, StoredObject


class MemoryObjectStore(ObstoreObjectStore):
    """obstore's memory store. Storage classes are accepted and forgotten."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__(MemoryStore())

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        """Write one object; of a copy, since obstore's memory store keeps the very buffer it is given."""
        return await super().put(key, bytes(data), create_only=create_only, storage_class=storage_class)
