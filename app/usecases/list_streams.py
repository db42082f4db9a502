"""list: what streams a bucket holds, as their manifests say."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Collection
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from s3duct.app.pipeline.manifest_io import open_manifest, read_manifest, read_manifest_head
from s3duct.app.pipeline.parallel import cancel_all
from s3duct.app.pipeline.retrying import Retrier
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import (
    AccessDenied,
    DecryptionFailed,
    IntegrityError,
    KeyUnavailable,
    NotFound,
    ObjectNotFound,
    S3ductError,
    StoreError,
    UnsupportedFormat,
)
from s3duct.domain.events import Listener
from s3duct.domain.manifest_head import ManifestHead, head_of
from s3duct.domain.manifest_trust import OpenedManifest, Proof
from s3duct.domain.names import StreamLocation, normalize_prefix, stream_name_of_manifest_key
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.entropy import Entropy
from s3duct.domain.ports.object_store import ObjectStore, StoredObject
from s3duct.domain.retry import RetryPolicy
from s3duct.domain.sizes import MIB

_MANIFESTS_AT_ONCE = 32
# Opened, a manifest takes up to some ten times its size: large ones are read one after another.
_BYTES_AT_ONCE = 32 * MIB
# Of larger ones only the beginning is read, unless there is a key that may prove them: a MAC covers all of it.
_READ_WHOLE_BYTES = MIB
# Of an object that nobody stores.
_NO_SUCH_KEY = ".s3duct-no-such-object"


@dataclass(frozen=True, slots=True)
class ListedStream:
    """One stream.

    `manifest` is what its manifest says beside the chunks. It is None if that is sealed to the key in hand (`problem`
    empty) or unreadable (`problem` says why). `modified` is when the manifest was written, in UTC, as the store says.
    `unproven` says that the key in hand could prove a manifest, and does not prove this one.
    """

    name: str
    manifest: ManifestHead | None
    problem: str
    modified: datetime | None
    unproven: bool = False

    @property
    def sealed(self) -> bool:
        """Whether the manifest is encrypted and could not be opened."""
        return self.manifest is None and not self.problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPorts:
    """What list needs from the outside world."""

    store: ObjectStore
    cipher: Cipher
    clock: Clock
    entropy: Entropy
    retry_policy: RetryPolicy


async def list_streams(
    prefix: str, *, ports: ListPorts, listener: Listener
) -> AsyncGenerator[ListedStream, None]:
    """Yield every stream under `prefix` in the order of the names, reading a few manifests ahead.

    Without a prefix, all streams of the bucket are listed, under names that hold their prefixes.

    Raises:
        StoreError: as it comes, or what answers is no object store.
        AccessDenied, BucketNotFound: as they come.
    """
    retrier = Retrier(ports.retry_policy, clock=ports.clock, entropy=ports.entropy, listener=listener)
    ahead: deque[_Ahead] = deque()
    whole_after_all = asyncio.Lock()
    try:
        async for name, entry in _manifests(normalize_prefix(prefix), ports.store, retrier):
            while ahead and _is_enough(ahead, entry):
                described = await ahead.popleft().task
                if described is not None:
                    yield described
            location = StreamLocation(normalize_prefix(prefix), name)
            task = asyncio.ensure_future(_describe(location, entry, ports, retrier, whole_after_all))
            size_bytes = _READ_WHOLE_BYTES if _is_for_its_head(entry, ports.cipher) else entry.size_bytes
            ahead.append(_Ahead(size_bytes, task))
        while ahead:
            described = await ahead.popleft().task
            if described is not None:
                yield described
    finally:
        await cancel_all(reading.task for reading in ahead)


@dataclass(frozen=True, slots=True)
class _Ahead:
    size_bytes: int
    task: asyncio.Task[ListedStream | None]


def _is_enough(ahead: Collection[_Ahead], entry: StoredObject) -> bool:
    size_bytes = entry.size_bytes + sum(reading.size_bytes for reading in ahead)
    return len(ahead) >= _MANIFESTS_AT_ONCE or size_bytes > _BYTES_AT_ONCE


async def _manifests(
    prefix: str, store: ObjectStore, retrier: Retrier
) -> AsyncGenerator[tuple[str, StoredObject], None]:
    listing = _Listing(store, prefix)
    seen: set[str] = set()
    try:
        while (entry := await retrier.run("listing", listing.next)) is not None:
            name = stream_name_of_manifest_key(entry.key, prefix=prefix)
            if name is not None and name not in seen:
                seen.add(name)
                yield name, entry
        if listing.is_empty:
            await retrier.run("look at an empty listing", lambda: _check_that_it_is_a_store(store, prefix))
    finally:
        await listing.close()


async def _check_that_it_is_a_store(store: ObjectStore, prefix: str) -> None:
    """See that what lists nothing does not have everything: a web page instead of a listing is read as an empty one.

    Raises:
        StoreError: it has an object that nobody stores.
    """
    try:
        await store.head(prefix + _NO_SUCH_KEY)
    except (ObjectNotFound, AccessDenied):
        return
    raise StoreError(
        "what answers is no object store: it lists nothing, and has every object that is asked for",
        hint="check --endpoint-url: is it the S3 port, and not a web page?",
    )


class _Listing:
    """A listing that begins anew when it has broken off.

    To go on behind the last key would leave streams out: not every store lists in the order of keys (SeaweedFS does not).
    """

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._entries: AsyncGenerator[StoredObject, None] | None = None
        self.is_empty = True

    async def next(self) -> StoredObject | None:
        """Return the next object, None at the end. After an error it may be called again."""
        if self._entries is None:
            self._entries = cast("AsyncGenerator[StoredObject, None]", self._store.list(self._prefix))
        try:
            entry = await anext(self._entries, None)
        except S3ductError:
            self._entries = None
            raise
        self.is_empty = self.is_empty and entry is None
        return entry

    async def close(self) -> None:
        """Let go of the request that is under way."""
        if self._entries is not None:
            await self._entries.aclose()


async def _describe(
    location: StreamLocation,
    entry: StoredObject,
    ports: ListPorts,
    retrier: Retrier,
    whole_after_all: asyncio.Lock,
) -> ListedStream | None:
    """Read one manifest; None if it was deleted meanwhile.

    Those whose beginning was not enough are read whole one after another: they are reckoned with for a beginning alone.
    """
    manifest, problem, unproven = None, "", False
    is_for_its_head = _is_for_its_head(entry, ports.cipher)
    try:
        if is_for_its_head:
            manifest = await retrier.run(
                f"read of {entry.key}",
                lambda: read_manifest_head(ports.store, location, under_prefix=True),
            )
        if manifest is None:
            async with whole_after_all if is_for_its_head else nullcontext():
                stored = await retrier.run(
                    f"read of {entry.key}", lambda: read_manifest(ports.store, location)
                )
                opened = await open_manifest(stored, location, ports.cipher, under_prefix=True)
            manifest = head_of(opened.manifest)
            unproven = _is_unproven(opened, ports.cipher)
            if opened.proof is Proof.WRONG_MAC:
                manifest, problem = None, "it was altered after it was written (its MAC does not match)"
    except DecryptionFailed:
        pass  # sealed, and not for the key in hand
    except (IntegrityError, KeyUnavailable, UnsupportedFormat) as error:
        problem = error.message
    except NotFound:
        return None
    return ListedStream(location.name, manifest, problem, entry.modified, unproven)


def _is_for_its_head(entry: StoredObject, cipher: Cipher) -> bool:
    return entry.size_bytes > _READ_WHOLE_BYTES and cipher.method is not EncryptionMethod.AES_256_GCM


def _is_unproven(opened: OpenedManifest, cipher: Cipher) -> bool:
    return cipher.method is EncryptionMethod.AES_256_GCM and opened.proof in (Proof.NONE, Proof.OTHER_KEY)
