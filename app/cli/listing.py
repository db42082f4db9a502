"""How `list` shows streams: aligned columns for people, a JSON array for programs. This is the one output on stdout."""

import json
from collections.abc import AsyncIterable, Sequence

from s3duct.app.api import ListedStream
from s3duct.app.cli.console import printable, write_result
from s3duct.domain.sizes import format_size

Row = tuple[str, str, str, str, str]

_HEADER: Row = ("NAME", "CHUNKS", "BYTES", "DATE (UTC)", "ENCRYPTION")
_LINES_AT_ONCE = 500


async def show_as_table(streams: AsyncIterable[ListedStream]) -> None:
    """Write one line a stream: name, chunks, bytes, date, encryption.

    Block by block: a column may grow from one to the next.
    """
    block: list[Row] = []
    widths = [0] * len(_HEADER)
    async for stream in streams:
        block = block or ([] if any(widths) else [_HEADER])
        block.append(_printable(_row(stream)))
        if len(block) >= _LINES_AT_ONCE:
            widths = _show(block, widths)
            block = []
    if block:
        _show(block, widths)


async def show_as_json(streams: AsyncIterable[ListedStream]) -> None:
    """Write a JSON array, one stream a line, as they come."""
    separator = "["
    async for stream in streams:
        write_result(separator + "\n  " + json.dumps(_fields(stream)))
        separator = ","
    write_result("[]\n" if separator == "[" else "\n]\n")


def _show(block: Sequence[Row], widths: Sequence[int]) -> list[int]:
    """Write lines in columns of these widths at least; return what they took."""
    widths = [max(width, *(len(row[column]) for row in block)) for column, width in enumerate(widths)]
    lines = (
        f"{name:<{widths[0]}}  {chunks:>{widths[1]}}  {size:>{widths[2]}}  {date:<{widths[3]}}  {sealing}"
        for name, chunks, size, date, sealing in block
    )
    write_result("".join(line.rstrip() + "\n" for line in lines))
    return widths


def _printable(row: Row) -> Row:
    name, chunks, size, date, sealing = map(printable, row)
    return name, chunks, size, date, sealing


def _row(stream: ListedStream) -> Row:
    manifest = stream.manifest
    if manifest is None:
        date = "" if stream.modified is None else f"{stream.modified:%Y-%m-%d %H:%M:%S}"
        return (
            stream.name,
            "-",
            "-",
            date,
            "sealed manifest" if stream.sealed else f"unreadable: {stream.problem}",
        )
    sealing = (manifest.method.value or "none") + (", sealed manifest" if manifest.sealed else "")
    sealing += ", unproven" if stream.unproven else ""
    date = manifest.created[:19].replace("T", " ")
    return stream.name, str(manifest.chunk_count), format_size(manifest.total_bytes), date, sealing


def _fields(stream: ListedStream) -> dict[str, object]:
    manifest = stream.manifest
    fields: dict[str, object] = {
        "name": stream.name,
        "sealed": stream.sealed,
        "problem": stream.problem or None,
        "unproven": stream.unproven,
        "modified": None if stream.modified is None else stream.modified.isoformat(),
    }
    if manifest is not None:
        fields |= {
            "created": manifest.created,
            "chunks": manifest.chunk_count,
            "chunk_size": manifest.chunk_size_bytes,
            "total_bytes": manifest.total_bytes,
            "encrypted": manifest.encrypted,
            "encryption_method": manifest.method.value,
            "encryption_recipient": manifest.recipient,
            "encrypted_manifest": manifest.sealed,
            "storage_class": manifest.storage_class,
            "description": manifest.description,
            "tags": dict(manifest.tags),
            "tool_version": manifest.tool_version,
        }
    return fields
