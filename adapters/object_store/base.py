"""What all obstore stores share: the port's six methods over one obstore store."""

from __future__ import annotations

import atexit
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import obstore

from s3duct.adapters.object_store.errors import is_condition_unsupported, translate
from s3duct.adapters.object_store.lost_answers import Answers, answered
from s3duct.domain.errors import BucketNotFound, ObjectExists, ObjectNotFound, UsageError
from s3duct.domain.names import has_control_characters
from s3duct.domain.ports.object_store import PARTS_IN_FLIGHT, Bytes, ObjectStore, StoredObject

if TYPE_CHECKING:
    from obstore import Attributes, ObjectMeta
    from obstore.store import ObjectStore as Vendor

_READ_BYTES = 1 << 20
_LIST_PAGE = 1000


# How long obstore's threads get to let go of their last results before the interpreter is torn down.
_SETTLE_S = 0.02
_NO_SEGMENTS = ("", ".", "..")


class ObstoreObjectStore(ObjectStore):
    """The port over any obstore store."""

    def __init__(self, vendor: Vendor) -> None:
        """Take the store to talk to."""
        self._vendor = vendor

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        """Write one object in one request."""
        self._check_key(key)
        if create_only:
            etag = await self._create(key, data, storage_class)
        else:
            etag = await self._write(key, data, storage_class)
        return StoredObject(key, len(data), etag)

    async def put_parts(
        self, key: str, parts: AsyncIterator[Bytes], *, part_bytes: int, storage_class: str | None = None
    ) -> StoredObject:
        """Write one object as a multipart upload."""
        self._check_key(key)
        watched = _Watched(parts)
        try:
            with self._vendor_to_write(key) as vendor:
                sending = obstore.put_async(
                    vendor,
                    key,
                    watched,
                    attributes=_attributes(storage_class),
                    use_multipart=True,
                    chunk_size=part_bytes,
                    max_concurrency=PARTS_IN_FLIGHT,
                )
                await answered(sending)
        except Exception:
            if watched.failure is not None:
                raise watched.failure from watched.failure.__cause__
            raise
        # What the store says of the whole object, not of its completion: `rclone serve s3` gives two different ETags.
        return await self.head(key)

    async def get(self, key: str) -> AsyncIterator[Bytes]:
        """Stream one object, whole."""
        with self._vendor_for(key) as vendor:
            result = await answered(obstore.get_async(vendor, key))
            async for piece in Answers(result.stream(min_chunk_size=_READ_BYTES)):
                yield piece

    async def head(self, key: str) -> StoredObject:
        """Ask for the metadata of one object."""
        with self._vendor_for(key) as vendor:
            meta = await answered(obstore.head_async(vendor, key))
        return self._described(key, meta)

    async def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[StoredObject]:
        """List page by page."""
        mark = start_after.encode("utf-8")
        with self._vendor_for(prefix) as vendor:
            pages = obstore.list(
                vendor, prefix.rstrip("/") or None, offset=start_after or None, chunk_size=_LIST_PAGE
            )
            async for page in Answers(pages):
                for meta in page:
                    # obstore drops the slash at the end of a mark, so that the listing begins too early.
                    if meta["path"].encode("utf-8") > mark:
                        yield self._described(meta["path"], meta)

    async def delete(self, key: str) -> None:
        """Delete one object; one that is not there is fine."""
        try:
            with self._vendor_for(key) as vendor:
                await answered(obstore.delete_async(vendor, key))
        except ObjectNotFound:
            return

    async def _create(self, key: str, data: Bytes, storage_class: str | None) -> str:
        with self._vendor_to_write(key) as vendor:
            try:
                return await self._send(vendor, key, data, storage_class, mode="create")
            except Exception as error:
                if not is_condition_unsupported(error):
                    raise
        # Without conditional writes the best there is: look, then write.
        try:
            await self.head(key)
        except ObjectNotFound:
            return await self._write(key, data, storage_class)
        raise ObjectExists(f"the object {key!r} exists already")

    async def _write(self, key: str, data: Bytes, storage_class: str | None) -> str:
        with self._vendor_to_write(key) as vendor:
            return await self._send(vendor, key, data, storage_class, mode="overwrite")

    def _check_key(self, key: str) -> None:
        """Refuse what obstore would store under another key than the one given."""
        if any(segment in _NO_SEGMENTS for segment in key.split("/")) or has_control_characters(key):
            raise UsageError(f"the store cannot hold the key {key!r}")

    async def _send(
        self,
        vendor: Vendor,
        key: str,
        data: Bytes,
        storage_class: str | None,
        *,
        mode: Literal["create", "overwrite"],
    ) -> str:
        sending = obstore.put_async(
            vendor, key, data, attributes=_attributes(storage_class), mode=mode, use_multipart=False
        )
        result = await answered(sending)
        return self._etag(result["e_tag"])

    def _described(self, key: str, meta: ObjectMeta) -> StoredObject:
        return StoredObject(key, meta["size"], self._etag(meta["e_tag"]), meta["last_modified"])

    def _etag(self, etag: str | None) -> str:
        return etag or ""

    def _translate(self, error: Exception, key: str) -> Exception:
        return translate(error, key=key)

    def _note_success(self, vendor: Vendor) -> None:
        """Hear of an operation over `vendor` that has succeeded."""

    def _judge(self, vendor: Vendor, error: Exception) -> Exception:
        """Hear of an operation over `vendor` that has failed; return what it is to fail with."""
        return error

    @contextmanager
    def _vendor_for(self, key: str) -> Iterator[Vendor]:
        """Give out the store to talk to for one operation; what that fails with becomes the domain's."""
        vendor = self._vendor
        try:
            yield vendor
            self._note_success(vendor)
        except Exception as error:
            translated = self._judge(vendor, self._translate(error, key))
            if translated is error:
                raise
            # Not `from error`: obstore's texts repeat what the store answered, and S3 repeats signed headers, which hold
            # the session token.
            raise translated from None

    @contextmanager
    def _vendor_to_write(self, key: str) -> Iterator[Vendor]:
        """As `_vendor_for`. What is written cannot be missing: if something is, it is the place to write to."""
        try:
            with self._vendor_for(key) as vendor:
                yield vendor
        except ObjectNotFound:
            raise BucketNotFound(
                "the store finds no place to write to", hint="check --bucket, --endpoint-url and --region"
            ) from None


class _Watched:
    """Passes pieces on, and remembers what stopped them."""

    def __init__(self, parts: AsyncIterator[Bytes]) -> None:
        self._parts = parts
        self.failure: Exception | None = None

    def __aiter__(self) -> AsyncIterator[Bytes]:
        return self

    async def __anext__(self) -> Bytes:
        try:
            return await anext(self._parts)
        except StopAsyncIteration:
            raise
        except Exception as error:
            self.failure = error
            raise


def _attributes(storage_class: str | None) -> Attributes | None:
    return {"Storage-Class": storage_class} if storage_class else None


@atexit.register
def _settle() -> None:
    """Let obstore's threads go to rest before the interpreter is torn down.

    A thread of it that asks for the interpreter during that aborts the process (SIGABRT, after all work was done well).
    The event loop hears of a result a moment before the thread that brought it has let go.
    """
    time.sleep(_SETTLE_S)
