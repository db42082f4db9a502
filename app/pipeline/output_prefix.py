"""How much of an unfinished output is right: read back chunk by chunk, and held against the manifest's records."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass

from s3duct.app.pipeline.parallel import side_by_side
from s3duct.app.pipeline.workers import BlockingThread, Workers
from s3duct.domain.byte_range import Piece
from s3duct.domain.ports.hasher import Hasher, HashLane
from s3duct.domain.ports.output import OutputPart
from s3duct.domain.sizes import MIB

# Two such buffers: one is read into while the other is hashed.
_READ_BYTES = MIB


@dataclass(frozen=True, slots=True)
class _Expected:
    size_bytes: int
    sha256: bytes
    sha3_256: bytes | None


class PrefixCheck:
    """Reads an unfinished output back. `sealed` says that it holds chunks as they are stored."""

    def __init__(
        self, part: OutputPart, *, sealed: bool, hasher: Hasher, workers: Workers, thread: BlockingThread
    ) -> None:
        """Take what it reads with: `thread` is the one on which the part is used."""
        self._part = part
        self._sealed = sealed
        self._hasher = hasher
        self._workers = workers
        self._thread = thread
        self._buffers = [memoryview(bytearray(_READ_BYTES)) for _ in range(2)]

    @property
    def possible(self) -> bool:
        """Whether the output keeps what an earlier run has written."""
        return bool(self._part.name)

    async def right_pieces(
        self, pieces: Iterable[Piece], *, offset_bytes: int
    ) -> AsyncGenerator[tuple[Piece, int], None]:
        """Yield the pieces that lie there whole and right, each with its size in bytes, up to the first that does not.

        Every byte of them was read just now. A piece of a chunk has no digest of its own and is never right.

        Args:
            pieces: what should be there.
            offset_bytes: where the first of them should begin.
        """
        position = offset_bytes
        for piece in pieces:
            expected = self._expected(piece)
            if expected is None or not await self._is_right(position, expected):
                return
            position += expected.size_bytes
            yield piece, expected.size_bytes

    def _expected(self, piece: Piece) -> _Expected | None:
        record = piece.record
        if not piece.whole:
            return None
        if not self._sealed:
            return _Expected(record.size_bytes, record.digest.sha256, record.digest.sha3_256)
        if record.sealed_size_bytes is None or record.sealed_sha256 is None:
            return None
        return _Expected(record.sealed_size_bytes, record.sealed_sha256, None)

    async def _is_right(self, position: int, expected: _Expected) -> bool:
        """Hash what lies there, reading ahead by one buffer."""
        sha256 = self._hasher.sha256()
        sha3_256 = None if expected.sha3_256 is None else self._hasher.sha3_256()
        left = expected.size_bytes
        current, ahead = self._buffers
        filled = await self._read(current, position, left)
        while filled and filled == min(left, _READ_BYTES):
            left -= filled
            position += filled
            _, next_filled = await side_by_side(
                self._hash(current[:filled], sha256, sha3_256), self._read(ahead, position, left)
            )
            current, ahead, filled = ahead, current, next_filled
        if left:
            return False
        return sha256.digest() == expected.sha256 and (
            sha3_256 is None or sha3_256.digest() == expected.sha3_256
        )

    async def _read(self, buffer: memoryview, position: int, left: int) -> int:
        wanted = min(left, _READ_BYTES)
        if not wanted:
            return 0
        return await self._thread.call(self._part.read_into, buffer[:wanted], offset_bytes=position)

    async def _hash(self, view: memoryview, sha256: HashLane, sha3_256: HashLane | None) -> None:
        if sha3_256 is None:
            await self._workers.run(sha256.update, view)
            return
        await side_by_side(self._workers.run(sha256.update, view), self._workers.run(sha3_256.update, view))
