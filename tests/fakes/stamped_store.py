"""A store around a store that keeps its own time, which moves only when the test moves it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from s3duct.domain.ports.object_store import Bytes, ObjectStore, StoredObject

_SOME_DAY = datetime(2031, 7, 1, tzinfo=UTC)


class StampedStore(ObjectStore):
    """`now` is what the store's clock shows: other than that of any machine, on purpose."""

    def __init__(self, inner: ObjectStore, *, now: datetime = _SOME_DAY) -> None:
        """Begin some day."""
        self.inner = inner
        self.now = now
        self._modified: dict[str, datetime] = {}

    def advance(self, delay_s: float) -> None:
        """Let time pass at the store."""
        self.now += timedelta(seconds=delay_s)

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        """Write, and note when."""
        stored = await self.inner.put(key, data, create_only=create_only, storage_class=storage_class)
        return self._stamp(stored)

    async def put_parts(
        self, key: str, parts: AsyncIterator[Bytes], *, part_bytes: int, storage_class: str | None = None
    ) -> StoredObject:
        """Write, and note when."""
        stored = await self.inner.put_parts(key, parts, part_bytes=part_bytes, storage_class=storage_class)
        return self._stamp(stored)

    def get(self, key: str) -> AsyncIterator[Bytes]:
        """Read."""
        return self.inner.get(key)

    async def head(self, key: str) -> StoredObject:
        """Describe one object."""
        return self._stamped(await self.inner.head(key))

    async def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[StoredObject]:
        """Describe many."""
        entries = self.inner.list(prefix, start_after=start_after)
        async with aclosing(cast("AsyncGenerator[StoredObject, None]", entries)):
            async for entry in entries:
                yield self._stamped(entry)

    async def delete(self, key: str) -> None:
        """Delete one object."""
        await self.inner.delete(key)

    def _stamp(self, stored: StoredObject) -> StoredObject:
        self._modified[stored.key] = self.now
        return self._stamped(stored)

    def _stamped(self, stored: StoredObject) -> StoredObject:
        return replace(stored, modified=self._modified.get(stored.key))
