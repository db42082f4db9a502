"""Journal lines: one JSON object a line, the header first, then a record for each stored chunk (format version 1)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from s3duct.domain.chain import ChainLink
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import IntegrityError, JournalDamaged, JournalTooNew
from s3duct.domain.json_fields import Fields, invalid, parse_json_object
from s3duct.domain.manifest_codec import decode_record, encode_record
from s3duct.domain.resume import (
    RESTART_HINT,
    EarlierRun,
    Journal,
    JournalHeader,
    ManifestRecord,
    ResumeRecord,
    RunBinding,
)
from s3duct.domain.strays import MAX_RANGES, ChunkRange

JOURNAL_VERSION = 1
_MARK = "s3duct_journal"
_MANIFEST = "manifest_sha256"
_ANY = 1 << 62
_CHECK = "check"
_CHECK_DIGITS = 16
# Both become parts of object keys (see `ChunkKeys`).
_RUN_ID = re.compile(r"[0-9a-f]{8,64}")
_DIGEST_OR_NONE = re.compile(r"(?:[0-9a-f]{64})?")
_GENERATION = re.compile(r"(?:[0-9a-f]{8})?")


def encode_header(header: JournalHeader, *, in_bucket: bool = False) -> bytes:
    """Write the header as one line, newline included.

    Args:
        header: what to write.
        in_bucket: leave out the destination: a journal in the bucket lies where it belongs, and another machine may know
            the same bucket by another address.
    """
    binding = header.binding
    fields: dict[str, object] = {
        _MARK: JOURNAL_VERSION,
        "run_id": header.run_id,
        "generation": header.generation,
        "created": header.created,
        "destination": binding.destination,
        "prefix": binding.prefix,
        "name": binding.name,
        "chunk_size": binding.chunk_size_bytes,
        "encryption_method": binding.method.value,
        "key_id": binding.key_id,
        "encrypted_manifest": binding.sealed_manifest,
        "storage_class": binding.storage_class,
    }
    if in_bucket:
        del fields["destination"]
    if header.earlier:
        fields["earlier"] = [{"run_id": run.run_id, "generation": run.generation} for run in header.earlier]
    if header.replaces:
        fields["replaces"] = [{"generation": one.generation, "chunks": one.count} for one in header.replaces]
    if header.over is not None:
        fields["over"] = header.over
    return checked_line(fields)


def encode_record_line(record: ResumeRecord | ManifestRecord) -> bytes:
    """Write one record as one line, newline included."""
    if isinstance(record, ManifestRecord):
        return checked_line({_MANIFEST: record.sha256})
    return checked_line({**encode_record(record.chunk), "chain": record.link.hex(), "ts": record.stored_at})


def decode_journal(data: bytes, *, destination: str | None = None) -> tuple[Journal | None, int]:
    """Read a journal.

    Args:
        data: its lines.
        destination: where it was found, for a journal in the bucket, which does not say so itself.

    Returns:
        The journal (None if not even its header is whole) and how many bytes of `data` are whole lines: what follows is the
        torn tail of a write that a crash cut off, to be overwritten.

    Raises:
        JournalDamaged: a line before the last one cannot be read.
        JournalTooNew: a newer version wrote it.
    """
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].splitlines()
    if not lines:
        return None, 0
    header = _decode_header(lines[0], destination)
    records: list[ResumeRecord] = []
    manifests: set[str] = set()
    for number, line in enumerate(lines[1:], start=2):
        try:
            record = _decode_record(line, name=header.binding.name)
        except IntegrityError as error:
            raise _damaged(f"line {number} cannot be read", run_id=header.run_id) from error
        if isinstance(record, ManifestRecord):
            manifests.add(record.sha256)
        else:
            records.append(record)
    return Journal(header=header, records=tuple(records), manifests=frozenset(manifests)), whole


def _decode_header(line: bytes, destination: str | None) -> JournalHeader:
    try:
        version = Fields(parse_json_object(line)).integer(_MARK, low=1, high=_ANY)
        if version > JOURNAL_VERSION:
            run_id = parse_json_object(line).get("run_id")
            raise JournalTooNew(
                f"the journal of the unfinished run has version {version}",
                hint=f"upgrade s3duct to resume this run, or {RESTART_HINT}",
                run_id=run_id if isinstance(run_id, str) else "",
            )
        document = parse_checked_line(line)
        fields = Fields(document)
        binding = RunBinding(
            destination=fields.text("destination") if destination is None else destination,
            prefix=fields.text("prefix"),
            name=fields.text("name"),
            chunk_size_bytes=fields.integer("chunk_size", low=1, high=_ANY),
            method=EncryptionMethod(document["encryption_method"]),
            key_id=fields.text("key_id"),
            sealed_manifest=fields.boolean("encrypted_manifest"),
            storage_class=fields.text("storage_class"),
        )
        return JournalHeader(
            binding=binding,
            run_id=_hex(fields, "run_id", _RUN_ID),
            generation=_hex(fields, "generation", _GENERATION),
            created=fields.text("created"),
            earlier=tuple(
                EarlierRun(_hex(Fields(run), "run_id", _RUN_ID), _hex(Fields(run), "generation", _GENERATION))
                for run in (fields.array("earlier") if "earlier" in document else ())
            ),
            replaces=_ranges(fields.array("replaces") if "replaces" in document else ()),
            over=_hex(fields, "over", _DIGEST_OR_NONE) if "over" in document else None,
        )
    except (IntegrityError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged("its first line cannot be read") from error


def _ranges(documents: Iterable[Any]) -> tuple[ChunkRange, ...]:
    ranges = [
        ChunkRange(_hex(fields, "generation", _GENERATION), fields.integer("chunks", low=1, high=_ANY))
        for fields in map(Fields, documents)
    ]
    if len(ranges) > MAX_RANGES:
        raise ValueError("a run does not replace so much")
    return tuple(ranges)


def _hex(fields: Fields, key: str, pattern: re.Pattern[str]) -> str:
    text = fields.text(key)
    if not pattern.fullmatch(text):
        raise ValueError(f"{key} is not what names a run")
    return text


def _decode_record(line: bytes, *, name: str) -> ResumeRecord | ManifestRecord:
    document = parse_checked_line(line)
    fields = Fields(document)
    if _MANIFEST in document:
        return ManifestRecord(fields.digest(_MANIFEST).hex())
    return ResumeRecord(
        chunk=decode_record(document, name=name),
        link=ChainLink(fields.digest("chain")),
        stored_at=fields.text("ts"),
    )


def _damaged(reason: str, *, run_id: str = "") -> JournalDamaged:
    return JournalDamaged(
        f"the journal of the unfinished run is damaged: {reason}", hint=RESTART_HINT, run_id=run_id
    )


def checked_line(fields: Mapping[str, object]) -> bytes:
    """Write one JSON object as one line, newline included, with a check value over the others at its end."""
    checked = {**fields, _CHECK: _check_value(fields)}
    return json.dumps(checked, separators=(",", ":")).encode("utf-8") + b"\n"


def parse_checked_line(line: bytes) -> dict[str, Any]:
    """Parse one line of `checked_line` whole. Raises `ManifestInvalid` if it is no JSON, or not as it was written."""
    fields = parse_json_object(line)
    if fields.pop(_CHECK, None) != _check_value(fields):
        invalid("a line does not match its check value")
    return fields


def _check_value(fields: Mapping[str, object]) -> str:
    """SHA-256 over the line without it, cut to 64 bits: against failing disks, not against forgers."""
    content = json.dumps(fields, separators=(",", ":")).encode("utf-8")
    return hashlib.sha256(content).hexdigest()[:_CHECK_DIGITS]
