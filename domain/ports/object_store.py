"""Port: one bucket of objects, on S3 or elsewhere.

Every method raises only the domain's errors: `AccessDenied`, `BucketNotFound`, `StoreUnavailable`, `StoreThrottled`,
`StoreError`, `CredentialsError`, `CredentialsUnavailable`, `LocalResourceError` (local folders), `UsageError` (a key that
the store cannot hold), besides those it names. `error.retryable` says whether a retry helps. No method retries
for long by itself: how long to go on is the caller's decision (ADR 0004).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# Parts of one object that a store sends at once: what put_parts may hold of a sealed chunk beside the part it fills.
PARTS_IN_FLIGHT = 4

Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store describes it.

    `etag` is opaque, quotes included, and empty where the store has none that would survive a copy (local folders).
    `modified` is when it was written, in UTC, where the store said so.
    """

    key: str
    size_bytes: int
    etag: str
    modified: datetime | None = None


class ObjectStore(Protocol):
    """A bucket. Keys are full keys; reading what was written in this run gives it back (read-after-write)."""

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        """Write one whole object from a buffer; atomic: readers see all of it or nothing.

        The buffer must stay unchanged until this returns. Idempotent unless `create_only`, which raises `ObjectExists` if
        the key is taken (best effort where the store ignores conditions: check before as well).
        """
        ...

    async def put_parts(
        self, key: str, parts: AsyncIterator[Bytes], *, part_bytes: int, storage_class: str | None = None
    ) -> StoredObject:
        """Write one object of unknown length from pieces, in equal parts of `part_bytes` (the last one may be shorter).

        At most `PARTS_IN_FLIGHT` parts are under way at once.

        Returns what `head` says of it. Atomic and idempotent. Buffers must stay unchanged until this returns. An exception
        out of `parts` aborts the upload, leaves nothing behind in the store, and is raised as it is.
        """
        ...

    def get(self, key: str) -> AsyncIterator[Bytes]:
        """Read one whole object as pieces, in order. Raises `ObjectNotFound`. Close the iterator when leaving early."""
        ...

    async def head(self, key: str) -> StoredObject:
        """Describe one object without reading it. Raises `ObjectNotFound`."""
        ...

    def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[StoredObject]:
        """List objects in the order of their keys, from the first key greater than `start_after`.

        `prefix` is empty or ends with `/`.
        """
        ...

    async def delete(self, key: str) -> None:
        """Delete one object. Idempotent: a missing one is no error."""
        ...
