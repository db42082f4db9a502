"""How a put begins: what is there is looked at, what is continued is chosen, and the name is claimed."""

from __future__ import annotations

from dataclasses import dataclass

from s3duct.app.pipeline.async_journal import AsyncJournal
from s3duct.app.pipeline.bucket_journal import BucketJournal
from s3duct.app.pipeline.bucket_journal_reader import BucketJournalReader
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.run_journal import RunJournal
from s3duct.app.pipeline.workers import run_apart
from s3duct.app.usecases.put_choice import Choice, Chooser, LocalRecord, read_local
from s3duct.app.usecases.put_claim import Claimer
from s3duct.app.usecases.put_divergence import Forker
from s3duct.app.usecases.put_judgement import ExistingStream
from s3duct.app.usecases.put_predecessors import read_predecessors
from s3duct.app.usecases.put_request import PutPorts, PutRequest
from s3duct.app.usecases.put_start import PutStart, PutStarter
from s3duct.domain.claim import Claim
from s3duct.domain.errors import RunInProgress, StreamExists
from s3duct.domain.events import Listener, Notice
from s3duct.domain.ports.pipe import Source
from s3duct.domain.ports.process import Producer
from s3duct.domain.resume import OnDivergence, ResumeFrom, RunBinding

_OWNER_BYTES = 16
# Twice, a look at the claim and a write, with what they take themselves, leave it far from stale.
_JOURNAL_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Begun:
    """A put that may go on: how it starts, and what makes it another run where its input turns out to be another one."""

    start: PutStart
    fork: Forker | None = None


class PutBeginner:
    """Begins one put. `journal` is both copies of the run's journal, once it is known which run this is."""

    def __init__(
        self,
        request: PutRequest,
        *,
        source: Source,
        ports: PutPorts,
        local: AsyncJournal,
        retrier: Retrier,
        listener: Listener,
    ) -> None:
        """Take what beginning needs."""
        self._request = request
        self._source = source
        self._ports = ports
        self._local = local
        self._listener = listener
        # One of its own: that the run shows every few minutes that it lives is no success of what fails meanwhile, nor may
        # that wait until a large chunk is stored.
        self._journal_retrier = retrier.sibling(most_wait_s=_JOURNAL_WAIT_S)
        self._starter = PutStarter(
            location=request.location,
            store=ports.store,
            cipher=ports.cipher,
            retrier=retrier,
            clock=ports.clock,
            entropy=ports.entropy,
        )
        self._reader = BucketJournalReader(
            store=ports.store,
            location=request.location,
            cipher=ports.cipher,
            destination=request.destination,
            retrier=self._journal_retrier,
        )
        self.journal = self._journal_of(Claim())

    async def begin(self, binding: RunBinding) -> Begun:
        """Begin.

        Raises:
            StreamExists: the name is taken.
            ResumeError: an unfinished run is on record and this one does not continue it; nothing was changed.
            RunInProgress: another put has the name.
            ProducerFailed, SourceError: the program that is the source cannot be started.
        """
        request = self._request
        local = await read_local(self._local)
        if local.damage is not None and request.resume and request.resume_from is not ResumeFrom.BUCKET:
            raise local.damage
        existing = await self._starter.look_up()
        recorded = local.journal if request.resume else None
        try:
            is_finished = self._starter.has_finished(existing, recorded, clobber=request.clobber)
        except StreamExists:
            if local.is_empty:
                await self._local.discard()
            raise
        if is_finished:
            start = await self._starter.decide(binding, existing, recorded, clobber=request.clobber)
            self.journal = self._journal_of(Claim(start.header.run_id))
            await self._start_producer()
            return Begun(start)
        begun = await self._choose_and_claim(binding, local, existing)
        await self._tell(begun.start, binding)
        return begun

    async def _choose_and_claim(
        self, binding: RunBinding, local: LocalRecord, existing: ExistingStream | None
    ) -> Begun:
        request = self._request
        chooser = Chooser(
            request,
            reader=self._reader,
            cipher=self._ports.cipher,
            entropy=self._ports.entropy,
            listener=self._listener,
        )
        choice = await chooser.choose(local)
        predecessors = await read_predecessors(self._reader, (choice.recorded, local.journal), choice.found)
        start = await self._starter.decide(
            binding,
            existing,
            choice.recorded,
            clobber=request.clobber,
            taken_over=choice.taken_over,
            predecessors=predecessors,
        )
        await self._start_producer()
        claimer, start = await self._claim(start, choice, local, existing)
        if request.on_divergence is OnDivergence.FAIL:
            return Begun(start)
        fork = Forker(
            request.on_divergence,
            start,
            binding=binding,
            starter=self._starter,
            claimer=claimer,
            listener=self._listener,
        )
        return Begun(start, fork)

    async def _claim(
        self, start: PutStart, choice: Choice, local: LocalRecord, existing: ExistingStream | None
    ) -> tuple[Claimer, PutStart]:
        claim = Claim(start.header.run_id, self._ports.entropy.token_hex(_OWNER_BYTES))
        bucket = self._copy_of(claim)
        self.journal = RunJournal(self._local, bucket, self._listener)
        claimer = Claimer(
            claim,
            location=self._request.location,
            store=self._ports.store,
            starter=self._starter,
            local=self._local,
            bucket=bucket,
            reader=self._reader,
            retrier=self._journal_retrier,
        )
        try:
            return claimer, await claimer.take(start, choice, local, existing)
        except (RunInProgress, StreamExists):
            if start.is_new:
                await self.journal.discard()
            raise

    async def _tell(self, start: PutStart, binding: RunBinding) -> None:
        for place in await self._local.unfinished_elsewhere(binding):
            self._listener(
                Notice(f"an unfinished put of {binding.name!r} to {place} is on record; it stays as it is")
            )
        if start.vanished_chunks:
            self._listener(
                Notice(
                    f"{start.vanished_chunks} chunks are on record, but not in the bucket any more: they are stored again"
                )
            )

    async def _start_producer(self) -> None:
        """A program that cannot be run shows that before anything is written."""
        if isinstance(self._source, Producer):
            await run_apart("producer", self._source.start)

    def _journal_of(self, claim: Claim) -> RunJournal:
        return RunJournal(self._local, self._copy_of(claim), self._listener)

    def _copy_of(self, claim: Claim) -> BucketJournal:
        ports = self._ports
        return BucketJournal(
            claim,
            store=ports.store,
            location=self._request.location,
            cipher=ports.cipher,
            reader=self._reader,
            retrier=self._journal_retrier,
            clock=ports.clock,
        )
