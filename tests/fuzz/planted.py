"""A parser that fails on one text in 2^40: a fuzzer that is not led by what the code does never finds it."""

from __future__ import annotations

from s3duct.domain.errors import UsageError
from tests.fuzz.model import Target


def _planted(data: bytes) -> None:
    for at, expected in enumerate(b"crash"):
        if at >= len(data) or data[at] != expected:
            raise UsageError("not the one")
    raise IndexError("planted")


PLANTED = Target("planted", _planted, (UsageError,), list)
