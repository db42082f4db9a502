"""What `ports.object_store` promises of keys and of listing, over every adapter."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import pytest

from s3duct.domain.errors import S3ductError, StoreError, UsageError
from tests.contract.object_stores import TRAITS, StoreUnderTest, keys_under, make_store, read_all, s3_store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.servers import S3Server

# Every kind of character that a URL, a shell or a file system makes something of.
NAMES = [
    "a b", "a+b", "a%b", "a%20b", "a#b", "a~b", "a'b", 'a"b', "a&b=c", "a?b", "a*b", "a:b", "a;b", "a,b", "a@b", "(a)",
    "[a]", "{a}", "<a>", "a|b", "a^b", "a`b", "$a", "!a", "ü", "é", "e\N{COMBINING ACUTE ACCENT}",
    "\N{HALFWIDTH WHITE CIRCLE}", "\N{GRINNING FACE}", ".a", "a.", "..a", "-a", "n/e/s/t/e/d/o", "d i r/ü+%#~'/f",
]  # fmt: skip


@pytest.fixture(params=list(TRAITS))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> StoreUnderTest:
    return make_store(request.param, tmp_path, request.getfixturevalue)


@pytest.fixture(params=["memory", "local-made"])
def local_case(request: pytest.FixtureRequest, tmp_path: Path) -> StoreUnderTest:
    return make_store(request.param, tmp_path, request.getfixturevalue)


def test_names_come_back_as_they_were_given(case: StoreUnderTest, unique_name: str) -> None:
    async def scenario() -> None:
        keys = [f"{unique_name}/{name}" for name in NAMES]
        await asyncio.gather(*(case.store.put(key, key.encode()) for key in keys))
        for key in keys:
            assert await read_all(case.store, key) == key.encode()
            assert (await case.store.head(key)).key == key
        assert sorted(await keys_under(case.store, f"{unique_name}/")) == sorted(keys)
        await asyncio.gather(*(case.store.delete(key) for key in keys))
        assert await keys_under(case.store, f"{unique_name}/") == []

    asyncio.run(scenario())


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "a/../b", "./a", "a\nb", "a\0b", "a#1"])
def test_a_key_is_kept_exactly_or_refused_for_good(local_case: StoreUnderTest, key: str) -> None:
    async def scenario() -> None:
        refused: S3ductError | None = None
        try:
            await local_case.store.put(key, b"x")
        except S3ductError as error:
            refused = error
        assert refused is None or isinstance(refused, UsageError)
        assert await keys_under(local_case.store, "") == ([] if refused else [key])

    asyncio.run(scenario())


def test_listing_is_in_the_order_of_the_keys_and_starts_after_any_text(
    case: StoreUnderTest, unique_name: str
) -> None:
    # Where one key is a folder's name and others go on from there, folder order is not key order ("/" is 0x2F).
    names = ["a", "a!", "a b", "a/b", "a/c", "a0", "b", "B/x", "z/1/2", "ü", "\uff0f", "\U0001f600"]
    if case.server is not None or case.folder is not None:
        names.remove("a")  # a folder cannot be a file too

    async def scenario() -> None:
        folder = f"{unique_name}/"
        keys = sorted((folder + name for name in names), key=lambda key: key.encode())
        await asyncio.gather(
            *(case.store.put(key, b"") for key in (*keys, f"{unique_name}x/no", f"{unique_name}-"))
        )
        listed = await keys_under(case.store, folder)
        if not case.traits.in_key_order:
            # SeaweedFS walks its folders: a folder's keys come where the folder's own name sorts.
            assert listed == sorted(keys, key=lambda key: [part.encode() for part in key.split("/")])
            return
        assert listed == keys
        for mark in (*keys, folder + "a", folder + "az", folder + "~", unique_name, "~"):
            after = [key for key in keys if key.encode() > mark.encode()]
            assert await keys_under(case.store, folder, start_after=mark) == after
        assert await keys_under(case.store, folder + "a/") == [folder + "a/b", folder + "a/c"]
        assert await keys_under(case.store, folder + "none/") == []
        everything = await keys_under(case.store, "")
        assert everything == sorted(everything, key=lambda key: key.encode())
        assert set(keys) < set(everything)

    asyncio.run(scenario())


def test_a_listing_may_start_after_the_name_of_a_folder(case: StoreUnderTest, unique_name: str) -> None:
    if not case.traits.in_key_order:
        return  # what "after" means there is shown above

    async def scenario() -> None:
        for name in ("a!", "a/b", "b/c"):
            await case.store.put(f"{unique_name}/{name}", b"")
        after = await keys_under(case.store, f"{unique_name}/", start_after=f"{unique_name}/a/")
        assert after == [f"{unique_name}/a/b", f"{unique_name}/b/c"]  # "a!" is less than "a/"

    asyncio.run(scenario())


@pytest.mark.parametrize("foreign", ["a//b", "/a", "a/../b", "tab\there"])
def test_a_key_that_obstore_cannot_hold_stops_the_listing_of_its_part_alone(
    moto_s3: S3Server, unique_name: str, foreign: str
) -> None:
    # obstore gives up a whole page for one such key, so that no entry can be skipped. Other prefixes are not concerned.
    client = moto_s3.client()
    for name in ("a-first", f"b/{foreign}", "c/last"):
        client.put_object(Bucket=moto_s3.bucket, Key=f"{unique_name}/{name}", Body=b"x")
    store = s3_store(moto_s3)
    try:
        for prefix in ("", f"{unique_name}/", f"{unique_name}/b/"):
            with pytest.raises(StoreError, match="key cannot be handled") as caught:
                asyncio.run(keys_under(store, prefix))
            assert not caught.value.retryable
            assert "\n" not in caught.value.message
            assert "--prefix" in caught.value.hint
        assert asyncio.run(keys_under(store, f"{unique_name}/c/")) == [f"{unique_name}/c/last"]
    finally:
        # Or every later listing of the whole bucket would fail as well.
        client.delete_object(Bucket=moto_s3.bucket, Key=f"{unique_name}/b/{foreign}")
        client.close()
    assert asyncio.run(keys_under(store, f"{unique_name}/")) == [
        f"{unique_name}/a-first",
        f"{unique_name}/c/last",
    ]


def test_the_mark_of_a_folder_is_listed_without_its_slash(moto_s3: S3Server, unique_name: str) -> None:
    # Consoles of object stores make empty objects "dir/" for folders.
    client = moto_s3.client()
    for name in ("dir/", "z"):
        client.put_object(Bucket=moto_s3.bucket, Key=f"{unique_name}/{name}", Body=b"")
    client.close()
    listed = asyncio.run(keys_under(s3_store(moto_s3), f"{unique_name}/"))
    assert listed == [f"{unique_name}/dir", f"{unique_name}/z"]


def test_a_listing_of_more_than_one_page_is_whole(case: StoreUnderTest, unique_name: str) -> None:
    async def scenario() -> None:
        keys = [f"{unique_name}/chunk-{index:06d}" for index in range(1100)]
        turn = asyncio.Semaphore(32)

        async def put(key: str) -> None:
            async with turn:
                await case.store.put(key, b"")

        await asyncio.gather(*(put(key) for key in reversed(keys)))
        assert await keys_under(case.store, f"{unique_name}/") == keys
        assert await keys_under(case.store, f"{unique_name}/", start_after=keys[49]) == keys[50:]
        # Leaving early is fine.
        async with aclosing(cast("AsyncGenerator[object]", case.store.list(f"{unique_name}/"))) as listing:
            await anext(listing)

    asyncio.run(scenario())
