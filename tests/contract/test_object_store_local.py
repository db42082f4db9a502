"""What the local folder adds to the port: durable writes, no leftovers, no storage classes, its own refusals."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import resource
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.object_store.local import LocalObjectStore
from s3duct.domain.errors import (
    AccessDenied,
    BucketNotFound,
    LocalResourceError,
    S3ductError,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from tests.contract.object_stores import PART_BYTES, keys_under, pieces_of, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_that_is_a_file_is_no_bucket(tmp_path: Path, create: bool) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((BucketNotFound, LocalResourceError)) as caught:
        LocalObjectStore(tmp_path / "file", create=create)
    assert str(tmp_path / "file") in caught.value.message
    with pytest.raises((BucketNotFound, LocalResourceError)):
        LocalObjectStore(tmp_path / "file" / "below", create=create)


def test_a_missing_folder_is_a_missing_bucket(tmp_path: Path) -> None:
    with pytest.raises(BucketNotFound) as caught:
        LocalObjectStore(tmp_path / "missing", create=False)
    assert caught.value.hint
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("key", ["a" * 300, "file/below"])
def test_a_key_that_no_file_can_have_is_not_called_a_store_that_does_not_answer(
    tmp_path: Path, key: str
) -> None:
    (tmp_path / "file").touch()
    store = LocalObjectStore(tmp_path, create=False)
    with pytest.raises(LocalResourceError) as caught:
        asyncio.run(read_all(store, key))
    assert "answer" not in caught.value.message
    assert caught.value.message.endswith(("(file name too long)", "file name too long", "not a directory"))


def test_an_existing_folder_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "there").write_bytes(b"before")
    tmp_path.chmod(0o755)

    async def scenario() -> None:
        for create in (True, False):
            store = LocalObjectStore(tmp_path, create=create)
            assert await read_all(store, "sub/there") == b"before"
            assert "sub/there" in await keys_under(store, "sub/")
        await store.put("sub/new", b"after")

    asyncio.run(scenario())
    assert (tmp_path / "sub" / "new").read_bytes() == b"after"
    assert tmp_path.stat().st_mode & 0o777 == 0o755


RANGE = 1 << 20


@pytest.mark.parametrize("size_bytes", [0, 1, RANGE - 1, RANGE, RANGE + 1, 3 * RANGE, 3 * RANGE + 7])
def test_an_object_of_any_size_is_read_whole(tmp_path: Path, size_bytes: int) -> None:
    content = random.Random(size_bytes).randbytes(size_bytes)
    (tmp_path / "k").write_bytes(content)
    assert asyncio.run(read_all(LocalObjectStore(tmp_path, create=False), "k")) == content


def test_an_object_that_is_replaced_while_it_is_read_is_not_mixed_with_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"a" * 3 * RANGE)
    (tmp_path / "new").write_bytes(b"b" * 3 * RANGE)

    async def scenario() -> None:
        pieces = LocalObjectStore(tmp_path, create=False).get("k")
        assert bytes(await anext(pieces)) + bytes(await anext(pieces)) == b"a" * 2 * RANGE
        (tmp_path / "new").replace(tmp_path / "k")
        with pytest.raises(StoreUnavailable, match="replaced"):
            await anext(pieces)

    asyncio.run(scenario())


@pytest.mark.parametrize("storage_class", ["GLACIER", "standard", "anything"])
def test_a_storage_class_is_refused(tmp_path: Path, storage_class: str) -> None:
    store = LocalObjectStore(tmp_path / "b", create=True)

    async def scenario() -> None:
        with pytest.raises(UsageError, match="storage class"):
            await store.put("k", b"x", storage_class=storage_class)
        with pytest.raises(UsageError, match="storage class"):
            await store.put_parts("k", pieces_of(b"x"), part_bytes=PART_BYTES, storage_class=storage_class)
        await store.put("k", b"x", storage_class="STANDARD")

    asyncio.run(scenario())
    assert files_in(tmp_path / "b") == ["k"]


@pytest.mark.parametrize("way", ["put", "create", "put_parts"])
def test_a_write_is_on_the_disk_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def recording(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append(path.with_name(path.name.partition("#")[0]))  # the name before it is complete
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    bucket = tmp_path / "b"
    store = LocalObjectStore(bucket, create=True)
    if way == "put_parts":
        asyncio.run(store.put_parts("n/e/k", pieces_of(b"x"), part_bytes=PART_BYTES))
    else:
        asyncio.run(store.put("n/e/k", b"x", create_only=way == "create"))
    assert {bucket / "n/e/k", bucket / "n/e", bucket / "n", bucket} <= set(synced)


def test_what_a_killed_write_left_goes_with_the_next_write_of_its_key(tmp_path: Path) -> None:
    for name in ("k#1", "k#23", "k#", "k#x", "kk#1", "other"):
        (tmp_path / name).write_bytes(b"left")
    store = LocalObjectStore(tmp_path, create=False)
    asyncio.run(store.put_parts("k", pieces_of(b"new"), part_bytes=PART_BYTES))
    found = set(files_in(tmp_path))
    assert {"k", "k#", "k#x", "kk#1", "other"} == found
    assert (tmp_path / "k").read_bytes() == b"new"


def test_what_a_killed_write_left_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for name in ("k", "k#1", "k#23"):
        (tmp_path / "s" / name).write_bytes(b"left")
    assert asyncio.run(keys_under(LocalObjectStore(tmp_path, create=False), "s/")) == ["s/k"]


def test_an_object_in_the_way_of_a_folder_is_no_reason_to_go_on_trying(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path / "b", create=True)

    async def scenario() -> None:
        await store.put("a", b"x")
        await store.put("f/x", b"x")
        for key in ("a/b", "f", "x" * 300):
            with pytest.raises(S3ductError) as caught:
                await store.put(key, b"x")
            assert not caught.value.retryable
            assert "endpoint" not in caught.value.hint  # a folder has none

    asyncio.run(scenario())


def test_a_folder_without_permission_is_denied(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    store = LocalObjectStore(tmp_path / "b", create=True)
    (tmp_path / "b").chmod(0o500)
    try:
        with pytest.raises(AccessDenied):
            asyncio.run(store.put("k", b"x"))
    finally:
        (tmp_path / "b").chmod(0o700)


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond that: writes fail as on a full disk (EFBIG; Python ignores SIGXFSZ)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("way", ["put", "put_parts"])
def test_a_disk_that_takes_no_more_leaves_nothing_and_speaks_of_no_network(tmp_path: Path, way: str) -> None:
    store = LocalObjectStore(tmp_path / "b", create=True)
    data = bytes(100_000)

    async def scenario() -> None:
        with largest_file(50_000):
            if way == "put":
                await store.put("k", data)
            else:
                await store.put_parts("k", pieces_of(data), part_bytes=PART_BYTES)

    with pytest.raises((LocalResourceError, StoreError)) as caught:
        asyncio.run(scenario())
    assert "\n" not in caught.value.message
    assert files_in(tmp_path / "b") == []
    assert "endpoint" not in caught.value.hint


def test_a_full_disk_is_not_kept_full_by_what_a_killed_write_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key#1").write_bytes(b"half")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = LocalObjectStore(tmp_path, create=False)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(LocalResourceError, match="No space left"):
            asyncio.run(store.put("key", b"whole"))
    assert not (tmp_path / "key#1").exists()


def test_names_that_the_locale_would_write_otherwise_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    store = LocalObjectStore(tmp_path, create=False)
    with pytest.raises(UsageError, match="UTF-8"):
        asyncio.run(store.put("h\xe9", b""))
    asyncio.run(store.put("he", b""))
