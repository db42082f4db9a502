"""The small runs that the sweeps break at every point, and what has to be true however they were broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from s3duct.domain.errors import StreamNotFound
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.resume import OnDivergence
from tests.fakes.journal import FakeJournalStore
from tests.fault.invariant import check, watched
from tests.support.sweeps import FULL
from tests.usecases.world import CHUNK, World, aes, content

OLD, NEW = content(2 * CHUNK + 3, 1), content(3 * CHUNK + 5)
# Begins like NEW.
DIVERGED = NEW[:CHUNK] + content(3 * CHUNK, 2)


@dataclass(frozen=True)
class Scene:
    """A put of `NEW`: over nothing, over an old stream, or over the first part of itself or of another input.

    `operations` is how many its put takes of the store at most, if nothing goes wrong: chunks that end in the same moment
    share a write of the journal. A test holds it.
    """

    name: str
    operations: int
    sealed: bool = False
    over_old: bool = False
    resumed: bool = False
    diverged: bool = False

    @property
    def cipher(self) -> Cipher | None:
        """The key, if there is one."""
        return aes() if self.sealed else None

    @property
    def options(self) -> dict[str, Any]:
        """Fields of the put's request."""
        options = {"clobber": self.over_old, "seal_manifest": self.sealed and self.over_old}
        return {**options, "on_divergence": OnDivergence.RESTART} if self.diverged else options

    async def begin(self) -> World:
        """Set the scene; the world it returns is watched."""
        world = World(cipher=self.cipher, max_chunks=2)
        if self.over_old:
            await world.put(OLD, seal_manifest=self.sealed)
            world = world.restarted()
        if self.resumed:
            before = DIVERGED if self.diverged else NEW
            await world.put_cut_off(before, stored={0, 2}, **self.options)
            world = world.restarted()
            world.uploads.leave(world.chunk_key(1))
        return watched(world)

    async def ends_well(self, broken: World) -> None:
        """After whatever happened to `broken`: old or new is there, and running it again makes it new."""
        await check(broken)
        now = await visible(broken)
        assert now in {OLD if self.over_old else None, NEW}
        if now == NEW and not broken.journals.contents:
            return
        recorded = broken.journals.recorded()
        again = watched(broken.restarted())
        await again.put(NEW, **self.options)
        assert await again.restored() == NEW
        assert (await again.verify(deep=True)).ok
        assert again.journals.contents == {}
        rewritten = {int(key[-6:]) for key in again.store.writes if "chunk-" in key}
        assert self.diverged or not rewritten & set(recorded)
        # Neither the old stream's chunks nor those of any attempt are left behind, whole or in parts.
        assert again.uploads.left == []
        assert set(await again.objects()) == await again.named_keys() | {again.location.manifest_key}


SCENES = [
    Scene("plain", 23),
    Scene("aes", 23, sealed=True),
    Scene("plain, over an old stream", 27, over_old=True),
    Scene("aes, over an old stream", 27, sealed=True, over_old=True),
    Scene("plain, resumed", 22, resumed=True),
    Scene("plain, resumed with another input", 31, resumed=True, diverged=True),
]


async def visible(world: World) -> bytes | None:
    """What another machine gets; None if there is no such stream."""
    reader = world.elsewhere()
    try:
        return await reader.restored()
    except StreamNotFound:
        return None


def numbered(scenes: list[Scene]) -> list[tuple[Scene, int]]:
    """Every operation of every scene."""
    return [(scene, number) for scene in scenes for number in range(1, scene.operations + 1)]


def in_turn(
    points: Sequence[tuple[Scene, int]], kinds: Sequence[tuple[object, ...]]
) -> list[tuple[object, ...]]:
    """Each of the points with one of the kinds; in a full sweep with every kind.

    The next point of a scene has the next kind, and so has the same point of the next scene: as many scenes as there are
    kinds show that point with all of them.
    """
    return [
        (scene, number, *kind)
        for scene, number in points
        for kind_at, kind in enumerate(kinds)
        if FULL or (SCENES.index(scene) + number) % len(kinds) == kind_at
    ]


def scene_id(value: object) -> str:
    """Name of a parameter."""
    if isinstance(value, Scene):
        return value.name
    return getattr(value, "__name__", None) or str(getattr(value, "value", value))


def journal_calls(journals: FakeJournalStore) -> list[str]:
    """Note the calls of a journal store as they are made, in the list that is returned."""
    calls: list[str] = []
    journals.on_call = calls.append
    return calls
