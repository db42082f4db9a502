"""Reads journals of unfinished runs as they lie in the state folder and in a bucket: with no code of the product."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.buckets import Bucket


@dataclass(frozen=True, slots=True)
class JournalText:
    """One journal: its header, and the chunk records of its whole lines."""

    header: dict[str, Any]
    records: list[dict[str, Any]]

    @property
    def keys(self) -> set[str]:
        """Relative keys of the chunks on record."""
        return {record["s3_key"] for record in self.records}

    @property
    def indices(self) -> set[int]:
        """Indices of the chunks on record."""
        return {record["index"] for record in self.records}


def state_folder() -> Path:
    """Where the isolated environment of a test keeps journals."""
    return Path(os.environ["S3DUCT_STATE_DIR"])


def journal_files() -> dict[str, bytes]:
    """All journals, byte by byte."""
    return {path.name: path.read_bytes() for path in sorted(state_folder().glob("*.jsonl"))}


def read_journal(name: str) -> JournalText | None:
    """The journal of stream `name`, without a torn last line; None if there is none (or it is empty)."""
    for content in journal_files().values():
        lines = content[: content.rfind(b"\n") + 1].splitlines()
        if not lines:
            continue
        header = json.loads(lines[0])
        if header["name"] == name:
            records = [json.loads(line) for line in lines[1:]]
            return JournalText(header, [record for record in records if "s3_key" in record])
    return None


def read_bucket_journal(bucket: Bucket, folder: str) -> JournalText | None:
    """The copy of the run that has claimed the stream in `folder`; None if there is none. It must not be sealed."""
    keys = sorted(bucket.listing(f"{folder}.resume/"))
    claim = f"{folder}.resume/claim.json"
    if claim not in keys:
        return None
    run_id = json.loads(bucket.read(claim))["run_id"]
    segments = [bucket.read(key) for key in keys if key.startswith(f"{folder}.resume/{run_id}/")]
    lines = [json.loads(line) for line in b"".join(segments).splitlines()]
    return JournalText(lines[0], [line for line in lines if "s3_key" in line]) if lines else None
