"""Port: the memory of unfinished runs, durable record by record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from s3duct.domain.resume import Journal, JournalHeader, ManifestRecord, ResumeRecord, RunBinding


class JournalFile(Protocol):
    """The journal of one stream at one destination, held exclusively. All calls block (they wait for the disk).

    Every method raises `LocalResourceError` if the disk fails.
    """

    def read(self) -> Journal | None:
        """Return what is on record, without a torn last record; None if there is nothing.

        Raises:
            JournalDamaged: it is damaged otherwise.
        """
        ...

    def start(self, header: JournalHeader, records: Sequence[ResumeRecord | ManifestRecord] = ()) -> None:
        """Begin anew with this header and records; durable when it returns. What was on record is dropped."""
        ...

    def append(self, *records: ResumeRecord | ManifestRecord) -> None:
        """Add records, in this order; all are durable when it returns.

        Of a call that is cut off by a crash, the first ones may be there.
        """
        ...

    def discard(self) -> None:
        """Remove the journal: its run has ended. Idempotent."""
        ...

    def close(self) -> None:
        """Let go of it; what is on record stays. Idempotent."""
        ...


class JournalStore(Protocol):
    """All journals of this user on this machine."""

    def open(self, binding: RunBinding) -> JournalFile:
        """Take hold of the journal of that stream at that destination.

        Raises:
            RunInProgress: another process holds it.
            LocalResourceError: the state folder cannot be used.
        """
        ...

    def unfinished_elsewhere(self, binding: RunBinding) -> list[str]:
        """Return the other destinations at which a stream of that name has an unfinished run."""
        ...
