"""A local folder as the bucket: `file:///path`. The embedded default; it needs no server.

What it adds to obstore: writes are durable (fsync) before they are acknowledged, leftovers of killed writes are removed,
listings are in key order, and there are no ETags, since obstore makes them of inode and time, which no copy of the folder
keeps (ADR 0006).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import LocalStore

from s3duct.adapters.object_store.base import ObstoreObjectStore
from s3duct.adapters.object_store.durable_folders import DurableFolders, fsync, make_durably
from s3duct.adapters.object_store.errors import no_answer_reason
from s3duct.adapters.object_store.local_writes import write_object
from s3duct.adapters.object_store.lost_answers import answered
from s3duct.domain.errors import (
    BucketNotFound,
    LocalResourceError,
    ObjectExists,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from s3duct.domain.ports.object_store import Bytes, StoredObject
from s3duct.domain.storage_class import StorageClass

if TYPE_CHECKING:
    from obstore import GetOptions

_READ_BYTES = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
# obstore writes to `KEY#N` and renames at the end.
_LEFTOVER = re.compile(r"(?P<key>.*)#\d+", re.DOTALL)


class LocalObjectStore(ObstoreObjectStore):
    """One folder."""

    def __init__(self, folder: Path, *, create: bool) -> None:
        """Open the folder.

        Args:
            folder: absolute path.
            create: make it if it is missing (put), rather than refuse (everything else).

        Raises:
            BucketNotFound: it is missing, or not a folder.
            LocalResourceError: it cannot be made.
        """
        try:
            if create:
                make_durably(folder)
        except OSError as error:
            raise LocalResourceError(f"cannot make the folder {str(folder)!r}: {error.strerror}") from error
        if not folder.is_dir():
            raise BucketNotFound(
                f"there is no folder {str(folder)!r}", hint="check the path in --bucket file:///path"
            )
        super().__init__(LocalStore(folder))
        self._folder = folder
        self._folders = DurableFolders(folder)

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        """Write one object and make it durable."""
        _refuse_storage_class(storage_class)
        self._check_key(key)
        # One call for all of it: handing over to another thread, and back, costs more than to write a small object.
        await asyncio.to_thread(self._put_now, key, data, create_only=create_only)
        return StoredObject(key, len(data), self._etag(None))

    async def put_parts(
        self, key: str, parts: AsyncIterator[Bytes], *, part_bytes: int, storage_class: str | None = None
    ) -> StoredObject:
        """Write one object piece by piece and make it durable."""
        _refuse_storage_class(storage_class)
        # A key that is written in parts has one writer: what lies there is of a write that was killed.
        await asyncio.to_thread(self._remove_leftovers, key)
        try:
            stored = await super().put_parts(key, parts, part_bytes=part_bytes)
        except Exception:
            await asyncio.to_thread(self._remove_leftovers, key)
            raise
        await asyncio.to_thread(self._settle, key)
        return stored

    async def get(self, key: str) -> AsyncIterator[Bytes]:
        """Stream one object, whole. Raises `StoreUnavailable` besides: it was replaced meanwhile, and a retry helps."""
        try:
            async for piece in self._ranges(key):
                yield piece
        except ObjectExists:  # so a condition that does not hold is called
            raise StoreUnavailable(f"{key!r} was replaced while it was read") from None

    async def _ranges(self, key: str) -> AsyncIterator[Bytes]:
        """Read range by range: obstore streams a file in pieces of 8 KiB, each a task on a thread of its own."""
        with self._vendor_for(key) as vendor:
            found = (await answered(obstore.get_async(vendor, key))).meta
            for start in range(0, found["size"], _READ_BYTES):
                wanted: GetOptions = {"range": (start, min(start + _READ_BYTES, found["size"]))}
                if found["e_tag"] is not None:  # that of the file, which a write replaces as a whole
                    wanted["if_match"] = found["e_tag"]
                piece = await answered(obstore.get_async(vendor, key, options=wanted))
                yield memoryview(await answered(piece.bytes_async()))

    async def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[StoredObject]:
        """List in key order: the folder gives none."""
        found = [entry async for entry in super().list(prefix, start_after=start_after)]
        for entry in sorted(found, key=lambda entry: entry.key.encode("utf-8")):
            yield entry

    def _etag(self, etag: str | None) -> str:
        return ""

    def _check_key(self, key: str) -> None:
        super()._check_key(key)
        if _LEFTOVER.fullmatch(key):
            raise UsageError(
                f"a local folder cannot hold the key {key!r}: names that end in '#' and digits are taken"
            )
        if not key.isascii() and sys.getfilesystemencoding() != "utf-8":
            # obstore reads UTF-8, whatever the locale; a folder with one name in another encoding cannot be listed.
            raise UsageError(
                f"the key {key!r} needs file names in UTF-8", hint="set LC_ALL=C.UTF-8, or PYTHONUTF8=1"
            )

    def _translate(self, error: Exception, key: str) -> Exception:
        translated = super()._translate(error, key)
        if isinstance(translated, StoreError):
            reason = no_answer_reason(str(error)) or translated.message
            return LocalResourceError(f"cannot use {str(self._folder / key)!r}: {reason}")
        return translated

    def _put_now(self, key: str, data: Bytes, *, create_only: bool) -> None:
        path = self._folder / key
        try:
            write_object(path, data, create_only=create_only)
        except OSError as error:
            if create_only and isinstance(error, FileExistsError):
                raise ObjectExists(f"the object {key!r} exists already") from None
            if error.errno in _FULL and not create_only:  # a key that is replaced has one writer
                self._remove_leftovers(key)
            raise LocalResourceError(f"cannot write {str(path)!r}: {error.strerror}") from error
        self._settle_folders(path)

    def _settle(self, key: str) -> None:
        """Bring the file and every folder above it up to the bucket to the disk."""
        path = self._folder / key
        try:
            fsync(path)
        except OSError as error:
            raise _not_durable(path, error) from error
        self._settle_folders(path)

    def _settle_folders(self, path: Path) -> None:
        try:
            self._folders.settle(path.parent)
        except OSError as error:
            raise _not_durable(path, error) from error

    def _remove_leftovers(self, key: str) -> None:
        path = self._folder / key
        with contextlib.suppress(OSError):
            for candidate in path.parent.iterdir():
                leftover = _LEFTOVER.fullmatch(candidate.name)
                if leftover is not None and leftover["key"] == path.name:
                    candidate.unlink()


def _not_durable(path: Path, error: OSError) -> LocalResourceError:
    return LocalResourceError(f"cannot write {str(path)!r} to the disk: {error.strerror}")


def _refuse_storage_class(storage_class: str | None) -> None:
    if storage_class not in (None, StorageClass.STANDARD.value):
        raise UsageError(f"a local folder has no storage class {storage_class!r}")
