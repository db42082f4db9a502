"""Journals in memory, line by line as the file adapter writes them, with the same exclusive hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s3duct.domain.errors import RunInProgress
from s3duct.domain.journal_codec import decode_journal, encode_header, encode_record_line
from s3duct.domain.ports.journal import JournalFile, JournalStore
from s3duct.domain.resume import Journal, JournalHeader, ManifestRecord, ResumeRecord, RunBinding

Place = tuple[str, str, str]


def place_of(binding: RunBinding) -> Place:
    """What a journal is filed under: where and what, not how."""
    return binding.destination, binding.prefix, binding.name


class FakeJournalStore(JournalStore):
    """`contents` holds each journal's bytes; `held` those that a run has in hand.

    `on_call` is told of every call before it takes effect (by method name) and may raise in its place, or block: all
    calls are made on a thread of the run.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.contents: dict[Place, bytes] = {}
        self.held: set[Place] = set()
        self.on_call: Callable[[str], None] = lambda method: None
        self.after_call: Callable[[str], None] = lambda method: None

    def open(self, binding: RunBinding) -> JournalFile:
        """Hold it, or refuse if it is held."""
        self.on_call("open")
        place = place_of(binding)
        if place in self.held:
            raise RunInProgress(f"another put of {binding.name!r} is running")
        self.held.add(place)
        return _FakeJournalFile(self, place)

    def unfinished_elsewhere(self, binding: RunBinding) -> list[str]:
        """Look at all others."""
        return [
            place[0] + "/" + place[1]
            for place in sorted(self.contents)
            if place != place_of(binding) and place[2] == binding.name
        ]

    def journal(self) -> Journal | None:
        """The only journal there is, decoded."""
        if not self.contents:
            return None
        (content,) = self.contents.values()
        return decode_journal(content)[0]

    def recorded(self) -> list[int]:
        """Chunk indices on record in the only journal, in the order of writing."""
        journal = self.journal()
        return [] if journal is None else [record.chunk.index for record in journal.records]

    def survived(self) -> FakeJournalStore:
        """What is there after this machine has lost its power: the same records, held by nobody."""
        survivor = FakeJournalStore()
        survivor.contents = dict(self.contents)
        return survivor


class _FakeJournalFile(JournalFile):
    def __init__(self, store: FakeJournalStore, place: Place) -> None:
        self._store = store
        self._place = place
        self._closed = False

    def read(self) -> Journal | None:
        self._store.on_call("read")
        return decode_journal(self._store.contents.get(self._place, b""))[0]

    def start(self, header: JournalHeader, records: Sequence[ResumeRecord | ManifestRecord] = ()) -> None:
        self._store.on_call("start")
        self._store.contents[self._place] = encode_header(header) + b"".join(map(encode_record_line, records))
        self._store.after_call("start")

    def append(self, *records: ResumeRecord | ManifestRecord) -> None:
        self._store.on_call("append")
        self._store.contents[self._place] += b"".join(map(encode_record_line, records))
        self._store.after_call("append")

    def discard(self) -> None:
        self._store.on_call("discard")
        self._store.contents.pop(self._place, None)
        self._store.after_call("discard")
        self.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._store.held.discard(self._place)
