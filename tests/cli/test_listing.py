"""The table of `list` comes block by block, and is not kept until its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from s3duct.app.cli.listing import show_as_json, show_as_table
from s3duct.app.usecases.list_streams import ListedStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Streams:
    """Streams `n000000` and on, the last one with a longer name; `shown` is what stood on stdout before the last."""

    def __init__(self, count: int, capsys: pytest.CaptureFixture[str]) -> None:
        self._count = count
        self._capsys = capsys
        self.shown = ""

    async def __call__(self) -> AsyncGenerator[ListedStream, None]:
        for index in range(self._count - 1):
            yield ListedStream(f"n{index:06d}", None, "", None)
        self.shown = self._capsys.readouterr().out
        yield ListedStream("a-longer-name", None, "", None)


def test_a_long_table_begins_before_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    streams = Streams(1300, capsys)
    asyncio.run(show_as_table(streams()))
    lines = (streams.shown + capsys.readouterr().out).splitlines()
    assert len(streams.shown.splitlines()) >= 1000
    assert [line.split()[0] for line in lines] == [
        "NAME",
        *(f"n{index:06d}" for index in range(1299)),
        "a-longer-name",
    ]
    assert lines[1].index("sealed manifest") == lines[0].index("ENCRYPTION")


def test_a_short_table_has_columns_as_wide_as_its_widest_row(capsys: pytest.CaptureFixture[str]) -> None:
    streams = Streams(300, capsys)
    asyncio.run(show_as_table(streams()))
    assert streams.shown == ""
    lines = capsys.readouterr().out.splitlines()
    assert {line.index("sealed manifest") for line in lines[1:]} == {lines[0].index("ENCRYPTION")}


def test_json_comes_stream_by_stream(capsys: pytest.CaptureFixture[str]) -> None:
    streams = Streams(10, capsys)
    asyncio.run(show_as_json(streams()))
    assert streams.shown.count("\n") == 9


def test_no_streams_are_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    async def none() -> AsyncGenerator[ListedStream, None]:
        for stream in list[ListedStream]():
            yield stream

    asyncio.run(show_as_table(none()))
    assert capsys.readouterr().out == ""
