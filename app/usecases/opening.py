"""What get and verify begin with: the manifest, checked, and the key in hand held against it."""

from __future__ import annotations

from dataclasses import dataclass

from s3duct.app.pipeline.manifest_io import load_manifest
from s3duct.app.pipeline.retrying import Retrier
from s3duct.domain.backpressure import BufferLimits, BufferWishes
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import KeyRequired, ManifestInvalid
from s3duct.domain.manifest import Manifest
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.chunk_memory import ChunkMemory
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.disk_probe import DiskProbe, MemoryProbe
from s3duct.domain.ports.entropy import Entropy
from s3duct.domain.ports.hasher import Hasher
from s3duct.domain.ports.object_store import ObjectStore
from s3duct.domain.retry import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPorts:
    """What get and verify need from the outside world."""

    store: ObjectStore
    cipher: Cipher
    hasher: Hasher
    memory: ChunkMemory
    disk: DiskProbe
    memory_probe: MemoryProbe
    clock: Clock
    entropy: Entropy
    retry_policy: RetryPolicy


async def open_stream(
    location: StreamLocation, *, store: ObjectStore, cipher: Cipher, retrier: Retrier
) -> Manifest:
    """Load the manifest and verify the chain over its records.

    Raises:
        StreamNotFound, ManifestInvalid, UnsupportedFormat, KeyRequired, DecryptionFailed: see `load_manifest`.
        IntegrityError: the chain does not end where the manifest says.
    """
    manifest = await retrier.run("read of the manifest", lambda: load_manifest(store, location, cipher))
    manifest.verify_chain()
    return manifest


def check_key(manifest: Manifest, cipher: Cipher) -> None:
    """Check that the caller's cipher (`method` NONE if no key was given) is the one for the chunks of `manifest`.

    Raises:
        KeyRequired: the stream is encrypted by a method that the caller's cipher is not.
        ManifestInvalid: a key was given, but the stream claims not to be encrypted: a replaced manifest would say so too.
    """
    if manifest.method is cipher.method:
        return
    if not manifest.encrypted:
        raise ManifestInvalid(
            f"a key was given, but the manifest says that {manifest.name!r} is not encrypted",
            hint="if it was put without a key, leave --key away; otherwise the manifest was replaced",
        )
    if cipher.method is EncryptionMethod.NONE:
        raise KeyRequired(
            f"the stream {manifest.name!r} is encrypted ({manifest.method.value})",
            hint="give the key it was put with (--key), or read the sealed bytes with --no-decrypt",
        )
    raise KeyRequired(
        f"the stream {manifest.name!r} is encrypted with {manifest.method.value}, not {cipher.method.value}"
    )


def buffer_limits(manifest: Manifest, wishes: BufferWishes, ports: ReadPorts) -> BufferLimits:
    """Limits for reading the stream: its largest chunk is what a buffer costs."""
    largest = max(
        (manifest.stored_size_bytes(record) or record.size_bytes for record in manifest.chunks), default=1
    )
    return wishes.resolve(
        largest,
        memory_available_bytes=ports.memory_probe.available_bytes(),
        disk_free_bytes=ports.disk.free_bytes(),
    )
