"""Port: the two ends of the pipe. Both block and are called from a thread of their own."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Source(Protocol):
    """Where a stream comes from."""

    def read_into(self, view: memoryview) -> int:
        """Read at most `len(view)` bytes, at least one unless the input has ended; return how many, 0 at the end.

        With 0 a source vouches that the input is whole. One that knows better raises instead: the last chunk would be taken
        for the end of the stream otherwise.

        Raises:
            SourceError: the input cannot be read, or what was read is not all of it.
        """
        ...

    def completeness_warning(self, total_bytes: int) -> str:
        """Return, at the end, why `total_bytes` may not be all there is, or an empty text.

        A pipe has nothing to say. A regular file that changed while it was read has.
        """
        ...


@runtime_checkable
class Sink(Protocol):
    """Where a stream goes to."""

    def write_all(self, view: memoryview) -> None:
        """Write all of it.

        Raises:
            SinkClosed: the consumer has gone.
            SinkError: it cannot be written.
        """
        ...
