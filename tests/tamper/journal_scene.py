"""An unfinished run, its journal, and the journals of other runs that somebody may have kept."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.journal import FakeJournalStore
from tests.tamper.modes import Mode
from tests.tamper.scene import CHUNKS, GENUINE, OLDER
from tests.usecases.world import World

RECORDED = {0, 1, 2}
Line = dict[str, Any]


class JournalScene:
    """A put of `GENUINE` over `OLDER` was cut off with three of five chunks on record; `text` is its journal.

    `older`, `foreign` and `of_other_key` are journals of the run that put `OLDER` (cut off at its manifest), of an
    unfinished one of another stream, and of one with another key.
    """

    def __init__(self, mode: Mode) -> None:
        """Take the way to put; `prepare` does the rest."""
        self.mode = mode
        self.world = World(cipher=mode.cipher)
        self.text = self.older = self.foreign = self.of_other_key = b""

    async def prepare(self) -> None:
        """Put everything."""
        seal = self.mode.seals_manifest
        older = self.world.elsewhere(seed=11)
        await older.put_cut_off(OLDER, stored=set(range(CHUNKS)), seal_manifest=seal)
        self.older = journal_of(older)
        await older.restarted().put(OLDER, seal_manifest=seal)
        foreign = self.world.elsewhere(seed=12, name="other")
        await foreign.put_cut_off(GENUINE, stored=RECORDED, seal_manifest=seal)
        self.foreign = journal_of(foreign)
        keyed = World(cipher=self.mode.other, seed=13)
        await keyed.put(OLDER, seal_manifest=seal)
        await keyed.put_cut_off(GENUINE, stored=RECORDED, seal_manifest=seal, clobber=True)
        self.of_other_key = journal_of(keyed)
        await self.world.put_cut_off(GENUINE, stored=RECORDED, seal_manifest=seal, clobber=True)
        self.text = journal_of(self.world)
        self.order_records()

    def order_records(self) -> None:
        """Chunks are recorded as they come: line 1 is to be of chunk 0, and so on."""
        header, *records = self.lines
        self.lines = [header, *sorted(records, key=lambda record: int(record["index"]))]

    @property
    def lines(self) -> list[Line]:
        """The journal, decoded: the header, then three records."""
        return [json.loads(line) for line in self.text.splitlines()]

    @lines.setter
    def lines(self, lines: list[Line]) -> None:
        self.text = text_of(lines)

    def again(self) -> World:
        """The machine comes up again, with the journal as it is now."""
        (place,) = self.world.journals.contents
        journals = FakeJournalStore()
        if self.text:
            journals.contents[place] = self.text
        return self.world.restarted(journals=journals)


def journal_of(world: World) -> bytes:
    """The only journal there is."""
    (text,) = world.journals.contents.values()
    return text


def text_of(lines: list[Line]) -> bytes:
    """Lines as they are written."""
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
