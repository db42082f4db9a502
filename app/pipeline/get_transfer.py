"""Moves verified chunks, or the wanted pieces of them, from the bucket into an output, in order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from itertools import tee

from s3duct.app.pipeline.buffer_pool import BufferPool
from s3duct.app.pipeline.download import ChunkDownloader
from s3duct.app.pipeline.prefetch import FetchedChunk, fetch_in_order
from s3duct.app.pipeline.workers import BlockingThread
from s3duct.domain.byte_range import Piece
from s3duct.domain.events import BytesMoved, ChunkFinished, Listener
from s3duct.domain.ports.pipe import Sink


class GetTransfer:
    """Counts what it has written: `bytes_written` from `chunks_written` chunks."""

    def __init__(
        self,
        *,
        downloader: ChunkDownloader,
        pool: BufferPool,
        sink: Sink,
        thread: BlockingThread,
        listener: Listener,
    ) -> None:
        """Take both ends; `thread` is the one that writes."""
        self._downloader = downloader
        self._pool = pool
        self._sink = sink
        self._thread = thread
        self._listener = listener
        self.bytes_written = 0
        self.chunks_written = 0

    async def write(self, pieces: Sequence[Piece]) -> None:
        """Fetch the chunks of `pieces` ahead, each verified whole, and write what is wanted of each.

        Raises what both ends raise.
        """
        ahead, next_to_write = tee(pieces)
        fetched = fetch_in_order(
            (piece.record for piece in ahead),
            downloader=self._downloader,
            pool=self._pool,
            listener=self._listener,
        )
        async with aclosing(fetched):
            async for chunk in fetched:
                await self._write_piece(chunk, next(next_to_write))

    async def _write_piece(self, chunk: FetchedChunk, piece: Piece) -> None:
        # Sealed chunks are longer than their records say; only plain ones are ever cut.
        wanted = chunk.view if piece.whole else chunk.view[piece.start : piece.stop]
        await self._thread.call(self._sink.write_all, wanted)
        size_bytes = len(wanted)
        wanted.release()
        chunk.view.release()
        self.bytes_written += size_bytes
        self.chunks_written += 1
        self._listener(BytesMoved(size_bytes))
        self._listener(ChunkFinished(chunk.record.index, size_bytes))
