"""The manifest: what a finished stream consists of. Values only; see `manifest_codec` for the JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from s3duct.domain.chain import chain_over
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.encryption import AES_OVERHEAD_BYTES, EncryptionMethod
from s3duct.domain.errors import IntegrityError

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """A finished stream.

    `created` is ISO 8601 in UTC. `recipient` is whom the chunks were sealed for (age; several are joined by commas).
    `sealed` says that the manifest itself is stored encrypted. `stream_sha256` and `stream_sha3_256` are hex or empty;
    readers only report them.
    """

    name: str
    chunk_size_bytes: int
    total_bytes: int
    chunks: Sequence[ChunkRecord]
    final_chain: str
    created: str
    tool_version: str
    method: EncryptionMethod = EncryptionMethod.NONE
    recipient: str | None = None
    sealed: bool = False
    storage_class: str | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    stream_sha256: str = ""
    stream_sha3_256: str = ""

    @property
    def encrypted(self) -> bool:
        """Whether the chunks are sealed."""
        return self.method is not EncryptionMethod.NONE

    def verify_chain(self) -> None:
        """Recompute the chain over all chunk records.

        Raises:
            IntegrityError: the final link differs: records were altered, dropped, added or reordered.
        """
        if chain_over(record.digest for record in self.chunks).hex() != self.final_chain:
            raise IntegrityError(
                f"the chain over the manifest of {self.name!r} does not end where it should",
                hint="the manifest was altered or damaged; nothing was written",
            )

    def stored_size_bytes(self, record: ChunkRecord) -> int | None:
        """Size of the chunk's object in the bucket, or None where the manifest does not say (age, s3duct 0.3.0)."""
        if not self.encrypted:
            return record.size_bytes
        if record.sealed_size_bytes is not None:
            return record.sealed_size_bytes
        if self.method is EncryptionMethod.AES_256_GCM:
            return record.size_bytes + AES_OVERHEAD_BYTES
        return None
