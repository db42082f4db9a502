"""An unfinished run, its journal, and the journals of other runs that somebody may have kept."""

from __future__ import annotations

import json
from typing import Any

from s3duct.domain.journal_codec import checked_line
from tests.fakes.journal import FakeJournalStore
from tests.tamper.modes import Mode
from tests.tamper.scene import GENUINE, OLDER
from tests.usecases.world import World

RECORDED = {0, 1, 2}
Line = dict[str, Any]


class JournalScene:
    """A put of `GENUINE` over `OLDER` was cut off with three of five chunks on record; `text` is its journal.

    `older` is the journal of the run that put `OLDER`, as it was just before that run removed it.
    """

    def __init__(self, mode: Mode) -> None:
        """Take the way to put; `prepare` does the rest."""
        self.mode = mode
        self.world = World(cipher=mode.cipher)
        self.text = self.older = b""

    async def prepare(self) -> None:
        """Put both."""
        seal = self.mode.seals_manifest
        older = self.world.elsewhere(seed=11)

        def keep(method: str) -> None:
            if method == "discard":
                self.older = journal_of(older)

        older.journals.on_call = keep
        await older.put(OLDER, seal_manifest=seal)
        await self.world.put_cut_off(GENUINE, stored=RECORDED, seal_manifest=seal, clobber=True)
        self.older = in_order(self.older)
        self.text = in_order(journal_of(self.world))
        # The copy in the bucket would mend what is done to this one.
        for key in await self.world.resume_keys():
            await self.world.delete(key)

    async def journal_of_another_stream(self) -> bytes:
        """Of an unfinished run with the same key."""
        world = self.world.elsewhere(seed=12, name="other")
        await world.put_cut_off(GENUINE, stored=RECORDED, seal_manifest=self.mode.seals_manifest)
        return journal_of(world)

    async def journal_of_another_key(self) -> bytes:
        """Of an unfinished run that replaces a stream of the same name in another bucket."""
        seal = self.mode.seals_manifest
        world = World(cipher=self.mode.other, seed=13)
        await world.put(OLDER, seal_manifest=seal)
        await world.put_cut_off(GENUINE, stored=RECORDED, seal_manifest=seal, clobber=True)
        return journal_of(world)

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


def in_order(text: bytes) -> bytes:
    """A journal whose line 1 is of chunk 0, and so on: chunks are recorded as they come, manifests last."""
    header, *records = text.splitlines(keepends=True)
    return b"".join([header, *sorted(records, key=lambda line: int(json.loads(line).get("index", 1 << 40)))])


def text_of(lines: list[Line]) -> bytes:
    """Lines as they are written: whoever can write the file can write the check value of a line as well."""
    return b"".join(
        checked_line({key: value for key, value in line.items() if key != "check"}) for line in lines
    )


def decayed(lines: list[Line]) -> bytes:
    """Lines as a failing disk leaves them, with the check values of what was written."""
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
