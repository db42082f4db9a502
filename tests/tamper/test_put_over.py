"""A put over a stream that was tampered with: the new stream is whole, and no other stream loses anything."""

from __future__ import annotations

import pytest

from s3duct.domain.errors import StreamExists
from tests.tamper.cells import MANIFEST_CELLS, Cell
from tests.tamper.manifest_attacks import the_manifest
from tests.tamper.modes import AES_SEALED, MODES, PLAIN, Mode
from tests.tamper.scene import FOREIGN, FORGED, Scene, relinked
from tests.usecases.loop import failure_of, on_quick_loop
from tests.usecases.world import World

CELLS = [cell for cell in MANIFEST_CELLS if cell.mode in (PLAIN, AES_SEALED)]


async def replaced(scene: Scene) -> World:
    """Put over what is there, from another machine."""
    world = scene.world.elsewhere(seed=99)
    await world.put(FORGED, seal_manifest=scene.mode.seals_manifest, clobber=True)
    return world


@pytest.mark.parametrize("cell", CELLS, ids=str)
@on_quick_loop
async def test_a_tampered_manifest_is_replaced(cell: Cell[Scene]) -> None:
    scene = Scene(cell.mode)
    await scene.prepare()
    await cell.variant.work(scene)
    if cell.variant.work is not the_manifest:
        assert isinstance(await failure_of(scene.world.elsewhere(seed=98).put(FORGED)), StreamExists)

    world = await replaced(scene)

    assert await world.restored() == FORGED
    assert (await world.verify(deep=True)).ok
    assert await world.elsewhere(name="other").restored() == FOREIGN


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@on_quick_loop
async def test_a_forged_manifest_does_not_make_put_delete_a_stream_below(mode: Mode) -> None:
    """Its chunks lie under the name of the stream above. The forger need not be allowed to delete anything himself."""
    scene = Scene(mode)
    await scene.prepare()
    below = scene.world.elsewhere(name="stream/below", seed=50)
    summary = await below.put(FOREIGN, seal_manifest=mode.seals_manifest)
    document = scene.draft()
    for record, stored in zip(document["chunks"], summary.manifest.chunks, strict=True):
        record["s3_key"] = stored.key
    await scene.publish(relinked(document))

    await replaced(scene)

    assert await below.restored() == FOREIGN
