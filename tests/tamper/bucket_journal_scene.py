"""The same unfinished run as in `journal_scene`, but what is attacked is what lies in the bucket, and who goes on varies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.app.pipeline.manifest_sealing import seal_message
from s3duct.domain.journal_codec import checked_line
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from tests.fakes.stamped_store import StampedStore
from tests.support.age_keys import key_pair
from tests.tamper.journal_scene import JournalScene
from tests.tamper.modes import Mode
from tests.usecases.world import World

# Of streams beside and below, in every form that a key of this one has.
NEIGHBOURS = [
    "streamx/.manifest.json",
    "streamx/chunk-000003",
    "stream/below/.manifest.json",
    "stream/below/chunk-000003",
    "stream/below/gen-0123abcd/chunk-000003",
    "stream/below/.resume/claim.json",
]


class Victim(Enum):
    """Who puts again: the machine that was cut off, another one with the key, or one that has age recipients only."""

    SAME = "same machine"
    OTHER = "other machine"
    RECIPIENTS = "recipients only"


@dataclass(frozen=True)
class Told:
    """A machine that goes on. `takeover` says that it waits for nobody."""

    world: World
    takeover: bool


class BucketJournalScene(JournalScene):
    """`text` is the copy in the bucket, one record to a segment; writing it seals as well as the attacker can.

    Segments that somebody with the key sealed once are used as they are.
    """

    def __init__(self, mode: Mode) -> None:
        """Take the way to put; `prepare` does the rest."""
        super().__init__(mode)
        self.sealed_once: dict[bytes, bytes] = {}
        self.objects: dict[str, bytes] = {}
        self.run_id = ""

    @property
    def location(self) -> StreamLocation:
        """Of the stream that is put."""
        return self.world.location

    async def prepare(self) -> None:
        """Put both, and lay out what the bucket has of the journal."""
        await super().prepare()
        self.own = self.text
        self.text = in_bucket(self.text)
        self.older = in_bucket(self.older)
        self.run_id = self.lines[0]["run_id"]
        self._know(self.text, self.mode.cipher)
        self._know(self.older, self.mode.cipher)
        self.claim = self.claim_of(self.run_id)
        self.genuine = self.text
        for key in NEIGHBOURS:
            await self.world.write(key, key.encode())

    async def journal_of_another_stream(self) -> bytes:
        """As it lies there."""
        text = in_bucket(await super().journal_of_another_stream())
        self._know(text, self.mode.cipher)
        for key in await self.world.resume_keys():
            if key not in NEIGHBOURS:
                await self.world.delete(key)
        return text

    async def journal_of_another_key(self) -> bytes:
        """As it lies there."""
        text = in_bucket(await super().journal_of_another_key())
        self._know(text, self.mode.other)
        return text

    async def lay_out(self) -> None:
        """Write what the attack made of the journal."""
        await self.world.write(self.location.claim_key, self.claim)
        for number, piece in enumerate(pieces(self.text)):
            await self.world.write(self.location.segment_key(self.run_id, number), self.seal(piece))
        for key, body in self.objects.items():
            if body:
                await self.world.write(key, body)
            else:
                await self.world.bucket.delete(key)

    def segment_key(self, number: int) -> str:
        """Of this run."""
        return self.location.segment_key(self.run_id, number)

    def seal(self, piece: bytes) -> bytes:
        """Seal one segment as well as the attacker can: without a way to do so it stays plain."""
        if not self.mode.seals_manifest:
            return piece
        if piece in self.sealed_once:
            return self.sealed_once[piece]
        return piece if self.mode.public is None else seal_message(self.mode.public, piece)

    @staticmethod
    def claim_of(run_id: str, **more: object) -> bytes:
        """A claim as anybody can write it."""
        return checked_line({"s3duct_claim": 1, "run_id": run_id, "owner": "0" * 32, **more})

    async def told(self, victim: Victim) -> Told:
        """Let a victim come up, with a bucket of its own that holds the same."""
        assert isinstance(self.world.bucket, StampedStore)
        bucket = StampedStore(MemoryObjectStore())
        for key in [entry.key async for entry in self.world.bucket.list("")]:
            await bucket.put(key, await self.world.read(key))
        if victim is Victim.SAME:
            return Told(self.world.restarted(bucket=bucket), takeover=False)
        cipher: Cipher = self.mode.cipher
        if victim is Victim.RECIPIENTS:
            cipher = key_pair(self.mode.kind).sealing()
        return Told(self.world.elsewhere(bucket=bucket, cipher=cipher), takeover=True)

    def victims(self) -> list[Victim]:
        """Who may put again in this mode."""
        return [*Victim] if self.mode.method == "age" else [Victim.SAME, Victim.OTHER]

    def _know(self, text: bytes, cipher: Cipher) -> None:
        if self.mode.seals_manifest:
            self.sealed_once.update({piece: seal_message(cipher, piece) for piece in pieces(text)})


def in_bucket(text: bytes) -> bytes:
    """A journal without what its copy leaves out."""
    first, *lines = text.splitlines(keepends=True)
    fields = json.loads(first)
    return b"".join(
        [checked_line({k: v for k, v in fields.items() if k not in ("destination", "check")}), *lines]
    )


def pieces(text: bytes) -> list[bytes]:
    """Segments of one record each, the header with the first."""
    lines = text.splitlines(keepends=True)
    return [b"".join(lines[:2]), *lines[2:]]
