"""The start of a put: is the name free, does an unfinished run continue, and where do new chunks go?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
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
    EarlierRun,
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
    empty where that is too large to be one. `stored` is what the store says of it.
    """

    manifest: Manifest | None
    manifest_sha256: str
    stored: StoredObject | None = None


@dataclass(frozen=True, slots=True)
class PutStart:
    """How a put begins.

    `header` is the journal's; `is_new` says that nothing is continued, `taken_over` that what is continued is another run,
    whose chunks this one carries on without ever writing its keys.
    `finished` is what an earlier attempt of the same run had already written when it was cut off.
    `superseded_keys` are the relative chunk keys of the stream that this run replaces; `unreadable_old` says that there is
    one whose chunks are not known. `vanished_chunks` are on record, but not in the bucket as they were stored.
    """

    header: JournalHeader
    is_new: bool
    plan: ResumePlan
    taken_over: bool = False
    finished: ExistingStream | None = None
    superseded_keys: frozenset[str] = frozenset()
    unreadable_old: bool = False
    vanished_chunks: int = 0

    @property
    def keys(self) -> ChunkKeys:
        """Where this run's chunks go."""
        return keys_of(self.header)


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

    async def look_up(self) -> ExistingStream | None:
        """Return the stream that is stored under the name."""
        return await self._retrier.run("look-up of the manifest", self._find_existing)

    def has_finished(
        self, existing: ExistingStream | None, recorded: Journal | None, *, clobber: bool
    ) -> bool:
        """Whether the recorded run had written its manifest before it was cut off, and all that is left is to tidy up.

        Raises:
            StreamExists: the name is taken otherwise and `clobber` is off.
        """
        finished = _is_of_this_run(existing, recorded)
        if existing is not None and not finished and not clobber:
            raise StreamExists(
                f"a stream {self._location.name!r} exists already",
                hint="choose another --name, or replace it with --clobber",
            )
        return finished and not clobber

    async def check_unchanged(self, existing: ExistingStream | None) -> None:
        """Check that the name is as free as it was when this put looked, now that nobody else may write it.

        Raises:
            StreamExists: another run has finished meanwhile.
        """
        now = await self._retrier.run("look-up of the manifest", self._head_of_manifest)
        if now is None or (existing is not None and existing.stored == now):
            return
        # Looked at as a whole before anybody is told so.
        found = await self.look_up()
        if found is not None and (existing is None or existing.manifest_sha256 != found.manifest_sha256):
            raise StreamExists(
                f"another run has finished a stream {self._location.name!r} meanwhile",
                hint="choose another --name, or replace the stream with --clobber",
            )

    async def may_use_plain_keys(self, existing: ExistingStream | None) -> bool:
        """Whether nobody uses the plain chunk keys."""
        return existing is None and not await self._retrier.run("look-up of chunks", self._has_chunks)

    async def decide(
        self,
        binding: RunBinding,
        existing: ExistingStream | None,
        recorded: Journal | None,
        *,
        clobber: bool,
        taken_over: bool = False,
    ) -> PutStart:
        """Decide.

        Args:
            binding: what this run is bound to.
            existing: what is stored under the name.
            recorded: the journal of an unfinished run that may be continued, if there is one.
            clobber: whether an existing stream may be replaced.
            taken_over: the recorded run is another one, which this one carries on.

        Raises:
            StreamExists: the name is taken and `clobber` is off.
            JournalMismatch: the unfinished run was started with other settings.
            JournalDamaged: its records contradict each other.
        """
        finished = existing if self.has_finished(existing, recorded, clobber=clobber) else None
        if finished is None and _is_of_this_run(existing, recorded):
            recorded = None  # that run has ended; this one replaces its stream
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
            _check_keys(records, recorded.header)
        if finished is None:
            records = await self._still_stored(records)
        vanished = len(recorded.records) - len(records) if recorded is not None else 0
        old = existing.manifest if existing is not None and finished is None else None
        if recorded is None:
            header = self._new_header(binding)
        elif taken_over:
            header = self.header_after(recorded.header, binding)
        else:
            header = recorded.header
        return PutStart(
            header=header,
            is_new=recorded is None,
            taken_over=taken_over and recorded is not None,
            plan=ResumePlan(records, finished=finished is not None),
            vanished_chunks=vanished,
            finished=finished,
            superseded_keys=_deletable_keys(old) if old is not None else frozenset(),
            unreadable_old=existing is not None and existing.manifest is None and finished is None,
        )

    def header_after(self, before: JournalHeader, binding: RunBinding) -> JournalHeader:
        """Return the header of a run that carries on what another one has stored, and never writes its keys."""
        run = EarlierRun(before.run_id, before.generation)
        return replace(self._new_header(binding), earlier=(*before.earlier, run))

    async def _find_existing(self) -> ExistingStream | None:
        head = await self._head_of_manifest()
        if head is None:
            return None
        try:
            stored = await read_manifest(self._store, self._location)
        except StreamNotFound:
            return None  # deleted in this very moment
        except ManifestInvalid:
            return ExistingStream(None, "", head)
        try:
            opened = await open_manifest(stored, self._location, self._cipher)
            return ExistingStream(opened.manifest, stored.sha256, head)
        except (DecryptionFailed, IntegrityError, UnsupportedFormat):
            return ExistingStream(None, stored.sha256, head)

    async def _head_of_manifest(self) -> StoredObject | None:
        try:
            return await self._store.head(self._location.manifest_key)
        except ObjectNotFound:
            return None

    def _new_header(self, binding: RunBinding) -> JournalHeader:
        """A run with a generation of its own; whether it may use the plain keys is known once it has claimed the name."""
        return JournalHeader(
            binding=binding,
            run_id=self._entropy.token_hex(_RUN_ID_BYTES),
            generation=self._entropy.token_hex(_GENERATION_BYTES),
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


def keys_of(header: JournalHeader) -> ChunkKeys:
    """Return where the chunks of a run go."""
    return ChunkKeys(header.binding.name, header.generation, header.run_id[: 2 * _GENERATION_BYTES])


def _check_keys(records: Iterable[ResumeRecord], header: JournalHeader) -> None:
    """Check that the run put its chunks where it says: otherwise the manifest would name another stream's."""
    name = header.binding.name
    generations = (header.generation, *(run.generation for run in header.earlier))
    for record in records:
        index = record.chunk.index
        if all(record.chunk.key != chunk_key(name, index, generation=own) for own in generations):
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
