"""Port: where a restored stream goes, and what an earlier run has left there to go on from.

All calls block and are made from one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from s3duct.domain.ports.pipe import Sink


class OutputPart(Sink, Protocol):
    """The content of an output until it is complete; nobody else writes it meanwhile.

    `write_all` (of `Sink`) writes one piece behind another, from offset 0 unless `go_on_at` says otherwise.
    """

    @property
    def name(self) -> str:
        """What it is called where the user can find it; empty if nothing is kept of an unfinished one."""
        ...

    @property
    def others(self) -> Sequence[str]:
        """Names of unfinished parts of the same output that belong to another content."""
        ...

    def read_into(self, view: memoryview, *, offset_bytes: int) -> int:
        """Read what lies at `offset_bytes`, as much as `view` holds; return how much that was, less only at the end.

        Nothing of it is to be believed before it has been compared with what it should be.

        Raises:
            SinkError: it cannot be read.
        """
        ...

    def go_on_at(self, offset_bytes: int) -> None:
        """Let the next write begin at `offset_bytes`, which is at most where content ends."""
        ...

    def commit(self, size_bytes: int) -> None:
        """Make the first `size_bytes` bytes the output: durable when it returns. Atomic where there is a `name`.

        Raises:
            OutputExists: something has taken the output's place meanwhile, and may not be replaced. The part is kept.
            SinkError: it cannot be done. The part is kept.
        """
        ...

    def close(self) -> None:
        """Let go of it; an unfinished part stays, unless it is empty. Idempotent."""
        ...


@runtime_checkable
class Output(Protocol):
    """A place for a restored stream."""

    def check(self) -> None:
        """Refuse at once what `begin` would refuse; nothing is changed."""
        ...

    def begin(self, identity: str) -> OutputPart:
        """Take hold of the part of the content that `identity` (any text) names: what an earlier run left, or a new one.

        Raises:
            OutputExists: there is an output already, and it may not be replaced.
            RunInProgress: another run holds that part.
            SinkError: it cannot be written there.
        """
        ...
