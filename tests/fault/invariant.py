"""The one thing that holds at every moment: a visible manifest never names a chunk that is missing, or another one."""

from __future__ import annotations

import hashlib

from s3duct.app.pipeline.manifest_io import load_manifest
from s3duct.domain.errors import ObjectNotFound, StreamNotFound
from tests.fakes.hooked_store import Operation, Phase
from tests.usecases.world import World


async def check(world: World) -> None:
    """Look at the bucket as it is now."""
    try:
        manifest = (await load_manifest(world.bucket, world.location, world.cipher)).manifest
    except StreamNotFound:
        return
    for record in manifest.chunks:
        key = world.location.full_key(record.key)
        try:
            body = await world.read(key)
        except ObjectNotFound:
            raise AssertionError(f"the manifest names {key}, which is not there") from None
        stored_sha256 = record.sealed_sha256 or record.digest.sha256
        assert hashlib.sha256(body).digest() == stored_sha256, f"{key} is not what the manifest names"


def watched(world: World) -> World:
    """Check after every operation of this world that can change the bucket."""

    async def hook(operation: Operation, phase: Phase) -> None:
        if phase is Phase.AFTER and (operation.writes or operation.method == "delete"):
            await check(world)

    world.store.hooks.insert(0, hook)
    return world
