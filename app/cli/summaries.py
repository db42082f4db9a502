"""Summaries on stderr: text for people, one JSON object for programs (keys of s3duct 0.4.0, and some of ours)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from s3duct.app.cli.console import say, write_line
from s3duct.app.settings import tool_version
from s3duct.domain.sizes import format_size

if TYPE_CHECKING:
    from s3duct.app.api import GetSummary, PutSummary, VerifySummary
    from s3duct.app.cli.options import OutputOptions
    from s3duct.domain.manifest import Manifest


def show_put(
    summary: PutSummary, options: OutputOptions, *, elapsed_s: float, warnings: tuple[str, ...] = ()
) -> None:
    """Show what a put did; `warnings` are those that came before it began."""
    manifest = summary.manifest
    chunks = len(manifest.chunks)
    resumed = f", {summary.chunks_resumed} of them stored before" if summary.chunks_resumed else ""
    _show(
        options,
        text=f"stored {manifest.name!r}: {format_size(manifest.total_bytes)} in {_count(chunks)}{resumed}, "
        f"{_pace(manifest.total_bytes, elapsed_s)}, {_sealing(manifest)}, manifest SHA-256 {summary.manifest_sha256}",
        fields={
            "status": "complete",
            "stream": manifest.name,
            "chunks_uploaded": chunks,
            "chunks_resumed": summary.chunks_resumed,
            "chunks_new": chunks - summary.chunks_resumed,
            "total_bytes": manifest.total_bytes,
            "chunk_size": manifest.chunk_size_bytes,
            "stream_sha256": manifest.stream_sha256,
            "stream_sha3_256": manifest.stream_sha3_256,
            "final_chain": manifest.final_chain,
            "encrypted": manifest.encrypted,
            "encryption_method": manifest.method.value,
            "encryption_recipient": manifest.recipient,
            "manifest_key": summary.manifest_key,
            "manifest_sha256": summary.manifest_sha256,
            "warnings": [*warnings, *summary.warnings],
        },
    )


def show_get(summary: GetSummary, options: OutputOptions, *, path: str | None, elapsed_s: float) -> None:
    """Show what a get did; `path` is the file that was written, None for stdout."""
    manifest = summary.manifest
    which = (
        f"bytes {summary.start} to {summary.stop} of {manifest.name!r}"
        if summary.is_part
        else repr(manifest.name)
    )
    to = "" if path is None else f" to {path!r}"
    kept = f", {summary.chunks_kept} of them there before" if summary.chunks_kept else ""
    what = "sealed bytes, not decrypted" if summary.raw else "every chunk verified"
    what += ", manifest not authenticated" if summary.accepted else ""
    _show(
        options,
        text=f"restored {which}{to}: {format_size(summary.size_bytes)} in {_count(summary.chunks)}{kept}, "
        f"{_pace(summary.bytes_written, elapsed_s)}, {what}",
        fields={
            "status": "complete",
            "stream": manifest.name,
            "chunks_downloaded": summary.chunks_downloaded,
            "chunks_kept": summary.chunks_kept,
            "total_bytes": manifest.total_bytes,
            "offset": summary.start,
            "output": path,
            "output_bytes": summary.size_bytes,
            "stream_sha256": manifest.stream_sha256,
            "stream_sha3_256": manifest.stream_sha3_256,
            "chain_verified": not summary.raw,
            "raw_mode": summary.raw,
            "encrypted": manifest.encrypted,
            "encryption_method": manifest.method.value,
            "manifest_sha256": summary.manifest_sha256,
            "warnings": [summary.accepted] if summary.accepted else [],
        },
    )


def show_verify(summary: VerifySummary, options: OutputOptions) -> None:
    """Show what verify found."""
    manifest = summary.manifest
    chunks = len(manifest.chunks)
    faulty = len(summary.mismatched) + len(summary.missing)
    if summary.ok:
        text = f"verified {manifest.name!r}: {_count(chunks)}, {format_size(manifest.total_bytes)}, {_depth(summary)}"
        text += ", manifest not authenticated" if summary.accepted else ""
    else:
        text = (
            f"error: {manifest.name!r} is damaged: {_count(len(summary.missing))} missing, "
            f"{len(summary.mismatched)} wrong, {chunks - faulty} good"
        )
    _show(
        options if summary.ok else replace(options, quiet=False),
        text=text,
        fields={
            "status": "ok" if summary.ok else "failed",
            "stream": manifest.name,
            "deep": summary.deep,
            "chain_verified": summary.plain_checked,
            "chunks_total": chunks,
            "chunks_ok": chunks - faulty,
            "chunks_mismatched": list(summary.mismatched),
            "chunks_missing": list(summary.missing),
            "errors": faulty,
            "manifest_sha256": summary.manifest_sha256,
            "warnings": [summary.accepted] if summary.accepted else [],
        },
    )


def _show(options: OutputOptions, *, text: str, fields: dict[str, object]) -> None:
    if options.summary == "json":
        write_line(json.dumps({"version": tool_version(), **fields}))
    elif options.summary == "text" and not options.quiet:
        say(text)


def _count(chunks: int) -> str:
    return "1 chunk" if chunks == 1 else f"{chunks} chunks"


def _pace(size_bytes: int, elapsed_s: float) -> str:
    return f"{elapsed_s:.1f} s, {format_size(int(size_bytes / elapsed_s))}/s"


def _sealing(manifest: Manifest) -> str:
    if not manifest.encrypted:
        return "not encrypted"
    return f"encrypted ({manifest.method.value}{', manifest too' if manifest.sealed else ''})"


def _depth(summary: VerifySummary) -> str:
    if not summary.deep:
        return "presence, size and ETag as recorded (--deep reads the content)"
    if summary.plain_checked:
        return "every byte and the chain"
    if all(record.sealed_sha256 is not None for record in summary.manifest.chunks):
        return "every sealed byte (give the key to check the content)"
    return "sizes only, since it has no digests of sealed bytes (give the key to check the content)"
