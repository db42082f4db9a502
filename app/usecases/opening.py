"""What get and verify begin with: the manifest, checked, and the key in hand held against it."""

from __future__ import annotations

from dataclasses import dataclass

from s3duct.app.pipeline.buffer_pool import BufferPool
from s3duct.app.pipeline.host import Host
from s3duct.app.pipeline.manifest_io import open_manifest, read_manifest
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.workers import run_apart
from s3duct.domain.backpressure import BufferWishes
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import KeyRequired
from s3duct.domain.events import Listener
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_trust import ManifestTrust, OpenedManifest
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.chunk_memory import ChunkMemory
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.disk_probe import DiskProbe, MemoryProbe, ProcessorProbe
from s3duct.domain.ports.entropy import Entropy
from s3duct.domain.ports.hasher import Hasher
from s3duct.domain.ports.object_store import ObjectStore
from s3duct.domain.retry import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPorts:
    """What get and verify need from the outside world: `cipher` holds the key, `plain_cipher` reads what is not sealed."""

    store: ObjectStore
    cipher: Cipher
    plain_cipher: Cipher
    hasher: Hasher
    memory: ChunkMemory
    disk: DiskProbe
    memory_probe: MemoryProbe
    processors: ProcessorProbe
    clock: Clock
    entropy: Entropy
    retry_policy: RetryPolicy


async def open_stream(
    location: StreamLocation, *, trust: ManifestTrust, ports: ReadPorts, retrier: Retrier
) -> OpenedManifest:
    """Load the manifest and verify the chain over its records; whether it may be believed is the next question.

    Raises:
        StreamNotFound, ManifestInvalid, UnsupportedFormat, KeyRequired, WrongKey: see `open_manifest`.
        ManifestUnexpected: the caller expects another one.
        IntegrityError: the chain does not end where the manifest says.
    """
    stored = await retrier.run("read of the manifest", lambda: read_manifest(ports.store, location))
    trust.check_digest(stored.sha256, name=location.name)
    opened = await open_manifest(stored, location, ports.cipher)
    await run_apart("chain", opened.manifest.verify_chain)  # seconds, over millions of records
    return opened


def cipher_for(manifest: Manifest, ports: ReadPorts) -> Cipher:
    """Return the cipher that opens the chunks of a manifest that may be believed.

    Raises:
        KeyRequired: the stream is encrypted, and no key was given.
    """
    if not manifest.encrypted:
        return ports.plain_cipher
    if ports.cipher.method is EncryptionMethod.NONE:
        raise KeyRequired(
            f"the stream {manifest.name!r} is encrypted ({manifest.method.value})",
            hint="give the key it was put with (--key or --age-identity), or read the sealed bytes with --no-decrypt",
        )
    return ports.cipher


def buffer_pool(manifest: Manifest, wishes: BufferWishes, ports: ReadPorts, listener: Listener) -> BufferPool:
    """Buffers for reading the stream: its largest chunk is what one costs."""
    largest = max(
        (manifest.stored_size_bytes(record) or record.size_bytes for record in manifest.chunks), default=1
    )
    return BufferPool(
        Host(ports.memory, ports.disk, ports.memory_probe, ports.processors),
        wishes,
        cost_bytes=largest,
        clock=ports.clock,
        listener=listener,
    )
