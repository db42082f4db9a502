"""Claims a name for one run, and makes both of its journals ready to take records (ADR 0017)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from s3duct.app.pipeline.async_journal import AsyncJournal
from s3duct.app.pipeline.bucket_journal import BucketJournal
from s3duct.app.pipeline.bucket_journal_reader import BucketJournalReader
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.usecases.put_choice import Choice, LocalRecord
from s3duct.app.usecases.put_judgement import ExistingStream
from s3duct.app.usecases.put_start import PutStart, PutStarter
from s3duct.domain.claim import Claim, encode_claim
from s3duct.domain.errors import ObjectExists, RunInProgress
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.object_store import ObjectStore
from s3duct.domain.resume import Journal, JournalHeader, ManifestRecord, ResumeRecord


class Claimer:
    """Takes the claim on one name. The local journal is begun before: a claim of ours is known by it after a crash."""

    def __init__(
        self,
        claim: Claim,
        *,
        location: StreamLocation,
        store: ObjectStore,
        starter: PutStarter,
        local: AsyncJournal,
        bucket: BucketJournal,
        reader: BucketJournalReader,
        retrier: Retrier,
    ) -> None:
        """Take the claim to make, and what making it needs."""
        self._claim = claim
        self._location = location
        self._store = store
        self._starter = starter
        self._local = local
        self._bucket = bucket
        self._reader = reader
        self._retrier = retrier

    async def take(
        self, start: PutStart, choice: Choice, local: LocalRecord, existing: ExistingStream | None
    ) -> PutStart:
        """Claim the name and write the journals; return the start with the keys that the run may use.

        Raises:
            RunInProgress: another put claimed it in the same moment.
            StreamExists: another put has finished in the same moment.
        """
        await self._begin_locally(start, choice, local)
        if choice.found is None:
            alone = await self._claim_free_name()
            await self._starter.check_unchanged(existing)
            if start.is_new and alone and await self._starter.may_use_plain_keys(existing):
                start = replace(start, header=replace(start.header, generation=""))
                await self._local.start(start.header)
            await self._write_copy(start, choice)
        elif choice.taken_over:
            # What is carried on is written before the claim says so: at no moment is it known to no claimed journal.
            await self._write_copy(start, choice)
            await self._replace_claim()
            await self._starter.check_unchanged(existing)
        else:
            await self._replace_claim()
            await self._starter.check_unchanged(existing)
            await self._write_copy(start, choice)
        self._bucket.begin()
        return start

    async def go_on_as(self, header: JournalHeader, records: Callable[[], Sequence[ResumeRecord]]) -> None:
        """Go on as another run, which carries `records` on. They are asked for at the moment they are written.

        Raises:
            RunInProgress: another put has taken over the name.
        """
        claim = Claim(header.run_id, self._claim.owner)
        async with self._bucket.as_another_run(claim):
            carried = records()
            await self._local.start(header, carried)
            await self._bucket.write(header, carried)
            self._claim = claim
            await self._replace_claim()

    async def _begin_locally(self, start: PutStart, choice: Choice, local: LocalRecord) -> None:
        recorded = choice.recorded
        if start.is_new or start.taken_over or recorded is None:
            await self._local.start(start.header, start.carried)
        elif local.journal is None:
            await self._local.start(start.header, _lines_of(recorded))
        else:
            known = frozenset(local.journal.records)
            for record in recorded.records:
                if record not in known:
                    await self._local.append(record)

    async def _write_copy(self, start: PutStart, choice: Choice) -> None:
        recorded = choice.recorded
        if start.is_new or start.taken_over or recorded is None:
            await self._bucket.write(start.header, start.carried)
        else:
            await self._bucket.write(start.header, _lines_of(recorded), present=choice.present)

    async def _claim_free_name(self) -> bool:
        """Create the claim; return whether the store keeps others from doing the same.

        A store that honours the condition refuses to create it a second time. Where it does not, two puts that begin in the
        same moment both get here, the one whose claim is overwritten notices before it records anything, and neither
        may use keys that the other could use.
        """
        if not await self._created():
            await (
                self._check_ours()
            )  # created by an attempt of ours whose reply was lost, or by somebody else
            return True
        if await self._created():
            await self._check_ours()
            return False
        return True

    async def _created(self) -> bool:
        key = self._location.claim_key
        try:
            await self._retrier.run(
                "write of the claim",
                lambda: self._store.put(key, encode_claim(self._claim), create_only=True),
            )
        except ObjectExists:
            return False
        return True

    async def _replace_claim(self) -> None:
        key = self._location.claim_key
        await self._retrier.run("write of the claim", lambda: self._store.put(key, encode_claim(self._claim)))
        await self._check_ours()

    async def _check_ours(self) -> None:
        if await self._reader.claim(of_run=self._claim.run_id) != encode_claim(self._claim):
            raise RunInProgress(
                f"another put of {self._location.name!r} has begun in this very moment",
                hint="wait for it to end, or use another name",
            )


def _lines_of(recorded: Journal) -> tuple[ResumeRecord | ManifestRecord, ...]:
    return (*recorded.records, *(ManifestRecord(sha256) for sha256 in sorted(recorded.manifests)))
