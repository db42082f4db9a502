"""Chunks and manifests: every attack, every way to put; each cell is looked at in every way there is to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tests.tamper.attacks import Variant
from tests.tamper.cells import CHUNK_CELLS, MANIFEST_CELLS, Cell
from tests.tamper.checking import check
from tests.tamper.chunk_expectations import expected_of_chunk
from tests.tamper.manifest_expectations import expected_of_manifest
from tests.tamper.modes import MODES, POST_QUANTUM, Mode
from tests.tamper.outcomes import Harmless, Inapplicable, Outcome
from tests.tamper.readers import CHUNK_READERS, MANIFEST_READERS, STRICT, Reader, read
from tests.tamper.scene import Scene
from tests.usecases.loop import on_quick_loop

Expect = Callable[[Scene, Reader], Outcome]


async def look(variant: Variant[Scene] | None, mode: Mode, readers: Iterable[Reader], expect: Expect) -> None:
    """Attack, then look in all these ways: looking changes nothing."""
    scene = Scene(mode)
    await scene.prepare()
    if variant is not None:
        await variant.work(scene)
    await scene.look()
    wrong = []
    for reader in readers:
        expected = expect(scene, reader)
        if not isinstance(expected, Inapplicable):
            try:
                check(expected, scene, reader, await read(scene, reader))
            except AssertionError as error:
                wrong.append(f"{reader.name}: expected {expected}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("cell", CHUNK_CELLS, ids=str)
@on_quick_loop
async def test_chunk(cell: Cell[Scene]) -> None:
    await look(
        cell.variant,
        cell.mode,
        CHUNK_READERS,
        lambda _, reader: expected_of_chunk(str(cell.variant), cell.mode, reader),
    )


@pytest.mark.parametrize("cell", MANIFEST_CELLS, ids=str)
@on_quick_loop
async def test_manifest(cell: Cell[Scene]) -> None:
    await look(
        cell.variant,
        cell.mode,
        MANIFEST_READERS,
        lambda scene, reader: expected_of_manifest(str(cell.variant), cell.mode, reader, scene),
    )


@pytest.mark.parametrize("mode", [*MODES, POST_QUANTUM], ids=lambda mode: mode.name)
@on_quick_loop
async def test_what_nobody_touched_passes(mode: Mode) -> None:
    def may_read(reader: Reader) -> bool:
        if reader.keyless and (mode.seals_manifest or (reader.work == "get" and mode.method != "plain")):
            return False
        return reader.flag != STRICT or mode.seals_manifest

    readers = [reader for reader in MANIFEST_READERS if may_read(reader)]
    await look(None, mode, readers, lambda *_: Harmless("it is genuine"))
