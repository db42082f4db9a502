"""One bit of a manifest is flipped, anywhere: it is refused, or the genuine content comes out, never anything else."""

from __future__ import annotations

import pytest

from tests.tamper.modes import MODES, Mode
from tests.tamper.readers import GET, RAW, Reader, read
from tests.tamper.scene import GENUINE, Scene, cut
from tests.usecases.loop import on_quick_loop

STEP = 13  # odd and no divisor of a record's length: every field is hit somewhere


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@on_quick_loop
async def test_a_flipped_bit_anywhere_in_a_manifest(mode: Mode) -> None:
    scene = Scene(mode)
    await scene.prepare()
    await scene.look()
    genuine = scene.object_in_place
    # The id of the key stands beside the MAC and is not covered by it: a right MAC needs no name.
    covered = (
        len(genuine) if mode.seals_manifest else genuine.find(b'"key_id"') if mode.method == "aes" else 0
    )
    for at in range(0, len(genuine), STEP):
        changed = bytearray(genuine)
        changed[at] ^= 1 << at % 8
        await scene.write(scene.manifest_key, bytes(changed))
        reader = RAW if at % 3 else GET
        assert await gives_whole_chunks(scene, reader) is False or at >= covered, at


async def gives_whole_chunks(scene: Scene, reader: Reader) -> bool:
    """Whether it was read without an error; what was given out before one were whole genuine chunks."""
    reading = await read(scene, reader)
    raw = reader is RAW and scene.mode.method != "plain"
    pieces = scene.raw_pieces if raw else cut(GENUINE)
    if reading.error is None:
        assert reading.data == b"".join(pieces)
        return True
    assert reading.data in [b"".join(pieces[:count]) for count in range(len(pieces))]
    return False
