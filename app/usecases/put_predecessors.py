"""The runs that had this name before: dead, once the claim is another's. Only what is known of them may be cleaned up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from s3duct.app.pipeline.bucket_journal_reader import BucketJournalReader, FoundRun
from s3duct.domain.errors import DecryptionFailed, JournalDamaged, KeyUnavailable, UnsupportedFormat
from s3duct.domain.resume import Journal, JournalHeader
from s3duct.domain.strays import ChunkRange


@dataclass(frozen=True, slots=True)
class Predecessors:
    """Headers of their journals. `are_all_known` is False if there is one that cannot be read."""

    headers: tuple[JournalHeader, ...] = ()
    are_all_known: bool = True

    @property
    def generations(self) -> frozenset[str]:
        """Generations of the keys that they may have written, or may have begun to."""
        return frozenset().union(*(header.generations for header in self.headers))

    @property
    def replaced(self) -> tuple[ChunkRange, ...]:
        """What they were to remove."""
        return tuple(one for header in self.headers for one in header.replaces)


NO_PREDECESSORS = Predecessors()


async def read_predecessors(
    reader: BucketJournalReader, journals: Iterable[Journal | None], found: FoundRun | None
) -> Predecessors:
    """Look at the headers of the journals in hand, and of those in the bucket which these do not account for."""
    headers = {journal.header.run_id: journal.header for journal in journals if journal is not None}
    known = {run_id for header in headers.values() for run_id in header.run_ids}
    are_all_known = True
    for run_id in found.runs if found is not None else ():
        if run_id in known:
            continue
        try:
            header = await reader.header(run_id)
        except (DecryptionFailed, JournalDamaged, KeyUnavailable, UnsupportedFormat):
            are_all_known = False
            continue
        if header is not None:
            headers[run_id] = header
    return Predecessors(tuple(headers.values()), are_all_known)
