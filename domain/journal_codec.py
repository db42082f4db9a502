"""Journal lines: one JSON object a line, the header first, then a record for each stored chunk (format version 1)."""

from __future__ import annotations

import json

from s3duct.domain.chain import ChainLink
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import IntegrityError, JournalDamaged, UnsupportedFormat
from s3duct.domain.manifest_codec import decode_record, encode_record, parse_json_object
from s3duct.domain.resume import RESTART_HINT, Journal, JournalHeader, ResumeRecord, RunBinding

JOURNAL_VERSION = 1
_MARK = "s3duct_journal"


def encode_header(header: JournalHeader) -> bytes:
    """Write the header as one line, newline included."""
    binding = header.binding
    return _line(
        {
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
    )


def encode_resume_record(record: ResumeRecord) -> bytes:
    """Write one record as one line, newline included."""
    return _line({**encode_record(record.chunk), "chain": record.link.hex(), "ts": record.stored_at})


def decode_journal(data: bytes) -> tuple[Journal | None, int]:
    """Read a journal.

    Returns:
        The journal (None if not even its header is whole) and how many bytes of `data` are whole lines: what follows is the
        torn tail of a write that a crash cut off, to be overwritten.

    Raises:
        JournalDamaged: a line before the last one cannot be read.
        UnsupportedFormat: a newer version wrote it.
    """
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].splitlines()
    if not lines:
        return None, 0
    header = _decode_header(lines[0])
    records = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            records.append(_decode_record(line, name=header.binding.name))
        except (IntegrityError, KeyError, TypeError, ValueError) as error:
            raise _damaged(f"line {number} cannot be read") from error
    return Journal(header=header, records=tuple(records)), whole


def _decode_header(line: bytes) -> JournalHeader:
    try:
        fields = parse_json_object(line)
        version = int(fields[_MARK])
        if version > JOURNAL_VERSION:
            raise UnsupportedFormat(
                f"the journal has version {version}", hint="upgrade s3duct to resume this run"
            )
        binding = RunBinding(
            destination=str(fields["destination"]),
            prefix=str(fields["prefix"]),
            name=str(fields["name"]),
            chunk_size_bytes=int(fields["chunk_size"]),
            method=EncryptionMethod(fields["encryption_method"]),
            key_id=str(fields["key_id"]),
            sealed_manifest=bool(fields["encrypted_manifest"]),
            storage_class=str(fields["storage_class"]),
        )
        return JournalHeader(
            binding=binding,
            run_id=str(fields["run_id"]),
            generation=str(fields["generation"]),
            created=str(fields["created"]),
        )
    except (IntegrityError, KeyError, TypeError, ValueError) as error:
        raise _damaged("its first line cannot be read") from error


def _decode_record(line: bytes, *, name: str) -> ResumeRecord:
    fields = parse_json_object(line)
    return ResumeRecord(
        chunk=decode_record(fields, name=name),
        link=ChainLink(bytes.fromhex(fields["chain"])),
        stored_at=str(fields["ts"]),
    )


def _damaged(reason: str) -> JournalDamaged:
    return JournalDamaged(f"the journal of the unfinished run is damaged: {reason}", hint=RESTART_HINT)


def _line(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("utf-8") + b"\n"
