from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.errors import UsageError
from s3duct.domain.storage_class import StorageClass, parse_storage_class
from tests.unit.saying import assert_well_said


@pytest.mark.parametrize("member", StorageClass)
def test_every_class_is_accepted_in_any_case(member: StorageClass) -> None:
    assert member.name == member.value
    for text in (member.value, member.value.lower(), member.value.title()):
        assert parse_storage_class(text) is member


@pytest.mark.parametrize("text", ["", " STANDARD", "FAST", "GLACIER-IR", "STANDARD\n", "\x1b[2J"])
def test_an_unknown_class_is_refused_with_those_that_are_known(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_storage_class(text)
    assert_well_said(caught.value)
    assert all(member.value in caught.value.hint for member in StorageClass)


@given(st.text())
def test_any_text_is_a_class_or_refused(text: str) -> None:
    try:
        assert parse_storage_class(text).value == text.upper()
    except UsageError as error:
        assert_well_said(error)
