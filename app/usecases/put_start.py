"""The start of a put: is the name free, does an unfinished run continue, and where do new chunks go?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from s3duct.app.pipeline.manifest_io import open_manifest, read_manifest
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.usecases.put_judgement import (
    ExistingStream,
    check_keys,
    deletable_keys,
    is_of_this_run,
    is_of_use,
    keys_of,
    names_visible_chunks,
    stored_bytes,
)
from s3duct.app.usecases.put_predecessors import NO_PREDECESSORS, Predecessors
from s3duct.domain.chunk import ChunkKeys, is_chunk_key
from s3duct.domain.errors import (
    DecryptionFailed,
    IntegrityError,
    ManifestInvalid,
    ObjectNotFound,
    StreamExists,
    StreamNotFound,
    UnsupportedFormat,
)
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.entropy import Entropy
from s3duct.domain.ports.object_store import ObjectStore, StoredObject
from s3duct.domain.resume import (
    EarlierRun,
    Journal,
    JournalHeader,
    ResumePlan,
    ResumeRecord,
    RunBinding,
    check_binding,
)
from s3duct.domain.strays import ChunkRange, merge_ranges, ranges_over

_RUN_ID_BYTES = 16
_GENERATION_BYTES = 4


@dataclass(frozen=True, slots=True)
class PutStart:
    """How a put begins.

    `header` is the journal's; `is_new` says that nothing is continued, `taken_over` that what is continued is another run,
    whose chunks this one carries on without ever writing its keys.
    `finished` is what an earlier attempt of the same run had already written when it was cut off. `replaced` is the stream
    that goes, and `superseded_keys` are the relative keys of its chunks, where they are known. `strays` are where else
    superfluous chunks may lie; `unreadable_old` says that there are some that nobody can tell. `vanished_chunks` are on
    record, but not in the bucket as they were stored. `dead_generations` are those of runs that had the name before.
    """

    header: JournalHeader
    is_new: bool
    plan: ResumePlan
    taken_over: bool = False
    finished: ExistingStream | None = None
    replaced: ExistingStream | None = None
    superseded_keys: frozenset[str] = frozenset()
    strays: tuple[ChunkRange, ...] = ()
    unreadable_old: bool = False
    vanished_chunks: int = 0
    dead_generations: frozenset[str] = frozenset()

    @property
    def keys(self) -> ChunkKeys:
        """Where this run's chunks go."""
        return keys_of(self.header)

    @property
    def carried(self) -> tuple[ResumeRecord, ...]:
        """Records of other runs that this run's journal begins with."""
        return () if self.plan.may_differ else tuple(self.plan.records.values())


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
        finished = is_of_this_run(existing, recorded)
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
        predecessors: Predecessors = NO_PREDECESSORS,
    ) -> PutStart:
        """Decide.

        Args:
            binding: what this run is bound to.
            existing: what is stored under the name.
            recorded: the journal of an unfinished run that may be continued, if there is one.
            clobber: whether an existing stream may be replaced.
            taken_over: the recorded run is another one, which this one carries on.
            predecessors: the runs before this one, the recorded one included.

        Raises:
            StreamExists: the name is taken and `clobber` is off.
            JournalMismatch: the unfinished run was started with other settings.
            JournalDamaged: its records contradict each other.
        """
        finished = existing if self.has_finished(existing, recorded, clobber=clobber) else None
        if finished is None and not _may_go_on(recorded, binding, existing, taken_over=taken_over):
            recorded = None
        # That run has ended: this one replaces its stream, and need not send again what is the same.
        has_ended = finished is None and is_of_this_run(existing, recorded)
        if recorded is not None:
            check_binding(recorded.header, binding)
        records = recorded.records if recorded is not None else ()
        if recorded is not None:
            check_keys(records, recorded.header)
        if finished is None:
            records = await self._still_stored(records)
        vanished = len(recorded.records) - len(records) if recorded is not None else 0
        replaced = existing if finished is None else None
        superseded_keys = deletable_keys(replaced)
        own = ranges_over(superseded_keys, name=binding.name)
        if recorded is not None and not taken_over and not has_ended:
            header = recorded.header
        else:
            unread = await self._ranges_of_unreadable(replaced, predecessors)
            before = (
                self._new_header(binding) if recorded is None else self.header_after(recorded.header, binding)
            )
            header = replace(
                before,
                replaces=merge_ranges((*own, *unread, *predecessors.replaced)),
                over="" if existing is None else existing.manifest_sha256,
            )
        ranges = merge_ranges((*header.replaces, *predecessors.replaced))
        strays = tuple(one for one in ranges if one not in own)
        return PutStart(
            header=header,
            is_new=recorded is None,
            taken_over=recorded is not None and (taken_over or has_ended),
            plan=ResumePlan(records, finished=finished is not None, may_differ=has_ended),
            vanished_chunks=vanished,
            finished=finished,
            replaced=replaced,
            superseded_keys=superseded_keys,
            strays=strays,
            unreadable_old=replaced is not None and replaced.manifest is None and not strays,
            dead_generations=predecessors.generations.union(one.generation for one in ranges),
        )

    async def _ranges_of_unreadable(
        self, replaced: ExistingStream | None, predecessors: Predecessors
    ) -> tuple[ChunkRange, ...]:
        """Return where the chunks of a stream lie whose manifest cannot be read, as far as that can be told for sure.

        What lies there is the stream's or a dead run's. A dead run may wake up after all, and its last step would make its
        chunks visible: they stay, and so does everything if there is a run whose keys are not known.
        """
        if replaced is None or replaced.manifest is not None or not predecessors.are_all_known:
            return ()
        name, prefix = self._location.name, self._location.prefix
        look = partial(self._stored_sizes, lambda key: is_chunk_key(key.removeprefix(prefix), name=name))
        sizes = await self._retrier.run("look-up of old chunks", look)
        found = ranges_over((key.removeprefix(prefix) for key in sizes), name=name)
        return tuple(one for one in found if one.generation not in predecessors.generations)

    def header_after(self, before: JournalHeader, binding: RunBinding) -> JournalHeader:
        """Return the header of a run that carries on what another one has stored, and never writes its keys."""
        run = EarlierRun(before.run_id, before.generation)
        return replace(self._new_header(binding), earlier=(*before.earlier, run), replaces=before.replaces)

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
        wanted = {self._location.full_key(record.chunk.key) for record in records}
        sizes = await self._retrier.run(
            "look-up of stored chunks", partial(self._stored_sizes, wanted.__contains__)
        )
        return tuple(
            record
            for record in records
            if sizes.get(self._location.full_key(record.chunk.key)) == stored_bytes(record)
        )

    async def _stored_sizes(self, is_wanted: Callable[[str], bool]) -> dict[str, int]:
        """Streams below this one may have any number of chunks."""
        listing = self._store.list(self._location.folder)
        async with aclosing(cast("AsyncGenerator[StoredObject, None]", listing)):
            return {entry.key: entry.size_bytes async for entry in listing if is_wanted(entry.key)}

    async def _has_chunks(self) -> bool:
        """Whether a run that is not on record here (another machine's, a lost one) uses the plain chunk keys."""
        first = self._location.folder + "chunk-"
        listing = self._store.list(self._location.folder, start_after=first)
        async with aclosing(cast("AsyncGenerator[StoredObject, None]", listing)):
            async for entry in listing:
                return entry.key.startswith(first)
        return False


def _may_go_on(
    recorded: Journal | None, binding: RunBinding, existing: ExistingStream | None, *, taken_over: bool
) -> bool:
    """Whether there is a run on record to go on with. Raises `JournalDamaged`."""
    if recorded is None or not is_of_use(recorded, binding, existing):
        return False
    if not taken_over or is_of_this_run(existing, recorded):
        return True
    check_keys(recorded.records, recorded.header)
    return not names_visible_chunks(existing, recorded)
