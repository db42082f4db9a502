"""The records of a stream's chunks, of which there may be millions: packed, and made anew when they are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import overload

from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.digest import DIGEST_BYTES, DualDigest

# Index, both sizes, both digests, the length of the key, and whether the digest of the sealed chunk follows; then that, the
# key and the ETag. No stored object is empty: a sealed size of 0 is none.
_FIXED = Struct("<QQQ32s32sI?")


class ChunkRecords(Sequence[ChunkRecord]):
    """An immutable sequence of records in a third of their memory. Equal to any sequence of equal records."""

    def __init__(self, records: Iterable[ChunkRecord] = ()) -> None:
        """Pack `records`, one after another: an iterator of many is never held whole."""
        self._packed = [_pack(record) for record in records]

    @overload
    def __getitem__(self, at: int) -> ChunkRecord: ...

    @overload
    def __getitem__(self, at: slice) -> ChunkRecords: ...

    def __getitem__(self, at: int | slice) -> ChunkRecord | ChunkRecords:
        return _of(self._packed[at]) if isinstance(at, slice) else _unpack(self._packed[at])

    def __len__(self) -> int:
        return len(self._packed)

    def __iter__(self) -> Iterator[ChunkRecord]:
        return map(_unpack, self._packed)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ChunkRecords):
            return self._packed == other._packed
        if isinstance(other, Sequence):
            return len(self) == len(other) and all(map(ChunkRecord.__eq__, self, other))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of what it is equal to: some sequences have none

    def __repr__(self) -> str:
        # Not all of them: asyncio.run writes what it returns, to look for it among the names of signal handlers.
        return f"<{len(self)} chunk records>"


class GatheredRecords:
    """Records that come in any order of their indices, packed."""

    def __init__(self) -> None:
        """Begin with none."""
        self._packed: list[bytes | None] = []

    def add(self, record: ChunkRecord) -> None:
        """Take a record in; it replaces one of the same index."""
        lacking = record.index + 1 - len(self._packed)
        if lacking > 0:
            self._packed.extend([None] * lacking)
        self._packed[record.index] = _pack(record)

    def count(self) -> int:
        """Return how many there are."""
        return len(self._packed) - self._packed.count(None)

    def in_order(self) -> ChunkRecords:
        """Return those that there are, in order."""
        return _of([packed for packed in self._packed if packed is not None])


def _of(packed: list[bytes]) -> ChunkRecords:
    records = ChunkRecords()
    records._packed = packed
    return records


def _pack(record: ChunkRecord) -> bytes:
    key = _encoded(record.key)
    fixed = _FIXED.pack(
        record.index,
        record.size_bytes,
        record.sealed_size_bytes or 0,
        record.digest.sha256,
        record.digest.sha3_256,
        len(key),
        record.sealed_sha256 is not None,
    )
    return b"".join((fixed, record.sealed_sha256 or b"", key, _encoded(record.etag)))


def _unpack(packed: bytes) -> ChunkRecord:
    index, size_bytes, sealed_size_bytes, sha256, sha3_256, key_bytes, is_sealed = _FIXED.unpack_from(packed)
    key_at = _FIXED.size + (DIGEST_BYTES if is_sealed else 0)
    etag_at = key_at + key_bytes
    return ChunkRecord(
        index,
        _decoded(packed[key_at:etag_at]),
        size_bytes,
        DualDigest(sha256, sha3_256),
        _decoded(packed[etag_at:]),
        sealed_size_bytes or None,
        packed[_FIXED.size : key_at] if is_sealed else None,
    )


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # an ETag may be any text that JSON can hold


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogatepass")
