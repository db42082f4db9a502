"""What an unfinished run has in the bucket: a put over it refuses, or ends with the stream whole, or it is found later."""

from __future__ import annotations

import pytest

from s3duct.app.pipeline import bucket_journal
from s3duct.domain.chunk import is_chunk_key
from s3duct.domain.errors import S3ductError
from tests.tamper.bucket_journal_expectations import expected_of_bucket_journal
from tests.tamper.bucket_journal_scene import NEIGHBOURS, BucketJournalScene, Told, Victim
from tests.tamper.cells import BUCKET_JOURNAL_CELLS, Cell
from tests.tamper.checking import assert_refused
from tests.tamper.outcomes import Ends, Refused, Spoils
from tests.tamper.scene import GENUINE, OLDER
from tests.usecases.loop import failure_of, forget_frames, on_quick_loop
from tests.usecases.world import World


@pytest.fixture(autouse=True)
def one_record_to_a_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three records lie in three segments."""
    monkeypatch.setattr(bucket_journal, "SEGMENT_RECORDS", 1)


@pytest.mark.parametrize("cell", BUCKET_JOURNAL_CELLS, ids=str)
@on_quick_loop
async def test_journal_in_the_bucket(cell: Cell[BucketJournalScene]) -> None:
    scene = BucketJournalScene(cell.mode)
    await scene.prepare()
    await cell.variant.work(scene)
    await scene.lay_out()
    for victim in scene.victims():
        await check(scene, await scene.told(victim), victim, cell)


async def check(
    scene: BucketJournalScene, told: Told, victim: Victim, cell: Cell[BucketJournalScene]
) -> None:
    """Put again, and hold what comes of it against what is expected."""
    world = told.world
    expected = expected_of_bucket_journal(str(cell.variant), cell.mode, victim)
    before, journals = await world.objects(), dict(world.journals.contents)
    error: S3ductError | None = None
    resumed = 0
    try:
        summary = await world.put(
            GENUINE, clobber=True, seal_manifest=cell.mode.seals_manifest, takeover=told.takeover
        )
        resumed = summary.chunks_resumed
    except S3ductError as raised:
        forget_frames(raised)
        error = raised
    await no_neighbour_was_touched(world)
    reader = world.elsewhere(cipher=scene.mode.cipher)
    if error is not None:
        assert await world.objects() == before
        assert victim is not Victim.SAME or world.journals.contents == journals
        assert await reader.restored() == OLDER
        assert isinstance(expected, Refused), f"{victim}: {error!r}"
        assert_refused(error, expected)
    elif isinstance(expected, Spoils):
        assert isinstance(await failure_of(reader.restored()), expected.error)
        assert not (await reader.verify(deep=True)).ok
    else:
        assert await reader.restored() == GENUINE
        assert (await reader.verify(deep=True)).ok
        assert expected == Ends(resumed), victim


async def no_neighbour_was_touched(world: World) -> None:
    """Nothing but this stream's own chunks and journals may go, whatever journals name."""
    for key in NEIGHBOURS:
        assert await world.read(key) == key.encode()
    for key in world.store.keys("put", "put_parts", "delete"):
        own = is_chunk_key(key, name=world.location.name) or world.location.is_resume_key(key)
        assert own or key == world.location.manifest_key
