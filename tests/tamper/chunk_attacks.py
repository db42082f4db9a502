"""Attacks on the objects of chunks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from s3duct.app.pipeline.manifest_sealing import seal_message
from s3duct.domain.ports.cipher import Cipher
from tests.tamper.attacks import Attack, Catalogue, Target
from tests.tamper.scene import CHUNKS, FORGED, GENUINE, VICTIM, Scene, cut

CHUNK_ATTACKS: Catalogue[Scene] = Catalogue(Target.CHUNK)


def rewrite(change: Callable[[bytes], bytes], index: int = VICTIM) -> Callable[[Scene], Awaitable[None]]:
    async def work(scene: Scene) -> None:
        await scene.write(scene.keys[index], change(await scene.read(scene.keys[index])))

    return work


def flipped(body: bytes, at: int) -> bytes:
    changed = bytearray(body)
    changed[at] ^= 1
    return bytes(changed)


for _name, _at in {"first-byte": 0, "a-byte-within": 600, "last-byte": -1}.items():
    CHUNK_ATTACKS.add(Attack.FLIP, _name, rewrite(lambda body, at=_at: flipped(body, at)))  # type: ignore[misc]
CHUNK_ATTACKS.add(Attack.FLIP, "in-the-first-chunk", rewrite(lambda body: flipped(body, -1), 0))
CHUNK_ATTACKS.add(Attack.FLIP, "in-the-last-chunk", rewrite(lambda body: flipped(body, -1), CHUNKS - 1))
CHUNK_ATTACKS.add(Attack.TRUNCATE, "by-a-byte", rewrite(lambda body: body[:-1]))
CHUNK_ATTACKS.add(Attack.TRUNCATE, "to-nothing", rewrite(lambda _: b""))
CHUNK_ATTACKS.add(Attack.EXTEND, "by-a-byte", rewrite(lambda body: body + b"\0"))
CHUNK_ATTACKS.add(Attack.EXTEND, "by-itself", rewrite(lambda body: body + body))


@CHUNK_ATTACKS.variant(Attack.SWAP)
async def two_chunks(scene: Scene) -> None:
    one, two = scene.keys[1], scene.keys[VICTIM]
    first, second = await scene.read(one), await scene.read(two)
    await scene.write(one, second)
    await scene.write(two, first)


@CHUNK_ATTACKS.variant(Attack.DROP)
async def one_chunk(scene: Scene) -> None:
    await scene.world.delete(scene.keys[VICTIM])


@CHUNK_ATTACKS.variant(Attack.DROP)
async def last_chunk(scene: Scene) -> None:
    await scene.world.delete(scene.keys[-1])


@CHUNK_ATTACKS.variant(Attack.DUPLICATE)
async def over_the_next(scene: Scene) -> None:
    await scene.write(scene.keys[VICTIM], await scene.read(scene.keys[VICTIM - 1]))


@CHUNK_ATTACKS.variant(Attack.SPLICE)
async def from_another_stream(scene: Scene) -> None:
    await scene.write(scene.keys[VICTIM], await scene.read(scene.foreign["chunks"][VICTIM]["s3_key"]))


@CHUNK_ATTACKS.variant(Attack.ROLL_BACK)
async def to_the_older_stream(scene: Scene) -> None:
    await scene.write(scene.keys[VICTIM], scene.kept[scene.older["chunks"][VICTIM]["s3_key"]])


async def sealed(scene: Scene, cipher: Cipher | None, plain: bytes) -> None:
    assert cipher is not None
    await scene.write(scene.keys[VICTIM], seal_message(cipher, cut(plain)[VICTIM]))


@CHUNK_ATTACKS.variant(Attack.RESEAL)
async def for_another_key(scene: Scene) -> None:
    await sealed(scene, scene.mode.other, GENUINE)


@CHUNK_ATTACKS.variant(Attack.RESEAL)
async def other_content_for_the_same_recipient(scene: Scene) -> None:
    await sealed(scene, scene.mode.public, FORGED)


@CHUNK_ATTACKS.variant(Attack.RESEAL)
async def same_content_for_the_same_recipient(scene: Scene) -> None:
    await sealed(scene, scene.mode.public, GENUINE)


@CHUNK_ATTACKS.variant(Attack.DOWNGRADE)
async def to_its_plain_bytes(scene: Scene) -> None:
    await scene.write(scene.keys[VICTIM], cut(GENUINE)[VICTIM])


@CHUNK_ATTACKS.variant(Attack.DOWNGRADE)
async def to_plain_bytes_of_the_sealed_size(scene: Scene) -> None:
    size = len(await scene.read(scene.keys[VICTIM]))
    await scene.write(scene.keys[VICTIM], cut(GENUINE)[VICTIM].ljust(size, b"\0"))
