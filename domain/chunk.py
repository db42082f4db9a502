"""Chunks: how a stream is cut, what each piece is called, and what S3 can hold.

S3 limits: an object holds at most 5 TiB, a multipart upload at most 10,000 parts, a part 5 MiB to 5 GiB (Amazon S3
User Guide, "Multipart upload limits"). R2 wants all parts but the last to be equal; we always send them so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from s3duct.domain.digest import DualDigest
from s3duct.domain.encryption import AES_OVERHEAD_BYTES
from s3duct.domain.errors import UsageError
from s3duct.domain.sizes import KIB, MIB, TIB, format_size, parse_size

MIN_CHUNK_BYTES = KIB
MAX_OBJECT_BYTES = 5 * TIB
MAX_CHUNK_BYTES = MAX_OBJECT_BYTES - AES_OVERHEAD_BYTES
DEFAULT_CHUNK_BYTES = 512 * MIB

_MAX_PARTS = 10_000
_DEFAULT_PART_BYTES = 8 * MIB

_GENERATION_DIGITS = 8
_GENERATION = re.compile(r"[0-9a-f]{8}")
_OWN_KEY = re.compile(r"(?:gen-([0-9a-f]{8})/)?chunk-([0-9]{6,19})")
_GENERATION_FOLDER = re.compile(r"(?:.*/)?gen-[0-9a-f]{8}", re.DOTALL)


def parse_chunk_size(text: str) -> int:
    """Parse `--chunk-size`, in bytes.

    Raises:
        UsageError: not a size, below 1 KiB (0 and negative included), or above what one S3 object can hold.
    """
    if text.strip().startswith("-"):
        raise UsageError(f"the chunk size {text!r} is negative", hint="write it like 512M, 64MiB or 1G")
    size_bytes = parse_size(text)
    if size_bytes < MIN_CHUNK_BYTES:
        raise UsageError(
            f"the chunk size {text!r} is below {format_size(MIN_CHUNK_BYTES)}", hint="the default is 512M"
        )
    if size_bytes > MAX_CHUNK_BYTES:
        raise UsageError(
            f"the chunk size {text!r} is above what one object can hold (5 TiB)", hint="the default is 512M"
        )
    return size_bytes


def chunk_key(name: str, index: int, *, generation: str = "") -> str:
    """Return the relative key of chunk `index` (from 0) of stream `name`.

    Six digits, wider past 999,999. A `generation` (8 hex digits) puts the chunks of one run into a folder of their own,
    so that two runs never write the same key.
    """
    if index < 0:
        raise ValueError("a chunk index is never negative")
    if generation and not _GENERATION.fullmatch(generation):
        raise ValueError("a generation is 8 hex digits")
    folder = f"{name}/gen-{generation}" if generation else name
    return f"{folder}/chunk-{index:06d}"


def is_generation_folder(name: str) -> bool:
    """Whether a stream of that name would share its folder with a generation of another."""
    return _GENERATION_FOLDER.fullmatch(name) is not None


def is_chunk_key(key: str, *, name: str) -> bool:
    """Whether a relative key is one that some writer gives to chunks of stream `name`, and no stream below it does."""
    return place_of_chunk(key, name=name) is not None


def place_of_chunk(key: str, *, name: str) -> tuple[str, int] | None:
    """Generation (empty: none) and index of a relative key, None if it `is_chunk_key` not."""
    found = _OWN_KEY.fullmatch(key, len(name) + 1) if key.startswith(f"{name}/") else None
    return (found[1] or "", int(found[2])) if found else None


def part_size_for(object_bytes: int) -> int:
    """Return the part size of multipart uploads for an object of at most `object_bytes`.

    8 MiB, or as many whole MiB as 10,000 parts need.
    """
    needed = -(-object_bytes // _MAX_PARTS)
    whole_mib = -(-needed // MIB) * MIB
    return max(_DEFAULT_PART_BYTES, whole_mib)


def spare_generation(run_id: str) -> str:
    """Return the generation of chunks that take the place of one which a run has on record (see `ChunkKeys`)."""
    return run_id[:_GENERATION_DIGITS]


@dataclass(frozen=True, slots=True)
class ChunkKeys:
    """Where the chunks of one run go; see `chunk_key`.

    `spare_generation`, always the same for one run, is for chunks that take the place of one that is on record: until the
    manifest is written, the record counts, and what it names must stay as it is.
    """

    name: str
    generation: str
    spare_generation: str

    def of(self, index: int) -> str:
        """Relative key of chunk `index`."""
        return chunk_key(self.name, index, generation=self.generation)

    def replacing(self, index: int) -> str:
        """Relative key of chunk `index` where another one of that index is on record."""
        return chunk_key(self.name, index, generation=self.spare_generation)


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """What manifest and journal remember of one stored chunk.

    `key` is relative (without the prefix), `size_bytes` and `digest` are of the plain bytes, `etag` is as the store
    returned it, quotes included, opaque, and empty where the store has none. `sealed_*` describe the stored object of an
    encrypted chunk and are None for plain ones (and for streams of s3duct 0.3.0).
    """

    index: int
    key: str
    size_bytes: int
    digest: DualDigest
    etag: str
    sealed_size_bytes: int | None = None
    sealed_sha256: bytes | None = None
