"""The sweeps break every operation of a scene's put, and hardly any that does not exist."""

from __future__ import annotations

import pytest

from tests.fault.scenes import NEW, SCENES, Scene, scene_id
from tests.usecases.loop import on_quick_loop

# So many writes of the journal can be spared by chunks that end in the same moment.
_SHARED = 4


@pytest.mark.parametrize("scene", SCENES, ids=scene_id)
@on_quick_loop
async def test_the_number_of_operations_is_known(scene: Scene) -> None:
    counts = []
    for _ in range(5):
        world = await scene.begin()
        await world.put(NEW, **scene.options)
        counts.append(len(world.store.operations))
    assert max(counts) <= scene.operations
    assert min(counts) >= scene.operations - _SHARED
