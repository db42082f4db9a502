"""The stores that the object store's suite runs over, and what each of them is known to do in its own way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from s3duct.adapters.object_store.local import LocalObjectStore
from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.adapters.object_store.s3 import AddressingStyle, S3ObjectStore, S3Settings
from tests.fakes.hooked_store import HookedStore
from tests.fakes.stamped_store import StampedStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from obstore.store import S3Credential

    from s3duct.domain.errors import S3ductError
    from s3duct.domain.ports.object_store import Bytes, ObjectStore
    from tests.servers import S3Server

MIB = 1 << 20
PART_BYTES = 5 * MIB


@dataclass(frozen=True, slots=True)
class Traits:
    """Known behaviour of a store. The suite asserts it either way, so that a change is noticed.

    `honours_create_only`: refuses a second create. `creates_in_turn`: of creates at the same time just one succeeds.
    `in_key_order`: lists in the order of UTF-8 bytes, not folder by folder. `part_count_in_etag`: the ETag of an
    object ends in the number of its parts. `checks_signatures`: refuses a wrong secret. `makes_buckets`: a put into a
    missing bucket makes it. `keeps_storage_class`: gives it back on HEAD.
    """

    honours_create_only: bool = True
    creates_in_turn: bool = True
    in_key_order: bool = True
    part_count_in_etag: bool = False
    checks_signatures: bool = False
    makes_buckets: bool = False
    keeps_storage_class: bool = False


TRAITS = {
    "memory": Traits(),
    "hooked-memory": Traits(),
    "stamped-memory": Traits(),
    "local-made": Traits(),
    "local-existing": Traits(),
    "seaweedfs": Traits(
        in_key_order=False,
        part_count_in_etag=True,
        checks_signatures=True,
        makes_buckets=True,
        keeps_storage_class=True,
    ),
    "rclone_s3": Traits(honours_create_only=False, creates_in_turn=False, checks_signatures=True),
    "moto_s3": Traits(creates_in_turn=False, part_count_in_etag=True, keeps_storage_class=True),
    "minio": Traits(part_count_in_etag=True, checks_signatures=True),
}
SERVERS = ["seaweedfs", "rclone_s3", "moto_s3", "minio"]


@dataclass(frozen=True, slots=True)
class StoreUnderTest:
    """A store, its traits, and the way behind it: a server or a folder."""

    store: ObjectStore
    traits: Traits
    server: S3Server | None = None
    folder: Path | None = None


class FixedCredentials:
    """A credential provider that always hands out the same keys."""

    last_error: S3ductError | None = None

    def __init__(self, access_key: str, secret_key: str, token: str | None = None) -> None:
        self._credential: S3Credential = {
            "access_key_id": access_key,
            "secret_access_key": secret_key,
            "token": token,
            "expires_at": None,
        }

    def renew(self) -> None:
        """There are no others."""

    def __call__(self) -> S3Credential:
        return self._credential


def s3_store(
    server: S3Server, *, bucket: str = "", access_key: str = "", secret_key: str = ""
) -> S3ObjectStore:
    """Open a bucket of that server, its shared one unless told."""
    settings = S3Settings(
        bucket=bucket or server.bucket,
        region=server.region,
        endpoint_url=server.endpoint_url,
        addressing=AddressingStyle.PATH,
        part_bytes=PART_BYTES,
    )
    return S3ObjectStore(
        settings, FixedCredentials(access_key or server.access_key, secret_key or server.secret_key)
    )


def make_store(name: str, tmp_path: Path, server_named: Callable[[str], S3Server]) -> StoreUnderTest:
    """Make the store of that name (a key of `TRAITS`)."""
    if name == "memory":
        return StoreUnderTest(MemoryObjectStore(), TRAITS[name])
    if name == "hooked-memory":
        return StoreUnderTest(HookedStore(MemoryObjectStore()), TRAITS[name])
    if name == "stamped-memory":
        return StoreUnderTest(StampedStore(MemoryObjectStore(), now=datetime.now(UTC)), TRAITS[name])
    if name.startswith("local"):
        folder = tmp_path / "bucket" / "of files"
        if name == "local-existing":
            folder.mkdir(parents=True)
        return StoreUnderTest(
            LocalObjectStore(folder, create=name == "local-made"), TRAITS[name], folder=folder
        )
    server = server_named(name)
    return StoreUnderTest(s3_store(server), TRAITS[name], server=server)


async def pieces_of(*pieces: Bytes) -> AsyncIterator[Bytes]:
    """Hand out those pieces, giving others a turn between them."""
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


def cut(data: bytes, step: int) -> Iterable[memoryview]:
    """Cut data into pieces of `step` bytes, the last one shorter."""
    view = memoryview(data)
    return (view[start : start + step] for start in range(0, len(view), step))


async def read_all(store: ObjectStore, key: str) -> bytes:
    """Read one object whole."""
    return b"".join([bytes(piece) async for piece in store.get(key)])


async def keys_under(store: ObjectStore, prefix: str, *, start_after: str = "") -> list[str]:
    """List keys."""
    return [entry.key async for entry in store.list(prefix, start_after=start_after)]
