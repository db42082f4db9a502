"""Chooses the unfinished run that a put continues: of this machine's disk, of the bucket, or none (ADR 0017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from s3duct.app.pipeline.async_journal import AsyncJournal
from s3duct.app.pipeline.bucket_journal_reader import BucketJournalReader, FoundRun, ReadJournal
from s3duct.app.usecases.put_request import PutRequest
from s3duct.domain.claim import STALE_AFTER_S, describe_age
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import (
    DecryptionFailed,
    JournalDamaged,
    JournalMismatch,
    JournalTooNew,
    KeyRequired,
    RunInProgress,
    UnsupportedFormat,
)
from s3duct.domain.events import Listener, Notice
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.entropy import Entropy
from s3duct.domain.resume import RESTART_HINT, Journal, ResumeFrom, merge_records

_PROBE_BYTES = 16


@dataclass(frozen=True, slots=True)
class LocalRecord:
    """What this machine's disk knows: a journal, or why it cannot be read, or neither."""

    journal: Journal | None = None
    damage: JournalDamaged | JournalTooNew | None = None

    @property
    def run_id(self) -> str:
        """The run it is of; empty if there is none, or that is not known."""
        if self.journal is not None:
            return self.journal.header.run_id
        return self.damage.run_id if self.damage is not None else ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is on record."""
        return self.journal is None and self.damage is None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a put continues (`recorded`), and who has claimed the name (`found`).

    `taken_over` says that the claim is not of this machine's run. `present` are the segments of the bucket's journal that
    are there already, where it is this machine's run that goes on.
    """

    recorded: Journal | None
    found: FoundRun | None
    taken_over: bool = False
    present: Mapping[int, bytes] = field(default_factory=dict)


async def read_local(journal: AsyncJournal) -> LocalRecord:
    """Read the local journal, damaged or not."""
    try:
        return LocalRecord(journal=await journal.read())
    except (JournalDamaged, JournalTooNew) as error:
        return LocalRecord(damage=error)


class Chooser:
    """Decides from both journals. Changes nothing."""

    def __init__(
        self,
        request: PutRequest,
        *,
        reader: BucketJournalReader,
        cipher: Cipher,
        entropy: Entropy,
        listener: Listener,
    ) -> None:
        """Take what deciding needs."""
        self._request = request
        self._reader = reader
        self._cipher = cipher
        self._entropy = entropy
        self._listener = listener
        self._name = request.location.name

    async def choose(self, local: LocalRecord) -> Choice:
        """Decide.

        Raises:
            RunInProgress: another machine puts this stream, or did so a moment ago, and `takeover` is off.
            JournalMismatch: there are two unfinished runs, and nobody said which to continue.
            JournalDamaged, UnsupportedFormat, KeyRequired, WrongKey: the journal to continue cannot be read.
        """
        found = await self._reader.find()
        wanted = self._request.resume_from
        if found is None:
            if wanted is ResumeFrom.BUCKET:
                raise self._nothing_in_bucket()
            return Choice(local.journal if self._request.resume else None, None)
        if local.run_id and found.claim.run_id == local.run_id:
            return await self._of_this_machine(local, found)
        age_s = await self._reader.age_s(found, self._entropy.token_hex(_PROBE_BYTES))
        # Where this machine was cut off while it took that run over, it is known to be dead, or was to be taken over anyway.
        is_dead = local.journal is not None and local.journal.header.carries(found.claim.run_id)
        is_stale = found.released or is_dead or (age_s is not None and age_s >= STALE_AFTER_S)
        may_take_over = self._request.takeover or is_stale
        if not may_take_over:
            raise RunInProgress(
                f"another put of {self._name!r} is running, or was a moment ago: "
                f"it last wrote its journal {describe_age(age_s)}",
                hint="wait for it to end; if it is dead, --takeover continues it at once "
                "(with --no-resume: leaves it aside)",
            )
        if not self._request.resume:
            return Choice(None, found, taken_over=True)
        return await self._of_another(local, found, describe_age(age_s))

    async def _of_this_machine(self, local: LocalRecord, found: FoundRun) -> Choice:
        """The lock on the local journal proves that no other process goes on with this run."""
        if not self._request.resume:
            return Choice(None, found)
        if self._request.resume_from is ResumeFrom.LOCAL:
            return Choice(local.journal, found)
        try:
            read = await self._reader.read(found)
        except (DecryptionFailed, JournalDamaged, UnsupportedFormat):
            if local.journal is None:
                raise
            read = ReadJournal(None, {})  # the local copy knows all that this one does, and more
        own, copy = local.journal, read.journal
        if own is None:
            if copy is None:
                raise self._nothing_in_bucket()
            return Choice(copy, found, present=read.contents)
        if copy is None:
            return Choice(own, found)
        merged = replace(
            own,
            records=merge_records(copy.records, own.records),
            manifests=own.manifests | copy.manifests,
        )
        return Choice(merged, found, present=read.contents)

    async def _of_another(self, local: LocalRecord, found: FoundRun, age: str) -> Choice:
        """The claim is stale, or is to be taken over."""
        wanted, own = self._request.resume_from, local.journal
        if wanted is ResumeFrom.LOCAL:
            return Choice(own, found, taken_over=True)
        theirs = await self._read_theirs(found)
        if theirs is None or not theirs.records:
            if wanted is ResumeFrom.BUCKET and theirs is None:
                raise self._nothing_in_bucket()
            if theirs is None or (own is not None and own.records):
                return Choice(own, found, taken_over=True)
        if own is not None and own.records and wanted is ResumeFrom.AUTO:
            if own.header.carries(found.claim.run_id):
                # This machine was cut off while it took that run over.
                merged = replace(own, records=merge_records(theirs.records, own.records))
                return Choice(merged, found, taken_over=True)
            # A run that took this machine's over carries on what the bucket had of it. No union: its input may have been
            # another one from some chunk on.
            if not theirs.header.carries(own.header.run_id):
                raise JournalMismatch(
                    f"there are two unfinished puts of {self._name!r}: one of this machine, and one in the bucket, "
                    f"which last wrote its journal {age}",
                    hint=f"--resume-from local or bucket says which to continue, or {RESTART_HINT}",
                )
        self._listener(
            Notice(
                f"continuing an unfinished put of {self._name!r} from its journal in the bucket, last written {age}"
            )
        )
        return Choice(theirs, found, taken_over=True)

    async def _read_theirs(self, found: FoundRun) -> Journal | None:
        try:
            return (await self._reader.read(found)).journal
        except KeyRequired:
            if (
                self._request.resume_from is ResumeFrom.BUCKET
                or self._cipher.method is not EncryptionMethod.AGE
                or self._reader.can_open()
            ):
                raise
            self._listener(
                Notice(
                    f"the journal of an unfinished put of {self._name!r} in the bucket cannot be opened with recipients "
                    "alone: its stored part is left aside"
                )
            )
            return None

    def _nothing_in_bucket(self) -> JournalMismatch:
        return JournalMismatch(
            f"the bucket has no journal of an unfinished put of {self._name!r}",
            hint="leave out --resume-from bucket",
        )
