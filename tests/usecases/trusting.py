"""Streams for suites that ask who may read what: put by one machine, altered in the bucket, read by another."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from s3duct.app.pipeline.manifest_sealing import seal_message
from s3duct.domain.errors import S3ductError
from s3duct.domain.manifest_trust import DEFAULT_TRUST, ManifestTrust
from s3duct.domain.ports.cipher import Cipher
from tests.support.age_keys import key_pair
from tests.support.sealing import open_message
from tests.usecases.loop import failure_of
from tests.usecases.world import CHUNK, World, content

DATA = content(4 * CHUNK + 5)
MINE, THEIRS = key_pair("x25519"), key_pair("x25519", 1)


async def stored(cipher: Cipher | None, *, reader: Cipher | None = None, **changes: Any) -> World:
    """A machine that reads, with the same key or as `reader`, a stream of five chunks that another one has put."""
    world = World(cipher=cipher)
    await world.put(DATA, **changes)
    return world.elsewhere(cipher=reader or world.cipher)


async def refused(world: World, trust: ManifestTrust = DEFAULT_TRUST, *, raw: bool = False) -> S3ductError:
    """See that get and both kinds of verify refuse alike, and that no chunk is looked at; return what get says."""
    errors = [
        await failure_of(world.get(trust=trust, raw=raw)),
        *[await failure_of(world.verify(trust=trust, deep=deep)) for deep in (False, True) if not raw],
    ]
    assert len({(type(error), error.message) for error in errors}) == 1
    assert set(world.store.keys("get", "head", "list")) == {world.location.manifest_key}
    assert world.sink.data == b""
    assert world.events == []
    return errors[0]


async def accepted(world: World, trust: ManifestTrust = DEFAULT_TRUST) -> None:
    """See that get and both kinds of verify accept, and that they tell the digest of the manifest object."""
    summary = await world.get(trust=trust)
    assert world.sink.data == DATA
    digest = hashlib.sha256(await world.read(world.location.manifest_key)).hexdigest()
    assert summary.manifest_sha256 == digest
    for deep in (False, True):
        checked = await world.verify(trust=trust, deep=deep)
        assert checked.ok
        assert checked.manifest_sha256 == digest


async def alter(world: World, *, sealed_with: Cipher | None = None, **fields: Any) -> None:
    """Change fields of the manifest as somebody who can write the bucket (and, for a sealed one, seal) would."""
    body = await world.read(world.location.manifest_key)
    text = body if sealed_with is None else open_message(sealed_with, bytearray(body))
    document = {**json.loads(text), **fields}
    if fields.get("s3duct", ...) is None:
        del document["s3duct"]
    changed = json.dumps(document).encode()
    await world.write(
        world.location.manifest_key, changed if sealed_with is None else seal_message(sealed_with, changed)
    )
