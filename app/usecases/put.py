"""put: a source becomes a stream in the bucket.

The order of the steps is the safety argument: a chunk is durable, then its journal record, then the manifest, and only then
is anything old removed. A manifest that can be seen never names a chunk that is missing.
"""

from __future__ import annotations

import asyncio

from s3duct.app.pipeline.async_journal import AsyncJournal
from s3duct.app.pipeline.attended import attended
from s3duct.app.pipeline.buffer_pool import BufferPool
from s3duct.app.pipeline.continuation import Continuation
from s3duct.app.pipeline.host import Host
from s3duct.app.pipeline.lanes import HashLanes
from s3duct.app.pipeline.parallel import cancel_all
from s3duct.app.pipeline.put_transfer import PutTransfer, Transferred
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.run_journal import RunJournal
from s3duct.app.pipeline.sized_source import SizedSource
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.app.pipeline.upload import ChunkUploader
from s3duct.app.pipeline.workers import Workers
from s3duct.app.usecases.put_begin import Begun, PutBeginner
from s3duct.app.usecases.put_finish import PutFinisher
from s3duct.app.usecases.put_manifest import already_stored, build_manifest
from s3duct.app.usecases.put_request import PutPorts, PutRequest, PutSummary
from s3duct.app.usecases.put_start import PutStart
from s3duct.app.usecases.put_tidy import PutTidier
from s3duct.app.usecases.put_uploads import UploadCleaner
from s3duct.domain.errors import (
    InputDiverged,
    InputTooShort,
    RunInProgress,
    S3ductError,
    SourceError,
    StoreUnavailable,
    StreamExists,
)
from s3duct.domain.events import Listener, Notice, ResumeStarted, TransferStarted
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.pipe import Source
from s3duct.domain.resume import OnDivergence, RunBinding

_RESUME_HINT = "run the same command again to go on from what is stored"


async def put(
    request: PutRequest, *, source: Source, ports: PutPorts, listener: Listener, stop: StopRequest
) -> PutSummary:
    """Store a source as a stream.

    Raises:
        StreamExists: the name is taken and `request.clobber` is off.
        ResumeError: an unfinished run is on record and this one does not continue it; nothing was changed.
        RunInProgress: another process puts the same stream, or has taken this run over.
        SourceError: the source is empty, cannot be read, or is not of the size it should be.
        ProducerFailed: the source is a program, and it did not end well; running again resumes.
        StoreError, AccessDenied, LocalResourceError: as they come; running again resumes.
        Interrupted: `stop` was set; running again resumes.
    """
    request.check(ports.cipher)
    binding = request.binding(ports.cipher)
    local = await AsyncJournal.open(ports.journals, binding)
    try:
        run = _PutRun(request, source=source, ports=ports, local=local, listener=listener, stop=stop)
        try:
            async with attended(source, stop=stop, listener=listener, hint=_RESUME_HINT):
                return await run.run(binding)
        except (StoreUnavailable, RunInProgress):
            raise  # nobody would hear it, or be told anything new
        except S3ductError:
            await run.let_go()
            raise
        finally:
            await run.close()
    finally:
        await local.close()


class _PutRun:
    """One put, with its journal in hand."""

    def __init__(
        self,
        request: PutRequest,
        *,
        source: Source,
        ports: PutPorts,
        local: AsyncJournal,
        listener: Listener,
        stop: StopRequest,
    ) -> None:
        self._request = request
        self._source = source
        self._ports = ports
        self._listener = listener
        self._stop = stop
        self._retrier = Retrier(
            ports.retry_policy, clock=ports.clock, entropy=ports.entropy, listener=listener
        )
        self._beginner = PutBeginner(
            request, source=source, ports=ports, local=local, retrier=self._retrier, listener=listener
        )
        self._uploads = UploadCleaner(
            ports.uploads, location=request.location, retrier=self._retrier, listener=listener
        )

    @property
    def _journal(self) -> RunJournal:
        return self._beginner.journal

    async def let_go(self) -> None:
        """Say in the bucket that the run has stopped."""
        await self._journal.let_go()

    async def close(self) -> None:
        """Stop writing to the bucket's journal."""
        await self._journal.close()

    async def run(self, binding: RunBinding) -> PutSummary:
        # 1. May this run begin, and does it continue an earlier one?
        begun = await self._stop.ends(self._beginner.begin(binding), hint="nothing was changed")
        start = begun.start
        # 2. The chunks: each is stored, then on record, several at once. Beside that, what dead runs have begun is aborted:
        #    it is looked for before this run begins uploads of its own, from which nothing would tell it.
        orphans = await self._stop.ends(self._uploads.find(start.dead_generations), hint=_RESUME_HINT)
        aborting = asyncio.ensure_future(self._uploads.abort(orphans))
        try:
            with Workers() as workers:
                transferred = await self._transfer(begun, workers)
            await self._stop.ends(_ended(aborting), hint=_RESUME_HINT)
        finally:
            await cancel_all((aborting,))
        # 3. Is this the whole source?
        warnings = await self._check_source(start, transferred)
        # 4. The manifest, last of all; then what it made superfluous goes, and the journal.
        finishing = self._finish(begun, transferred, warnings)
        return await self._stop.ends(finishing, hint="run the same command again to finish")

    async def _finish(self, begun: Begun, transferred: Transferred, warnings: tuple[str, ...]) -> PutSummary:
        request, start = self._request, begun.start
        finisher = PutFinisher(
            location=request.location,
            store=self._ports.store,
            cipher=self._ports.cipher,
            journal=self._journal,
            retrier=self._retrier,
        )
        manifest = build_manifest(
            request, transferred, cipher=self._ports.cipher, created=self._ports.clock.now().isoformat()
        )
        if (stored := already_stored(start, manifest)) is not None:
            # The input was the recorded one to its end: an unreadable manifest says what this one does.
            manifest, manifest_sha256 = stored.manifest or manifest, stored.manifest_sha256
        else:
            manifest_sha256 = await finisher.write_manifest(manifest, overwrite=request.clobber)
        tidier = PutTidier(
            location=request.location,
            store=self._ports.store,
            journal=self._journal,
            uploads=self._uploads,
            retrier=self._retrier,
            listener=self._listener,
        )
        given_up = transferred.given_up_keys if request.on_divergence is OnDivergence.RESTART else frozenset()
        await tidier.tidy_up(
            start,
            manifest,
            manifest_sha256,
            given_up_keys=given_up,
            may_have_left_uploads_in=_generations_with_uploads(begun, transferred),
        )
        await self._journal.discard()
        return PutSummary(
            manifest, request.location.manifest_key, manifest_sha256, transferred.resumed_chunks, warnings
        )

    async def _transfer(self, begun: Begun, workers: Workers) -> Transferred:
        request, ports, start = self._request, self._ports, begun.start
        self._listener(TransferStarted(request.location.name))
        if start.plan.stored_chunks:
            self._listener(ResumeStarted(start.plan.stored_chunks, start.plan.stored_bytes))
        uploader = ChunkUploader(
            store=ports.store,
            prefix=request.location.prefix,
            cipher=ports.cipher,
            hasher=ports.hasher,
            memory=ports.memory,
            workers=workers,
            retrier=self._retrier,
            storage_class=request.storage_class,
            chunk_size_bytes=request.chunk_size_bytes,
        )
        pool = BufferPool(
            Host(ports.memory, ports.disk, ports.memory_probe, ports.processors),
            request.buffers,
            cost_bytes=request.chunk_size_bytes + uploader.overhead_bytes,
            clock=ports.clock,
            listener=self._listener,
        )
        pool.limits()  # wishes that nothing can meet are refused before anything is read
        transfer = PutTransfer(
            chunk_size_bytes=request.chunk_size_bytes,
            continuation=Continuation(start.plan, start.keys, strict=request.strict_resume, fork=begun.fork),
            source=SizedSource(
                self._source, expected_bytes=request.expected_bytes, min_bytes=request.min_bytes
            ),
            journal=self._journal,
            pool=pool,
            lanes=HashLanes(ports.hasher, workers),
            uploader=uploader,
            clock=ports.clock,
            listener=self._listener,
            stop=self._stop,
        )
        try:
            return await transfer.run()
        except (InputDiverged, InputTooShort) as error:
            if start.finished is not None:
                raise _exists_with_other_content(request.location) from error
            raise

    async def _check_source(self, start: PutStart, transferred: Transferred) -> tuple[str, ...]:
        if not transferred.records and not self._request.allow_empty:
            if start.is_new:
                await self._journal.discard()
            raise SourceError(
                "the input is empty",
                hint="did the producer fail? --allow-empty stores an empty stream all the same",
            )
        warning = self._source.completeness_warning(transferred.total_bytes)
        if not warning:
            return ()
        self._listener(Notice(warning))
        return (warning,)


def _generations_with_uploads(begun: Begun, transferred: Transferred) -> frozenset[str]:
    """Where this run, or the process of it that had written the manifest, may have left uploads that failed."""
    if not transferred.has_failed_uploads and begun.start.finished is None:
        return frozenset()
    return begun.start.header.generations if begun.fork is None else begun.fork.generations


async def _ended(task: asyncio.Future[None]) -> None:
    await asyncio.shield(task)


def _exists_with_other_content(location: StreamLocation) -> StreamExists:
    return StreamExists(
        f"a stream {location.name!r} exists already, and the input is not the one it holds",
        hint="choose another --name, or replace it with --clobber",
    )
