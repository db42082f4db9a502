"""The journal of an unfinished run: the same put refuses it, or ends with the stream byte for byte."""

from __future__ import annotations

import pytest

from s3duct.domain.errors import S3ductError, StreamExists
from tests.tamper.cells import JOURNAL_CELLS, Cell
from tests.tamper.checking import assert_refused
from tests.tamper.journal_scene import JournalScene
from tests.tamper.modes import MODES, Mode
from tests.tamper.outcomes import Ends, Refused
from tests.tamper.scene import CHUNKS, GENUINE, OLDER
from tests.usecases.loop import failure_of, forget_frames, on_quick_loop
from tests.usecases.world import World


@pytest.mark.parametrize("cell", JOURNAL_CELLS, ids=str)
@on_quick_loop
async def test_journal(cell: Cell[JournalScene]) -> None:
    scene = JournalScene(cell.mode)
    await scene.prepare()
    await cell.variant.work(scene)
    world = scene.again()
    before, journals = await world.objects(), dict(world.journals.contents)
    error: S3ductError | None = None
    resumed = 0
    try:
        summary = await world.put(GENUINE, clobber=True, seal_manifest=cell.mode.seals_manifest)
        resumed = summary.chunks_resumed
    except S3ductError as raised:
        forget_frames(raised)
        error = raised
    if error is None:
        await is_whole(world, scene)
        assert not world.journals.contents
        assert isinstance(cell.expected, Ends)
        assert resumed == cell.expected.resumed
    else:
        assert await world.objects() == before
        assert world.journals.contents == journals
        assert await world.elsewhere().restored() == OLDER
        assert isinstance(cell.expected, Refused), error
        assert_refused(error, cell.expected)


async def is_whole(world: World, scene: JournalScene) -> None:
    """It restores, and its manifest is right in all that others will read of it."""
    reader = world.elsewhere()
    assert await reader.restored() == GENUINE
    assert (await reader.verify(deep=True)).ok
    assert (await reader.verify()).ok, "a tag is wrong"
    if scene.mode.method != "plain":
        await reader.get(raw=True)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@on_quick_loop
async def test_the_journal_of_a_finished_run_is_put_back(mode: Mode) -> None:
    """Its own stream is recognised and left as it is; nothing else takes the name."""
    scene = JournalScene(mode)
    await scene.prepare()
    header, *records, _ = scene.older.splitlines(keepends=True)
    before = await scene.world.objects()

    scene.text = scene.older
    same = await scene.again().put(OLDER, seal_manifest=mode.seals_manifest)
    assert same.chunks_resumed == len(same.manifest.chunks) == CHUNKS
    other = await failure_of(scene.again().put(GENUINE, seal_manifest=mode.seals_manifest))
    assert isinstance(other, StreamExists)
    scene.text = b"".join([header, *records])
    unfinished = await failure_of(scene.again().put(OLDER, seal_manifest=mode.seals_manifest))
    assert isinstance(unfinished, StreamExists)

    assert await scene.world.objects() == before
