from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from s3duct.domain.chunk import chunk_key
from s3duct.domain.errors import UsageError
from s3duct.domain.names import (
    StreamLocation,
    check_stream_name,
    normalize_prefix,
    stream_name_of_manifest_key,
)
from tests.unit.saying import assert_well_said
from tests.unit.strategies import generations, prefixes, stream_names

BAD_PATHS = [
    "/", "//", "/a", "a//b", ".", "..", "./a", "../a", "a/..", "a/./b", "a/../b", "a\nb", "a\x00", "\x1b[2J", "a\x7f",
    "a\u2028b", "a\u202eb", "\ud800", "x" * 2000, "é" * 500,
]  # fmt: skip


@pytest.mark.parametrize("name", ["", "a/", "/a/", *BAD_PATHS])
def test_a_name_that_makes_no_good_key_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_stream_name(name)
    assert_well_said(caught.value)


@pytest.mark.parametrize(
    "name", ["a", "a/b/c", "...", ".a", "a..b", "a b", "Ärger/漢字/🦆", "x" * 960, "-", "~", "a:b"]
)
def test_a_good_name_is_returned_as_it_is(name: str) -> None:
    assert check_stream_name(name) == name


@pytest.mark.parametrize(
    ("prefix", "normalized"),
    [
        ("", ""),
        ("a", "a/"),
        ("a/", "a/"),
        ("a///", "a/"),
        ("a/b", "a/b/"),
        ("a/b//", "a/b/"),
        ("a b", "a b/"),
    ],
)
def test_a_prefix_ends_with_exactly_one_slash(prefix: str, normalized: str) -> None:
    assert normalize_prefix(prefix) == normalized


@pytest.mark.parametrize("prefix", BAD_PATHS)
def test_a_prefix_that_makes_no_good_key_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError) as caught:
        normalize_prefix(prefix)
    assert_well_said(caught.value)


@given(prefixes, st.integers(0, 4))
def test_normalizing_twice_changes_nothing(prefix: str, slashes: int) -> None:
    extra = "/" * slashes if prefix else ""
    assert normalize_prefix(prefix + extra) == prefix
    assert normalize_prefix(normalize_prefix(prefix)) == prefix


@given(st.text(), st.text())
@example("a" * 600, "b" * 600)
def test_any_texts_are_a_location_or_refused(prefix: str, name: str) -> None:
    try:
        location = StreamLocation.parse(prefix=prefix, name=name)
    except UsageError as error:
        assert_well_said(error)
    else:
        assert location.name == name
        assert len(location.full_key(chunk_key(name, 10**6, generation="0123abcd")).encode()) <= 1024
        assert len(location.manifest_key.encode()) <= 1024


@given(prefixes, stream_names, generations, st.integers(0, 10**7))
def test_everything_of_a_stream_lies_in_its_folder(
    prefix: str, name: str, generation: str, index: int
) -> None:
    location = StreamLocation.parse(prefix=prefix, name=name)
    assert location.folder == f"{prefix}{name}/"
    assert location.manifest_key == f"{prefix}{name}/.manifest.json"
    chunk = location.full_key(chunk_key(name, index, generation=generation))
    assert chunk.startswith(location.folder)
    assert chunk != location.manifest_key


@given(prefixes, stream_names)
def test_the_name_is_found_again_in_the_key_of_the_manifest(prefix: str, name: str) -> None:
    location = StreamLocation.parse(prefix=prefix, name=name)
    assert stream_name_of_manifest_key(location.manifest_key, prefix=prefix) == name


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        ("a/chunk-000000", ""),
        (".manifest.json", ""),
        ("/.manifest.json", ""),
        ("a.manifest.json", ""),
        ("a/.manifest.json.tmp", ""),
        ("a/.manifest.json/chunk-000000", ""),
        ("p/.manifest.json", "p/"),
        ("q/a/.manifest.json", "p/"),
        ("", ""),
    ],
)
def test_other_keys_name_no_stream(key: str, prefix: str) -> None:
    assert stream_name_of_manifest_key(key, prefix=prefix) is None
