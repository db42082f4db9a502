"""verify: is every chunk of a stream there, and (deep) is every byte of it what was put?"""

from __future__ import annotations

from dataclasses import dataclass

from s3duct.app.pipeline.download import ChunkDownloader
from s3duct.app.pipeline.parallel import for_each
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.app.pipeline.workers import Workers
from s3duct.app.usecases.opening import ReadPorts, buffer_pool, cipher_for, open_stream
from s3duct.domain.backpressure import BufferWishes
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import ChunkMissing, IntegrityError, ObjectNotFound, WrongKey
from s3duct.domain.events import (
    BytesMoved,
    ChunkFaulty,
    ChunkFinished,
    ChunkStarted,
    Listener,
    Notice,
    TransferStarted,
)
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_trust import DEFAULT_TRUST, ManifestTrust
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher

_LOOKUPS_AT_ONCE = 32
# After so many chunks that do not open, and none that does, the key is the wrong one.
_UNOPENED_TELL = 3


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """What to verify. `deep` downloads every chunk; otherwise presence, size and ETag are looked up.

    `trust` says what the manifest has to prove.
    """

    location: StreamLocation
    buffers: BufferWishes
    deep: bool = False
    trust: ManifestTrust = DEFAULT_TRUST


@dataclass(frozen=True, slots=True)
class VerifySummary:
    """What verify found. `mismatched` and `missing` are chunk indices in order.

    `plain_checked` says that plain bytes were hashed and their chain verified, rather than sealed bytes or metadata only.
    `manifest_sha256` (hex) is the digest of the manifest object; `accepted` says what about it a flag made acceptable.
    """

    manifest: Manifest
    manifest_sha256: str
    deep: bool
    plain_checked: bool
    mismatched: tuple[int, ...]
    missing: tuple[int, ...]
    accepted: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.mismatched and not self.missing


async def verify(
    request: VerifyRequest, *, ports: ReadPorts, listener: Listener, stop: StopRequest
) -> VerifySummary:
    """Check a stream; every chunk is looked at, whatever is wrong with others.

    Deep with the key (or over a plain stream): plain bytes, both digests, the chain. Deep without the key of an encrypted
    stream: its sealed bytes.

    Raises:
        StreamNotFound, UnsupportedFormat, KeyRequired, WrongKey: nothing could be checked.
        IntegrityError: the manifest itself is damaged, or may not be believed (see `ManifestTrust`).
        StoreError, AccessDenied, LocalResourceError: as they come.
        Interrupted: `stop` was set.
    """
    return await stop.ends(_verify(request, ports, listener), hint="not all chunks were checked")


async def _verify(request: VerifyRequest, ports: ReadPorts, listener: Listener) -> VerifySummary:
    location = request.location
    retrier = Retrier(ports.retry_policy, clock=ports.clock, entropy=ports.entropy, listener=listener)
    opened = await open_stream(location, trust=request.trust, ports=ports, retrier=retrier)
    accepted = request.trust.check(opened, ports.cipher)
    if accepted:
        listener(Notice(accepted))
    manifest = opened.manifest
    keyless = manifest.encrypted and ports.cipher.method is EncryptionMethod.NONE
    cipher = None if keyless else cipher_for(manifest, ports)
    listener(TransferStarted(location.name, manifest.total_bytes, len(manifest.chunks)))
    tally = _Tally(listener)
    if request.deep:
        await _check_content(
            request, manifest, ports, retrier=retrier, tally=tally, listener=listener, cipher=cipher
        )
    else:
        await _check_metadata(location, manifest, ports, retrier, tally)
    return VerifySummary(
        manifest=manifest,
        manifest_sha256=opened.sha256,
        deep=request.deep,
        plain_checked=request.deep and not keyless and tally.clean,
        mismatched=tuple(sorted(tally.mismatched)),
        missing=tuple(sorted(tally.missing)),
        accepted=accepted,
    )


class _Tally:
    """Counts what was found."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.mismatched: list[int] = []
        self.missing: list[int] = []
        self._good = 0
        self._unopened: list[WrongKey] = []

    @property
    def clean(self) -> bool:
        return not self.mismatched and not self.missing

    def is_missing(self, record: ChunkRecord) -> None:
        self.missing.append(record.index)
        self._listener(ChunkFaulty(record.index, f"there is no object {record.key!r}"))

    def does_not_open(self, record: ChunkRecord, error: WrongKey) -> None:
        """Count a chunk that is sealed for another key: damage among others that open, and a wrong key where none does.

        Raises:
            WrongKey: none has opened so far, and that many did not.
        """
        self._unopened.append(error)
        if len(self._unopened) == _UNOPENED_TELL:
            self.check_key()
        self.judge(record, error.message)

    def check_key(self) -> None:
        """Raise `WrongKey` if not one chunk was opened."""
        if self._unopened and not self._good:
            raise self._unopened[0]

    def judge(self, record: ChunkRecord, problem: str) -> None:
        if problem:
            self.mismatched.append(record.index)
            self._listener(ChunkFaulty(record.index, problem))
        else:
            self._good += 1
            self._listener(BytesMoved(record.size_bytes))
            self._listener(ChunkFinished(record.index, record.size_bytes))


async def _check_metadata(
    location: StreamLocation, manifest: Manifest, ports: ReadPorts, retrier: Retrier, tally: _Tally
) -> None:
    """Look up every chunk, many at once."""

    async def check(record: ChunkRecord) -> None:
        key = location.full_key(record.key)
        try:
            found = await retrier.run(f"look-up of {record.key}", lambda: ports.store.head(key))
        except ObjectNotFound:
            tally.is_missing(record)
            return
        tally.judge(record, _metadata_problem(manifest, record, found.size_bytes, found.etag))

    await for_each(manifest.chunks, check, at_once=_LOOKUPS_AT_ONCE)


def _metadata_problem(manifest: Manifest, record: ChunkRecord, size_bytes: int, etag: str) -> str:
    expected = manifest.stored_size_bytes(record)
    if expected is not None and size_bytes != expected:
        return f"its object has {size_bytes} bytes instead of {expected}"
    if etag and record.etag and etag.strip('"') != record.etag.strip('"'):
        return "its ETag has changed: the object was written again, or copied (--deep compares its content)"
    return ""


async def _check_content(
    request: VerifyRequest,
    manifest: Manifest,
    ports: ReadPorts,
    *,
    retrier: Retrier,
    tally: _Tally,
    listener: Listener,
    cipher: Cipher | None,
) -> None:
    """Download every chunk, several at once, and verify it as get would."""
    location = request.location
    pool = buffer_pool(manifest, request.buffers, ports, listener)
    limits = pool.limits()
    with Workers() as workers:
        downloader = ChunkDownloader(
            store=ports.store,
            location=location,
            manifest=manifest,
            cipher=cipher,
            hasher=ports.hasher,
            workers=workers,
            retrier=retrier,
            memory_bytes=limits.memory_bytes,
        )

        async def check(record: ChunkRecord) -> None:
            try:
                size_bytes = await downloader.stored_size_bytes(record)
                lease = await pool.acquire(size_bytes)
                listener(ChunkStarted(record.index))
                try:
                    await downloader.fetch(record, lease.region, size_bytes)
                finally:
                    pool.release(lease)
            except ChunkMissing:
                tally.is_missing(record)
            except WrongKey as error:
                tally.does_not_open(record, error)
            except IntegrityError as error:
                tally.judge(record, error.message)
            else:
                tally.judge(record, "")

        await for_each(manifest.chunks, check, at_once=limits.max_chunks)
    tally.check_key()
