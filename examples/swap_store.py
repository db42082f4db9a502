"""Put, list, get and verify a stream through a store of your own: here a dictionary, in place of a bucket."""

# ruff: noqa: D101, D102, T201 - the port documents the six methods; an example may speak

import io
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

from s3duct.app.api import PutOptions, S3duct, Settings
from s3duct.domain.errors import ObjectExists, ObjectNotFound
from s3duct.domain.ports.object_store import Bytes, StoredObject


class DictStore:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def put(
        self, key: str, data: Bytes, *, create_only: bool = False, storage_class: str | None = None
    ) -> StoredObject:
        if create_only and key in self.objects:
            raise ObjectExists(f"the object {key!r} exists already")
        self.objects[key] = bytes(data)  # a copy: the buffer is used again
        return await self.head(key)

    async def put_parts(
        self, key: str, parts: AsyncIterator[Bytes], *, part_bytes: int, storage_class: str | None = None
    ) -> StoredObject:
        return await self.put(key, b"".join([bytes(part) async for part in parts]))

    async def get(self, key: str) -> AsyncIterator[Bytes]:
        await self.head(key)
        yield self.objects[key]

    async def head(self, key: str) -> StoredObject:
        if key not in self.objects:
            raise ObjectNotFound(f"there is no object {key!r}")
        return StoredObject(key, len(self.objects[key]), etag="")

    async def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[StoredObject]:
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > start_after:
                yield await self.head(key)

    async def delete(self, key: str) -> None:
        self.objects.pop(key, None)


with TemporaryDirectory() as folder:
    store = DictStore()
    s3duct = S3duct(Settings(bucket="a dictionary", state_dir=Path(folder)), store=store)
    original = bytes(range(256)) * 1000
    put = s3duct.put("numbers", io.BytesIO(original), PutOptions(chunk_size_bytes=100_000))
    print(f"put {put.manifest.total_bytes} bytes in {len(put.manifest.chunks)} chunks:", *store.objects)
    print("listed:", *(stream.name for stream in s3duct.list()))
    s3duct.get("numbers", restored := io.BytesIO())
    print("restored, and the same:", restored.getvalue() == original)
    store.objects["numbers/chunk-000001"] = bytes(100_000)
    print("damaged chunks found:", *s3duct.verify("numbers", deep=True).mismatched)
