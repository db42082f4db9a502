"""Reads what the bucket holds of an unfinished run: the claim on the name, and the run's journal (ADR 0017)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import cast

from s3duct.app.pipeline.manifest_sealing import is_sealed, open_sealed_text
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.workers import run_apart
from s3duct.domain.claim import MAX_CLAIM_BYTES, Claim, decode_claim, encode_claim
from s3duct.domain.errors import AccessDenied, JournalDamaged, KeyRequired, ManifestInvalid, ObjectNotFound
from s3duct.domain.journal_codec import decode_journal
from s3duct.domain.manifest_codec import MAX_MANIFEST_BYTES
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.object_store import Bytes, ObjectStore, StoredObject
from s3duct.domain.resume import RESTART_HINT, Journal, JournalHeader
from s3duct.domain.sizes import MIB

_MAX_SEGMENT_BYTES = MIB


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run that has claimed the name.

    `written` is when it last wrote its claim or its journal, by the clock of the store, where that said so. `segments` are
    the numbers of its journal's segments. `released` says that the run has stopped, and that nobody need wait for it. `runs`
    are the ids of all runs that have a journal there, this one or not.
    """

    claim: Claim
    written: datetime | None
    segments: tuple[int, ...]
    released: bool = False
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadJournal:
    """A run's journal (None if not even its header is there), and its segments by number, opened."""

    journal: Journal | None
    contents: Mapping[int, bytes]


class BucketJournalReader:
    """The bucket's side of one stream's unfinished runs. Changes nothing, but for a moment in `store_time`."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        location: StreamLocation,
        cipher: Cipher,
        destination: str,
        retrier: Retrier,
    ) -> None:
        """Take where to read; `destination` is what this machine calls the bucket."""
        self._store = store
        self._location = location
        self._cipher = cipher
        self._destination = destination
        self._retrier = retrier

    async def claim(self, *, of_run: str = "") -> bytes | None:
        """Return the claim as it is stored, None if there is none.

        One that cannot be read, or is not of the run that is expected, is looked at twice: much depends on it, and a proxy
        may have answered for the store.
        """
        content = await self._retrier.run("look-up of the claim", self._look)
        run_id = "" if content is None else decode_claim(content).run_id
        as_expected = run_id == of_run if of_run else content is None or run_id != ""
        if as_expected:
            return content
        return await self._retrier.run("look-up of the claim", self._look)

    async def find(self) -> FoundRun | None:
        """Return the run that has claimed the name."""
        content = await self.claim()
        if content is None:
            return None
        claim = decode_claim(content)
        entries = await self.entries()
        segments = {entry.key: found for entry in entries if (found := self._location.segment_of(entry.key))}
        own = {key: number for key, (run_id, number) in segments.items() if run_id == claim.run_id}
        times = [
            entry.modified for entry in entries if entry.key in own or entry.key == self._location.claim_key
        ]
        known = [time for time in times if time is not None]
        return FoundRun(
            claim,
            max(known) if known and len(known) == len(times) else None,
            tuple(sorted(own.values())),
            released=await self._is_released(claim, entries),
            runs=tuple(sorted({run_id for run_id, _ in segments.values()})),
        )

    async def _is_released(self, claim: Claim, entries: Sequence[StoredObject]) -> bool:
        """Whether this very process of the run has stopped: what an earlier one left counts no more, and need not go."""
        key = self._location.released_key(claim.run_id)
        if all(entry.key != key for entry in entries):
            return False
        read = partial(self._read_small, key, MAX_CLAIM_BYTES)
        content = await self._retrier.run("look-up of the claim", read)
        return content is not None and bytes(content) == encode_claim(claim)

    async def entries(self) -> list[StoredObject]:
        """Return everything that journals of this stream's runs have in the bucket."""
        return await self._retrier.run("look-up of the bucket's journal", self._entries)

    async def read(self, found: FoundRun) -> ReadJournal:
        """Read a run's journal.

        Raises:
            JournalDamaged: it cannot be read, or it is not what it says of itself.
            UnsupportedFormat: a newer version wrote it.
            KeyRequired, WrongKey: it is sealed, and not for the key in hand.
        """
        contents: dict[int, bytes] = {}
        total = 0
        sealings: set[bool] = set()
        for number in found.segments:
            key = self._location.segment_key(found.claim.run_id, number)
            read = partial(self._read_small, key, _MAX_SEGMENT_BYTES)
            stored = await self._retrier.run("read of the bucket's journal", read)
            if stored is None:
                continue  # its run removes it in this very moment
            if len(stored) > _MAX_SEGMENT_BYTES:
                raise _damaged(f"{key!r} is larger than {_MAX_SEGMENT_BYTES} bytes")
            total += len(stored)
            if total > 2 * MAX_MANIFEST_BYTES:
                raise _damaged("it is larger than any journal")
            sealings.add(is_sealed(stored))
            contents[number] = await run_apart("journal-opening", self._open, stored)
        if 0 not in contents:
            return ReadJournal(None, {})
        text = b"".join(contents[number] for number in sorted(contents))
        journal, _ = decode_journal(text, destination=self._destination)
        if journal is not None and journal.header.run_id != found.claim.run_id:
            raise _damaged("it is of another run than it lies with")
        # Each one: whoever has no key can put plain segments among sealed ones.
        if journal is not None and sealings != {journal.header.binding.sealed_manifest}:
            raise _damaged("it is not sealed as it says")
        return ReadJournal(journal, contents)

    async def header(self, run_id: str) -> JournalHeader | None:
        """Read the first line of a run's journal; None if the run has not written one. Raises as `read`."""
        journal = (await self.read(FoundRun(Claim(run_id), None, (0,)))).journal
        return None if journal is None else journal.header

    def can_open(self) -> bool:
        """Whether there is anything to open a sealed journal with: a host with age recipients alone has nothing."""
        try:
            self._cipher.opener()
        except KeyRequired:
            return False
        return True

    async def age_s(self, found: FoundRun, run_id: str) -> float | None:
        """Return how long ago a run last wrote, by the clock of the store alone; None if the store does not say.

        An object is written, under the name of `run_id`, and removed again: its time is now. Should that fail, it goes with
        the journals.
        """
        key = self._location.probe_key(run_id)
        await self._retrier.run("look at the store's clock", lambda: self._store.put(key, b"\n"))
        try:
            probe = await self._retrier.run("look at the store's clock", lambda: self._store.head(key))
        except ObjectNotFound:
            return 0.0  # that run has come to its end in this very moment, and removes all that lies there
        # Credentials that may not delete may look all the same.
        with suppress(AccessDenied):
            await self._retrier.run("look at the store's clock", lambda: self._store.delete(key))
        if probe.modified is None or found.written is None:
            return None
        return max(0.0, (probe.modified - found.written).total_seconds())

    def _open(self, stored: bytearray) -> bytes:
        if is_sealed(stored):
            what = f"the bucket's journal of an unfinished put of {self._location.name!r}"
            try:
                open_sealed_text(stored, what, self._cipher)
            except ManifestInvalid as error:
                raise _damaged(error.message) from error
        return bytes(stored)

    async def _look(self) -> bytes | None:
        """Return the claim as it is stored, None if there is none: looked at once."""
        # One that is cut off cannot be read, as any other that is none: it is nobody's.
        content = await self._read_small(self._location.claim_key, MAX_CLAIM_BYTES)
        return None if content is None else bytes(content)

    async def _entries(self) -> list[StoredObject]:
        listing = self._store.list(self._location.resume_folder)
        async with aclosing(cast("AsyncGenerator[StoredObject, None]", listing)):
            return [entry async for entry in listing if self._location.is_resume_key(entry.key)]

    async def _read_small(self, key: str, limit: int) -> bytearray | None:
        """Return what is there, and no more of it than shows that it is larger than `limit`."""
        content = bytearray()
        pieces = self._store.get(key)
        try:
            async with aclosing(cast("AsyncGenerator[Bytes, None]", pieces)):
                async for piece in pieces:
                    content += piece[: limit + 1 - len(content)]
                    if len(content) > limit:
                        break
        except ObjectNotFound:
            return None
        return content


def _damaged(reason: str) -> JournalDamaged:
    return JournalDamaged(
        f"the bucket's journal of the unfinished run is damaged: {reason}", hint=RESTART_HINT
    )
