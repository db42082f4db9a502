"""What get is asked for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from s3duct.domain.backpressure import BufferWishes
from s3duct.domain.byte_range import EVERYTHING, ByteRange
from s3duct.domain.errors import UsageError
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_trust import DEFAULT_TRUST, ManifestTrust
from s3duct.domain.names import StreamLocation


@dataclass(frozen=True, slots=True)
class GetRequest:
    """What to get. `raw` hands out the sealed bytes as they are stored; `trust` says what the manifest has to prove.

    Raises:
        UsageError: a range of sealed bytes: offsets count plain ones.
    """

    location: StreamLocation
    buffers: BufferWishes
    raw: bool = False
    trust: ManifestTrust = DEFAULT_TRUST
    range: ByteRange = EVERYTHING

    def __post_init__(self) -> None:
        if self.raw and not self.range.is_everything:
            raise UsageError(
                "a part of a stream cannot be taken from its sealed bytes: offset and length count plain ones",
                hint="leave --no-decrypt away and give the key, or leave --offset and --length away",
            )


@dataclass(frozen=True, slots=True)
class GetSummary:
    """What a get did.

    Bytes from `start` to `stop` (exclusive) of the stream are in the output: `bytes_written` in `chunks_downloaded` chunks
    (or pieces of them) by this run, `bytes_kept` in `chunks_kept` by earlier ones, read back and verified. With `raw`, the
    written and kept bytes are sealed ones.

    `manifest_sha256` (hex) is the digest of the manifest object; `accepted` says what about it a flag made acceptable.
    """

    manifest: Manifest
    manifest_sha256: str
    start: int
    stop: int
    raw: bool
    bytes_written: int
    chunks_downloaded: int
    bytes_kept: int = 0
    chunks_kept: int = 0
    accepted: str = ""

    @property
    def is_part(self) -> bool:
        """Whether the output holds a part of the stream."""
        return (self.start, self.stop) != (0, self.manifest.total_bytes)

    @property
    def size_bytes(self) -> int:
        """Size of the output."""
        return self.bytes_kept + self.bytes_written

    @property
    def chunks(self) -> int:
        """How many chunks the output was made from."""
        return self.chunks_kept + self.chunks_downloaded
