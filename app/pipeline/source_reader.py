"""Reads a source on a thread of its own: a read may block for ever."""

from __future__ import annotations

from s3duct.app.pipeline.lanes import is_tiny
from s3duct.app.pipeline.workers import BlockingThread
from s3duct.domain.ports.pipe import Source
from s3duct.domain.sizes import KIB

# A pipe hands out 64 KiB at most by default: so many reads at once, then the lanes get to see what has come.
_READS_AT_ONCE = 64
# Tiny chunks take what one read brings, and are cut out of that: each of its own would take a call of the thread.
_AHEAD_BYTES = 64 * KIB


class SourceReader:
    """Fills the buffers of chunks, of `chunk_size_bytes` each."""

    def __init__(self, source: Source, *, chunk_size_bytes: int) -> None:
        """Start the thread."""
        self._source = source
        self._thread = BlockingThread("source")
        self._room = memoryview(bytearray(_AHEAD_BYTES)) if is_tiny(chunk_size_bytes) else None
        self._ahead = memoryview(b"")

    async def read_into(self, view: memoryview) -> tuple[int, bool]:
        """Read at least one byte into `view`, unless the source has ended; return how many, and whether it has.

        Cancelled, the read goes on until it returns.

        Raises:
            SourceError: as it comes; what was read before has been given out.
        """
        if self._room is None:
            return await self._thread.call(_read_some, self._source, view)
        if not self._ahead:
            self._ahead = self._room[: await self._thread.call(self._source.read_into, self._room)]
        size = min(len(view), len(self._ahead))
        view[:size] = self._ahead[:size]
        self._ahead = self._ahead[size:]
        return size, not size

    def close(self) -> None:
        """Let the thread end after the read that may be under way."""
        self._thread.close()


def _read_some(source: Source, view: memoryview) -> tuple[int, bool]:
    """Read until `view` is full, the source has ended, or enough small reads were made; say whether it has ended."""
    size = 0
    for _ in range(_READS_AT_ONCE):
        got = source.read_into(view[size:])
        size += got
        if not got:
            return size, True
        if size == len(view):
            break
    return size, False
