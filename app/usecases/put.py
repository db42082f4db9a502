"""put: a source becomes a stream in the bucket.

The order of the steps is the safety argument: a chunk is durable, then its journal record, then the manifest, and only then
is anything old removed. A manifest that can be seen never names a chunk that is missing.
"""

from __future__ import annotations

from s3duct.app.pipeline.async_journal import AsyncJournal
from s3duct.app.pipeline.attended import attended
from s3duct.app.pipeline.buffer_pool import BufferPool
from s3duct.app.pipeline.lanes import HashLanes
from s3duct.app.pipeline.put_transfer import PutTransfer, Transferred
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.sized_source import SizedSource
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.app.pipeline.upload import ChunkUploader
from s3duct.app.pipeline.workers import Workers, run_apart
from s3duct.app.usecases.put_finish import PutFinisher
from s3duct.app.usecases.put_request import PutPorts, PutRequest, PutSummary
from s3duct.app.usecases.put_start import PutStart, PutStarter
from s3duct.domain.errors import (
    InputDiverged,
    InputTooShort,
    JournalDamaged,
    SourceError,
    StreamExists,
    UnsupportedFormat,
)
from s3duct.domain.events import Listener, Notice, ResumeStarted, TransferStarted
from s3duct.domain.manifest import Manifest
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.pipe import Source
from s3duct.domain.ports.process import Producer
from s3duct.domain.resume import Journal, RunBinding
from s3duct.domain.storage_class import StorageClass

_RESUME_HINT = "run the same command again to go on from what is stored"


async def put(
    request: PutRequest, *, source: Source, ports: PutPorts, listener: Listener, stop: StopRequest
) -> PutSummary:
    """Store a source as a stream.

    Raises:
        StreamExists: the name is taken and `request.clobber` is off.
        ResumeError: an unfinished run is on record and this one does not continue it; nothing was changed.
        RunInProgress: another process puts the same stream.
        SourceError: the source is empty, cannot be read, or is not of the size it should be.
        ProducerFailed: the source is a program, and it did not end well; running again resumes.
        StoreError, AccessDenied, LocalResourceError: as they come; running again resumes.
        Interrupted: `stop` was set; running again resumes.
    """
    request.check(ports.cipher)
    binding = request.binding(ports.cipher)
    journal = await AsyncJournal.open(ports.journals, binding)
    try:
        async with attended(source, stop=stop, listener=listener, hint=_RESUME_HINT):
            return await _PutRun(
                request, source=source, ports=ports, journal=journal, listener=listener, stop=stop
            ).run(binding)
    finally:
        await journal.close()


class _PutRun:
    """One put, with its journal in hand."""

    def __init__(
        self,
        request: PutRequest,
        *,
        source: Source,
        ports: PutPorts,
        journal: AsyncJournal,
        listener: Listener,
        stop: StopRequest,
    ) -> None:
        self._request = request
        self._source = source
        self._ports = ports
        self._journal = journal
        self._listener = listener
        self._stop = stop
        self._retrier = Retrier(
            ports.retry_policy, clock=ports.clock, entropy=ports.entropy, listener=listener
        )

    async def run(self, binding: RunBinding) -> PutSummary:
        # 1. May this run begin, and does it continue an earlier one?
        start = await self._stop.ends(self._begin(binding), hint="nothing was changed")
        # 2. The chunks: each is stored, then on record, several at once.
        with Workers() as workers:
            transferred = await self._transfer(start, workers)
        # 3. Is this the whole source?
        warnings = await self._check_source(start, transferred)
        # 4. The manifest, last of all; then what it made superfluous goes, and the journal.
        finishing = self._finish(start, transferred, warnings)
        return await self._stop.ends(finishing, hint="run the same command again to finish")

    async def _finish(
        self, start: PutStart, transferred: Transferred, warnings: tuple[str, ...]
    ) -> PutSummary:
        request = self._request
        finisher = PutFinisher(
            location=request.location,
            store=self._ports.store,
            cipher=self._ports.cipher,
            journal=self._journal,
            retrier=self._retrier,
            listener=self._listener,
        )
        if start.finished is None:
            manifest = self._build_manifest(transferred)
            manifest_sha256 = await finisher.write_manifest(manifest, overwrite=request.clobber)
        else:
            # The input was the recorded one to its end: an unreadable manifest says what this one does.
            manifest = start.finished.manifest or self._build_manifest(transferred)
            manifest_sha256 = start.finished.manifest_sha256
        current_keys = {record.key for record in manifest.chunks}
        await finisher.remove((start.superseded_keys | start.plan.keys) - current_keys)
        if start.unreadable_old:
            self._listener(
                Notice("the replaced stream cannot be read with this key: its chunks are left in the bucket")
            )
        await self._journal.discard()
        return PutSummary(
            manifest, request.location.manifest_key, manifest_sha256, transferred.resumed_chunks, warnings
        )

    async def _begin(self, binding: RunBinding) -> PutStart:
        recorded, is_empty = await self._read_journal()
        starter = PutStarter(
            location=self._request.location,
            store=self._ports.store,
            cipher=self._ports.cipher,
            retrier=self._retrier,
            clock=self._ports.clock,
            entropy=self._ports.entropy,
        )
        try:
            start = await starter.decide(binding, recorded, clobber=self._request.clobber)
        except StreamExists:
            if is_empty:
                await self._journal.discard()
            raise
        for place in await self._journal.unfinished_elsewhere(binding):
            self._listener(
                Notice(f"an unfinished put of {binding.name!r} to {place} is on record; it stays as it is")
            )
        if start.vanished_chunks:
            self._listener(
                Notice(
                    f"{start.vanished_chunks} chunks are on record, but not in the bucket any more: they are stored again"
                )
            )
        # A program that cannot be run shows that before anything is written.
        if isinstance(self._source, Producer):
            await run_apart("producer", self._source.start)
        if start.is_new:
            await self._journal.start(start.header)
        return start

    async def _read_journal(self) -> tuple[Journal | None, bool]:
        """Return the run to continue, if there is one, and whether nothing at all is on record."""
        try:
            recorded = await self._journal.read()
        except (JournalDamaged, UnsupportedFormat):
            if self._request.resume:
                raise
            return None, False
        return (recorded if self._request.resume else None), recorded is None

    async def _transfer(self, start: PutStart, workers: Workers) -> Transferred:
        request, ports = self._request, self._ports
        self._listener(TransferStarted(request.location.name))
        if start.plan.stored_chunks:
            self._listener(ResumeStarted(start.plan.stored_chunks, start.plan.stored_bytes))
        uploader = ChunkUploader(
            store=ports.store,
            prefix=request.location.prefix,
            cipher=ports.cipher,
            hasher=ports.hasher,
            workers=workers,
            retrier=self._retrier,
            storage_class=request.storage_class,
            chunk_size_bytes=request.chunk_size_bytes,
        )
        limits = request.buffers.resolve(
            request.chunk_size_bytes + uploader.overhead_bytes,
            memory_available_bytes=ports.memory_probe.available_bytes(),
            disk_free_bytes=ports.disk.free_bytes(),
        )
        transfer = PutTransfer(
            keys=start.keys,
            chunk_size_bytes=request.chunk_size_bytes,
            plan=start.plan,
            strict=request.strict_resume,
            source=SizedSource(
                self._source, expected_bytes=request.expected_bytes, min_bytes=request.min_bytes
            ),
            journal=self._journal,
            pool=BufferPool(ports.memory, ports.disk, limits, self._listener),
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

    def _build_manifest(self, transferred: Transferred) -> Manifest:
        request, cipher = self._request, self._ports.cipher
        return Manifest(
            name=request.location.name,
            chunk_size_bytes=request.chunk_size_bytes,
            total_bytes=transferred.total_bytes,
            chunks=transferred.records,
            final_chain=transferred.final_link.hex(),
            created=self._ports.clock.now().isoformat(),
            tool_version=request.tool_version,
            method=cipher.method,
            recipient=cipher.recipient,
            sealed=request.seal_manifest,
            storage_class=request.storage_class or StorageClass.STANDARD.value,
            description=request.description,
            tags=request.tags,
        )


def _exists_with_other_content(location: StreamLocation) -> StreamExists:
    return StreamExists(
        f"a stream {location.name!r} exists already, and the input is not the one it holds",
        hint="choose another --name, or replace it with --clobber",
    )
