"""Questions about the run on record and the stream that is stored: plain answers from what was read of both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from s3duct.domain.chunk import ChunkKeys, chunk_key, is_chunk_key, spare_generation
from s3duct.domain.errors import JournalDamaged
from s3duct.domain.manifest import Manifest
from s3duct.domain.ports.object_store import StoredObject
from s3duct.domain.resume import (
    RESTART_HINT,
    Journal,
    JournalHeader,
    ResumeRecord,
    RunBinding,
)


@dataclass(frozen=True, slots=True)
class ExistingStream:
    """The stream stored under the name.

    `manifest` is None where it cannot be read with the key in hand; `manifest_sha256` (hex) is the digest of its object,
    empty where that is too large to be one. `stored` is what the store says of it.
    """

    manifest: Manifest | None
    manifest_sha256: str
    stored: StoredObject | None = None


def keys_of(header: JournalHeader) -> ChunkKeys:
    """Return where the chunks of a run go."""
    return ChunkKeys(header.binding.name, header.generation, spare_generation(header.run_id))


def check_keys(records: Iterable[ResumeRecord], header: JournalHeader) -> None:
    """Check that the run put its chunks where it says: otherwise the manifest would name another stream's."""
    name = header.binding.name
    generations = (header.generation, *(run.generation for run in header.earlier))
    # Looked up, not gone through: a forged header may name tens of thousands.
    own = {chunk_key(name, 0, generation=generation).rpartition("/")[0] for generation in generations}
    for record in records:
        folder, _, file = record.chunk.key.rpartition("/")
        if folder not in own or file != chunk_key("", record.chunk.index)[1:]:
            raise JournalDamaged(
                f"the journal's record of chunk {record.chunk.index} names another chunk's object",
                hint=RESTART_HINT,
            )


def deletable_keys(replaced: ExistingStream | None) -> frozenset[str]:
    """Keys of the chunks that go with the old stream. A forged manifest must not name those of a stream below it."""
    old = None if replaced is None else replaced.manifest
    if old is None:
        return frozenset()
    return frozenset(record.key for record in old.chunks if is_chunk_key(record.key, name=old.name))


def stored_bytes(record: ResumeRecord) -> int:
    """Return the size of a chunk's object."""
    sealed = record.chunk.sealed_size_bytes
    return record.chunk.size_bytes if sealed is None else sealed


def is_of_use(recorded: Journal, binding: RunBinding, existing: ExistingStream | None) -> bool:
    """Whether the recorded run has stored anything that would be lost by starting over, and may go on."""
    if is_of_this_run(existing, recorded):
        return recorded.header.binding == binding
    is_bound_so = recorded.header.binding == binding
    if not is_bound_so and not recorded.records:
        return False
    return not ((is_bound_so and _was_passed(existing, recorded)) or _would_overwrite(existing, recorded))


def _was_passed(existing: ExistingStream | None, recorded: Journal) -> bool:
    """Whether a stream was finished since the recorded run began: who did that may be removing the run's chunks."""
    over = recorded.header.over
    return existing is not None and over is not None and existing.manifest_sha256 != over


def names_visible_chunks(existing: ExistingStream | None, recorded: Journal) -> bool:
    """Whether the stream that is there holds chunks that the run has on record: made of them by another, or forged."""
    if existing is None or existing.manifest is None:
        return False
    named = {record.key for record in existing.manifest.chunks}
    return any(record.chunk.key in named for record in recorded.records)


def _would_overwrite(existing: ExistingStream | None, recorded: Journal) -> bool:
    """Whether the recorded run writes keys that a stream finished by somebody else meanwhile uses."""
    if existing is None:
        return False
    if existing.manifest is None:
        return not recorded.header.generation  # whose keys cannot be known; plain ones are the likely ones
    generation = recorded.header.generation
    own = chunk_key(recorded.header.binding.name, 0, generation=generation).rsplit("/", 1)[0]
    return any(record.key.rsplit("/", 1)[0] == own for record in existing.manifest.chunks)


def is_of_this_run(existing: ExistingStream | None, recorded: Journal | None) -> bool:
    """Whether the recorded run wrote the manifest just before it was cut off."""
    return existing is not None and recorded is not None and existing.manifest_sha256 in recorded.manifests
