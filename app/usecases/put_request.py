"""What a put is asked for, what it needs, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from s3duct.domain.backpressure import BufferWishes
from s3duct.domain.chunk import MAX_OBJECT_BYTES, is_generation_folder
from s3duct.domain.encryption import AES_MAX_MESSAGE_BYTES, EncryptionMethod
from s3duct.domain.errors import UsageError
from s3duct.domain.manifest import Manifest
from s3duct.domain.names import MANIFEST_FILE, RESUME_FOLDER, StreamLocation, lies_in_resume_folder
from s3duct.domain.ports.chunk_memory import ChunkMemory
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.disk_probe import DiskProbe, MemoryProbe, ProcessorProbe
from s3duct.domain.ports.entropy import Entropy
from s3duct.domain.ports.hasher import Hasher
from s3duct.domain.ports.journal import JournalStore
from s3duct.domain.ports.multipart_uploads import MultipartUploads
from s3duct.domain.ports.object_store import ObjectStore
from s3duct.domain.resume import OnDivergence, ResumeFrom, RunBinding
from s3duct.domain.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class PutRequest:
    """What to put where.

    `destination` names the store for the journal (endpoint and bucket, or folder). `storage_class` applies to chunks; None
    leaves it to the bucket. `seal_manifest` needs a cipher with a key. `expected_bytes` and `min_bytes` are what is known
    about the size of the input. `takeover` replaces the claim of a put that may still be running on another machine.
    """

    location: StreamLocation
    destination: str
    chunk_size_bytes: int
    buffers: BufferWishes
    tool_version: str
    storage_class: str | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    seal_manifest: bool = False
    clobber: bool = False
    resume: bool = True
    strict_resume: bool = True
    allow_empty: bool = False
    expected_bytes: int | None = None
    min_bytes: int = 0
    resume_from: ResumeFrom = ResumeFrom.AUTO
    takeover: bool = False
    on_divergence: OnDivergence = OnDivergence.FAIL

    def check(self, cipher: Cipher) -> None:
        """Raise `UsageError` if this cannot be put with `cipher`."""
        if is_generation_folder(self.location.name):
            raise UsageError(
                f"the name {self.location.name!r} ends like a folder of chunks (gen- and 8 hex digits)",
                hint="choose another --name",
            )
        if self.expected_bytes is not None and self.expected_bytes < self.min_bytes:
            raise UsageError(
                f"--expected-size ({self.expected_bytes} bytes) is less than --min-size ({self.min_bytes} bytes)",
                hint="give one of them",
            )
        if MANIFEST_FILE in self.location.name.split("/"):
            raise UsageError(
                f"the name {self.location.name!r} holds what only manifests are called ({MANIFEST_FILE})",
                hint="choose another --name",
            )
        if lies_in_resume_folder(self.location.name):
            raise UsageError(
                f"the name {self.location.name!r} lies where journals do ({RESUME_FOLDER})",
                hint="choose another --name",
            )
        if not self.resume and self.resume_from is not ResumeFrom.AUTO:
            raise UsageError(
                "--no-resume and --resume-from contradict each other", hint="leave one of the two away"
            )
        if self.seal_manifest and cipher.method is EncryptionMethod.NONE:
            raise UsageError(
                "--encrypt-manifest needs a key",
                hint="give --key, --age-identity or --age-recipient (--no-encrypt sets them aside)",
            )
        if cipher.method is EncryptionMethod.AES_256_GCM and self.chunk_size_bytes > AES_MAX_MESSAGE_BYTES:
            raise UsageError(
                "the chunk size is above what AES-256-GCM can seal as one message (64 GiB less 32 bytes)",
                hint="the default is 512M",
            )
        if cipher.sealed_size_bytes(self.chunk_size_bytes) > MAX_OBJECT_BYTES:
            raise UsageError(
                "the chunk size, sealed, is above what one object can hold (5 TiB)",
                hint="the default is 512M",
            )

    def binding(self, cipher: Cipher) -> RunBinding:
        """What the run's journal is bound to."""
        return RunBinding(
            destination=self.destination,
            prefix=self.location.prefix,
            name=self.location.name,
            chunk_size_bytes=self.chunk_size_bytes,
            method=cipher.method,
            key_id=cipher.key_id,
            sealed_manifest=self.seal_manifest,
            storage_class=self.storage_class or "",
        )


@dataclass(frozen=True, slots=True)
class PutSummary:
    """What a put did. `manifest_sha256` (hex) is the digest of the manifest object as it was written."""

    manifest: Manifest
    manifest_key: str
    manifest_sha256: str
    chunks_resumed: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPorts:
    """What a put needs from the outside world. `uploads` is None for a store that has no incomplete uploads."""

    store: ObjectStore
    journals: JournalStore
    cipher: Cipher
    hasher: Hasher
    memory: ChunkMemory
    disk: DiskProbe
    memory_probe: MemoryProbe
    processors: ProcessorProbe
    clock: Clock
    entropy: Entropy
    retry_policy: RetryPolicy
    uploads: MultipartUploads | None = None
