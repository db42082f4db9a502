"""A chunk that is stored as it is, given out while it is still being read."""

from __future__ import annotations

from collections.abc import AsyncIterator

from s3duct.app.pipeline.lanes import PIECE_BYTES
from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.sealed_message import UploadAbandoned
from s3duct.domain.ports.chunk_memory import Region


class PlainMessage:
    """One attempt at giving out a chunk. Its pieces are parts of the chunk's buffer."""

    def __init__(self, region: Region, mark: Mark) -> None:
        """Take the bytes under `mark`."""
        self._region = region
        self._mark = mark
        self.size_bytes: int | None = None
        """What was given out, once that is all; None before."""

    async def pieces(self) -> AsyncIterator[memoryview]:
        """Give out piece after piece as the mark moves."""
        position = 0
        while (ready := await self._mark.beyond(position)) > position:
            stop = min(ready, position + PIECE_BYTES)
            yield self._region.view[position:stop]
            self._region.evict(position, stop)
            position = stop
        self.size_bytes = position

    def whole(self) -> memoryview:
        """Give out all of a complete chunk."""
        self.size_bytes = self._mark.position
        return self._region.view[: self._mark.position]

    def abandon(self) -> None:
        """Make the pieces fail from now on."""
        self._mark.fail(UploadAbandoned())
