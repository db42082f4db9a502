"""How an error message has to look, and an event loop for a test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from s3duct.domain.errors import S3ductError

T = TypeVar("T")


def assert_well_said(error: S3ductError) -> None:
    """One printable line each, lower case, no full stop; the hint too."""
    assert error.message
    assert str(error) == error.message
    for text in (error.message, error.hint):
        assert text.isprintable(), text
        assert not text.endswith("."), text
    assert not error.message[0].isupper(), error.message


def run(coroutine: Coroutine[Any, Any, T], *, timeout_s: float = 10) -> T:
    """Run a test's coroutine; one that hangs fails."""

    async def bounded() -> T:
        return await asyncio.wait_for(coroutine, timeout_s)

    return asyncio.run(bounded())


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)
