"""A store around a store that tells hooks of every operation before, in the middle of, and after it.

A hook may record, raise (a fault), wait (a slow store), or never return (a crash).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from typing import cast

from s3duct.domain.ports.object_store import Bytes, ObjectStore, StoredObject


class Phase(Enum):
    """When a hook is called. BEFORE: nothing was sent. AFTER: it took effect, the reply is on its way."""

    BEFORE = "before"
    MIDWAY = "midway"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the port. `number` counts from 1 over all of them."""

    number: int
    method: str
    key: str
    create_only: bool = False
    storage_class: str | None = None

    @property
    def writes(self) -> bool:
        """Whether it writes an object of a stream: a chunk or a manifest."""
        return self.method in ("put", "put_parts") and not self.is_of_journal

    @property
    def is_of_journal(self) -> bool:
        """Whether it is about the bucket's journal of an unfinished run."""
        return "/.resume/" in self.key


Hook = Callable[[Operation, Phase], Awaitable[None]]


class HookedStore(ObjectStore):
    """`operations` lists every call in order; `hooks` are told of each. `in_transit` may change what a get gives out."""

    def __init__(self, inner: ObjectStore, *hooks: Hook) -> None:
        """Take the store around which this one stands."""
        self.inner = inner
        self.hooks = list(hooks)
        self.operations: list[Operation] = []
        self.in_transit: Callable[[str, bytes], bytes] = lambda key, body: body

    @property
    def writes(self) -> Counter[str]:
        """How many writes of each chunk and manifest were begun."""
        return Counter(operation.key for operation in self.operations if operation.writes)

    def keys(self, *methods: str) -> list[str]:
        """Keys of all calls of `methods`, in order."""
        return [operation.key for operation in self.operations if operation.method in methods]

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        """Atomic: there is no middle."""
        operation = self.begun("put", key, create_only=create_only, storage_class=storage_class)
        await self.tell(operation, Phase.BEFORE)
        stored = await self.inner.put(key, data, create_only=create_only, storage_class=storage_class)
        await self.tell(operation, Phase.AFTER)
        return stored

    async def put_parts(
        self, key: str, parts: AsyncIterator[Bytes], *, part_bytes: int, storage_class: str | None = None
    ) -> StoredObject:
        """The middle is after the first piece; what fails there leaves nothing behind."""
        operation = self.begun("put_parts", key, storage_class=storage_class)
        await self.tell(operation, Phase.BEFORE)

        async def passed() -> AsyncIterator[Bytes]:
            first = True
            async for piece in parts:
                yield piece
                if first:
                    first = False
                    await self.tell(operation, Phase.MIDWAY)

        stored = await self.inner.put_parts(key, passed(), part_bytes=part_bytes, storage_class=storage_class)
        await self.tell(operation, Phase.AFTER)
        return stored

    async def get(self, key: str) -> AsyncIterator[Bytes]:
        """The middle is half of the body."""
        operation = self.begun("get", key)
        await self.tell(operation, Phase.BEFORE)
        pieces = self.inner.get(key)
        async with aclosing(cast("AsyncGenerator[Bytes, None]", pieces)):
            body = self.in_transit(key, b"".join([bytes(piece) async for piece in pieces]))
        half = len(body) // 2
        if half:
            yield body[:half]
        await self.tell(operation, Phase.MIDWAY)
        yield body[half:]
        await self.tell(operation, Phase.AFTER)

    async def head(self, key: str) -> StoredObject:
        """Metadata of one object."""
        operation = self.begun("head", key)
        await self.tell(operation, Phase.BEFORE)
        found = await self.inner.head(key)
        await self.tell(operation, Phase.AFTER)
        return found

    async def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[StoredObject]:
        """The middle is after the first entry."""
        operation = self.begun("list", prefix)
        await self.tell(operation, Phase.BEFORE)
        entries = self.inner.list(prefix, start_after=start_after)
        async with aclosing(cast("AsyncGenerator[StoredObject, None]", entries)):
            first = True
            async for entry in entries:
                yield entry
                if first:
                    first = False
                    await self.tell(operation, Phase.MIDWAY)
        await self.tell(operation, Phase.AFTER)

    async def delete(self, key: str) -> None:
        """Delete one object."""
        operation = self.begun("delete", key)
        await self.tell(operation, Phase.BEFORE)
        await self.inner.delete(key)
        await self.tell(operation, Phase.AFTER)

    def begun(
        self, method: str, key: str, *, create_only: bool = False, storage_class: str | None = None
    ) -> Operation:
        """Note that an operation begins."""
        operation = Operation(len(self.operations) + 1, method, key, create_only, storage_class)
        self.operations.append(operation)
        return operation

    async def tell(self, operation: Operation, phase: Phase) -> None:
        """Tell the hooks."""
        for hook in self.hooks:
            await hook(operation, phase)
