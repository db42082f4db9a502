"""An event loop that has no memory for what other threads schedule."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest


def refuse_memory(monkeypatch: pytest.MonkeyPatch, *, times: int) -> list[str]:
    """Have the running loop refuse so often; return the names of what it refuses."""
    loop = asyncio.get_running_loop()
    schedule = loop.call_soon_threadsafe
    refused: list[str] = []

    def refusing(callback: Any, *args: Any, **kwargs: Any) -> asyncio.Handle:
        if len(refused) < times:
            refused.append(callback.__name__)
            raise MemoryError
        return schedule(callback, *args, **kwargs)

    monkeypatch.setattr(loop, "call_soon_threadsafe", refusing)
    return refused
