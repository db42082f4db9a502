"""The start of a put: is the name free, does an unfinished run continue, and where do new chunks go?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from s3duct.app.pipeline.manifest_io import open_manifest, read_manifest
from s3duct.app.pipeline.retrying import Retrier
from s3duct.domain.chunk import ChunkKeys, chunk_key, is_chunk_key
from s3duct.domain.errors import (
    DecryptionFailed,
    IntegrityError,
    JournalDamaged,
    ManifestInvalid,
    ObjectNotFound,
    StreamExists,
    StreamNotFound,
    UnsupportedFormat,
)
from s3duct.domain.manifest import Manifest
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.entropy import Entropy
from s3duct.domain.ports.object_store import ObjectStore, StoredObject
from s3duct.domain.resume import (
    RESTART_HINT,
    Journal,
    JournalHeader,
    ResumePlan,
    ResumeRecord,
    RunBinding,
    check_binding,
)

_RUN_ID_BYTES = 16
_GENERATION_BYTES = 4


@dataclass(frozen=True, slots=True)
class ExistingStream:
    """The stream stored under the name.

    `manifest` is None where it cannot be read with the key in hand; `manifest_sha256` (hex) is the digest of its object,
    empty where that is too large to be one.
    """

    manifest: Manifest | None
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class PutStart:
    """How a put begins.

    `header` is the journal's, `keys` are those of its chunks; `is_new` says that the journal has to be begun first.
    `finished` is what an earlier attempt of the same run had already written when it was cut off.
    `superseded_keys` are the relative chunk keys of the stream that this run replaces; `unreadable_old` says that there is
    one whose chunks are not known. `vanished_chunks` are on record, but not in the bucket as they were stored.
    """

    header: JournalHeader
    keys: ChunkKeys
    is_new: bool
    plan: ResumePlan
    finished: ExistingStream | None = None
    superseded_keys: frozenset[str] = frozenset()
    unreadable_old: bool = False
    vanished_chunks: int = 0


class PutStarter:
    """Decides how a put begins, from what the bucket and the journal hold. Changes nothing."""

    def __init__(
        self,
        *,
        location: StreamLocation,
        store: ObjectStore,
        cipher: Cipher,
        retrier: Retrier,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Take what deciding needs."""
        self._location = location
        self._store = store
        self._cipher = cipher
        self._retrier = retrier
        self._clock = clock
        self._entropy = entropy

    async def decide(self, binding: RunBinding, recorded: Journal | None, *, clobber: bool) -> PutStart:
        """Decide.

        Args:
            binding: what this run is bound to.
            recorded: the journal of an unfinished run that may be continued, if there is one.
            clobber: whether an existing stream may be replaced.

        Raises:
            StreamExists: the name is taken and `clobber` is off.
            JournalMismatch: the unfinished run was started with other settings.
            JournalDamaged: its records contradict each other.
        """
        existing = await self._retrier.run("look-up of the manifest", self._find_existing)
        finished = existing if _is_of_this_run(existing, recorded) else None
        if finished is not None and clobber:
            recorded = finished = None  # that run has ended; this one replaces its stream
        if existing is not None and finished is None and not clobber:
            raise StreamExists(
                f"a stream {self._location.name!r} exists already",
                hint="choose another --name, or replace it with --clobber",
            )
        if (
            recorded is not None
            and finished is None
            and not _is_worth_continuing(recorded, binding, existing)
        ):
            recorded = None
        if recorded is not None:
            check_binding(recorded.header, binding)
        records = recorded.records if recorded is not None else ()
        if recorded is not None:
            _check_keys(records, _keys_of(recorded.header))
        if finished is None:
            records = await self._still_stored(records)
        vanished = len(recorded.records) - len(records) if recorded is not None else 0
        old = existing.manifest if existing is not None and finished is None else None
        header = recorded.header if recorded is not None else await self._new_header(binding, existing)
        return PutStart(
            header=header,
            keys=_keys_of(header),
            is_new=recorded is None,
            plan=ResumePlan(records, finished=finished is not None),
            vanished_chunks=vanished,
            finished=finished,
            superseded_keys=_deletable_keys(old) if old is not None else frozenset(),
            unreadable_old=existing is not None and existing.manifest is None and finished is None,
        )

    async def _find_existing(self) -> ExistingStream | None:
        try:
            await self._store.head(self._location.manifest_key)
        except ObjectNotFound:
            return None
        try:
            stored = await read_manifest(self._store, self._location)
        except StreamNotFound:
            return None  # deleted in this very moment
        except ManifestInvalid:
            return ExistingStream(None, "")
        try:
            opened = await open_manifest(stored, self._location, self._cipher)
            return ExistingStream(opened.manifest, stored.sha256)
        except (DecryptionFailed, IntegrityError, UnsupportedFormat):
            return ExistingStream(None, stored.sha256)

    async def _new_header(self, binding: RunBinding, existing: ExistingStream | None) -> JournalHeader:
        """Plain chunk keys if nobody uses them, a generation of this run's own otherwise."""
        taken = existing is not None or await self._retrier.run("look-up of chunks", self._has_chunks)
        return JournalHeader(
            binding=binding,
            run_id=self._entropy.token_hex(_RUN_ID_BYTES),
            generation=self._entropy.token_hex(_GENERATION_BYTES) if taken else "",
            created=self._clock.now().isoformat(),
        )

    async def _still_stored(self, records: tuple[ResumeRecord, ...]) -> tuple[ResumeRecord, ...]:
        """Keep the records whose objects are in the bucket in their size: somebody may have cleaned up meanwhile."""
        if not records:
            return ()
        sizes = await self._retrier.run("look-up of stored chunks", self._stored_sizes)
        return tuple(
            record
            for record in records
            if sizes.get(self._location.full_key(record.chunk.key)) == _stored_bytes(record)
        )

    async def _stored_sizes(self) -> dict[str, int]:
        listing = self._store.list(self._location.folder)
        async with aclosing(cast("AsyncGenerator[StoredObject, None]", listing)):
            return {entry.key: entry.size_bytes async for entry in listing}

    async def _has_chunks(self) -> bool:
        """Whether a run that is not on record here (another machine's, a lost one) uses the plain chunk keys."""
        first = self._location.folder + "chunk-"
        listing = self._store.list(self._location.folder, start_after=first)
        async with aclosing(cast("AsyncGenerator[StoredObject, None]", listing)):
            async for entry in listing:
                return entry.key.startswith(first)
        return False


def _keys_of(header: JournalHeader) -> ChunkKeys:
    return ChunkKeys(header.binding.name, header.generation, header.run_id[: 2 * _GENERATION_BYTES])


def _check_keys(records: Iterable[ResumeRecord], keys: ChunkKeys) -> None:
    """Check that the run put its chunks where it says: otherwise the manifest would name another stream's."""
    for record in records:
        if record.chunk.key != keys.of(record.chunk.index):
            raise JournalDamaged(
                f"the journal's record of chunk {record.chunk.index} names another chunk's object",
                hint=RESTART_HINT,
            )


def _deletable_keys(old: Manifest) -> frozenset[str]:
    """Keys of the chunks that go with the old stream. A forged manifest must not name those of a stream below it."""
    return frozenset(record.key for record in old.chunks if is_chunk_key(record.key, name=old.name))


def _stored_bytes(record: ResumeRecord) -> int:
    sealed = record.chunk.sealed_size_bytes
    return record.chunk.size_bytes if sealed is None else sealed


def _is_worth_continuing(recorded: Journal, binding: RunBinding, existing: ExistingStream | None) -> bool:
    """Whether the recorded run has stored anything that would be lost by starting over, and may go on."""
    if not recorded.records and recorded.header.binding != binding:
        return False
    return not _would_overwrite(existing, recorded)


def _would_overwrite(existing: ExistingStream | None, recorded: Journal) -> bool:
    """Whether the recorded run writes keys that a stream finished by somebody else meanwhile uses."""
    if existing is None:
        return False
    if existing.manifest is None:
        return not recorded.header.generation  # whose keys cannot be known; plain ones are the likely ones
    generation = recorded.header.generation
    own = chunk_key(recorded.header.binding.name, 0, generation=generation).rsplit("/", 1)[0]
    return any(record.key.rsplit("/", 1)[0] == own for record in existing.manifest.chunks)


def _is_of_this_run(existing: ExistingStream | None, recorded: Journal | None) -> bool:
    """Whether the recorded run wrote the manifest just before it was cut off."""
    return existing is not None and recorded is not None and existing.manifest_sha256 in recorded.manifests
