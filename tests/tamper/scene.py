"""What the attacker finds: a bucket with two streams of the same key, and all that he kept and knows.

The worst case is taken: he knows the plain content and what manifests say, sealed ones too. He has no secret key.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from typing import Any

from s3duct.app.pipeline.manifest_sealing import seal_message
from s3duct.domain.ports.cipher import Cipher
from tests.support.sealing import open_message
from tests.tamper.modes import Mode
from tests.usecases.world import CHUNK, World, content

CHUNKS = 5
SIZE = (CHUNKS - 1) * CHUNK + 11
VICTIM = 2
GENUINE, OLDER, FOREIGN, FORGED = (content(SIZE, seed) for seed in range(4))

Document = dict[str, Any]


def cut(data: bytes) -> list[bytes]:
    """The chunks of a stream."""
    return [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]


class Scene:
    """The stream `GENUINE`, which replaced `OLDER`, and another one, `FOREIGN`.

    `document` is what the genuine manifest says, `older` and `foreign` what the other two say; `kept` are objects of the
    older stream. `pieces` and `raw_pieces` are the chunks, plain and as stored, that the manifest in place stands for.
    """

    def __init__(self, mode: Mode) -> None:
        """Take the way to put; `prepare` does the rest."""
        self.mode = mode
        self.world = World(cipher=mode.cipher)
        self.manifest_key = self.world.location.manifest_key
        self.kept: dict[str, bytes] = {}
        self.manifest_sha256 = ""
        self._plain = {
            hashlib.sha256(piece).hexdigest(): piece
            for data in (GENUINE, OLDER, FOREIGN, FORGED)
            for piece in cut(data)
        }

    async def prepare(self) -> None:
        """Put everything."""
        seal = self.mode.seals_manifest
        other = self.world.elsewhere(name="other", seed=7)
        await other.put(FOREIGN, seal_manifest=seal)
        self.foreign = await self._said_by(other)
        self.foreign_manifest_key = other.location.manifest_key
        await self.world.put(OLDER, seal_manifest=seal)
        self.older = await self._said_by(self.world)
        self.kept = {
            key: body for key, body in (await self.world.objects()).items() if key.startswith("stream/")
        }
        summary = await self.world.put(GENUINE, seal_manifest=seal, clobber=True)
        self.manifest_sha256 = summary.manifest_sha256
        self.document = await self._said_by(self.world)
        self.keys = [record["s3_key"] for record in self.document["chunks"]]
        await self._stands_for(self.document)

    async def read(self, key: str) -> bytes:
        """One object."""
        return await self.world.read(key)

    async def write(self, key: str, body: bytes) -> None:
        """Replace or create one object."""
        await self.world.write(key, body)

    # --- forging ---------------------------------------------------------------------------------------------------

    def draft(self) -> Document:
        """A copy of the genuine manifest to forge from."""
        return copy.deepcopy(self.document)

    async def publish(self, document: Document, *, sealer: Cipher | None = None) -> None:
        """Put a forged manifest in place, sealed as well as the attacker can: without a way to do so he says that it is not.

        `sealer` seals it whatever the stream was put with.
        """
        if sealer is None and self.mode.seals_manifest:
            sealer = self.mode.public
            document["encrypted_manifest"] = sealer is not None
        await self._place(document, sealer)

    async def publish_as_text(self, document: Document) -> None:
        """Put a forged manifest in place, not sealed."""
        await self._place(document, None)

    async def store_forged_chunks(self, cipher: Cipher, data: bytes = FORGED) -> Document:
        """Store other content under the keys of the genuine chunks; return a manifest that says so."""
        document = self.draft()
        for record, piece in zip(document["chunks"], cut(data), strict=True):
            sealed = seal_message(cipher, piece)
            await self.write(record["s3_key"], sealed)
            record.update(describe(piece))
            if "encrypted_size" in record:
                record.update(describe_sealed(sealed))
        return relinked(document)

    def know(self, piece: bytes) -> None:
        """Remember the content of a chunk that the manifest will name by its digest."""
        self._plain[hashlib.sha256(piece).hexdigest()] = piece

    async def _place(self, document: Document, sealer: Cipher | None) -> None:
        text = json.dumps(document, indent=2).encode()
        await self.write(self.manifest_key, text if sealer is None else seal_message(sealer, text))
        await self._stands_for(document)

    async def _stands_for(self, document: Document) -> None:
        self.in_place = document
        records = document.get("chunks", [])
        present = await self.world.objects()
        self.pieces = [self._plain.get(record["sha256"], b"") for record in records]
        self.raw_pieces = [present.get(record["s3_key"], b"") for record in records]

    @property
    def lies_sealed(self) -> bool:
        """Whether the object in place of the manifest is no text."""
        try:
            self.object_in_place.decode()
        except UnicodeDecodeError:
            return True
        return False

    async def look(self) -> None:
        """Note what lies in place of the manifest, once the attack is over."""
        self.object_in_place = (await self.world.objects()).get(self.manifest_key, b"")

    async def stands_for_older(self) -> None:
        """Say that the older manifest is in place."""
        await self._stands_for(self.older)

    async def _said_by(self, world: World) -> Document:
        stored = await world.read(world.location.manifest_key)
        if self.mode.seals_manifest:
            stored = open_message(self.mode.cipher, bytearray(stored))
        document = json.loads(stored)
        assert isinstance(document, dict)
        return document


def describe(plain: bytes) -> dict[str, object]:
    """What a record says of plain bytes."""
    return {
        "size": len(plain),
        "sha256": hashlib.sha256(plain).hexdigest(),
        "sha3_256": hashlib.sha3_256(plain).hexdigest(),
    }


def describe_sealed(sealed: bytes) -> dict[str, object]:
    """What a record says of sealed bytes."""
    return {"encrypted_size": len(sealed), "encrypted_sha256": hashlib.sha256(sealed).hexdigest()}


def relinked(document: Document) -> Document:
    """Make indices, counts, sums and the chain fit the records: anybody can, the chain's first key is public."""
    records = document["chunks"]
    for index, record in enumerate(records):
        record["index"] = index
    document["chunk_count"] = len(records)
    document["total_bytes"] = sum(record["size"] for record in records)
    links = chain(records)
    document["final_chain"] = links[-1] if links else ""
    return document


def chain(records: list[Document]) -> list[str]:
    """All links of the chain over records."""
    links: list[str] = []
    for record in records:
        key = bytes.fromhex(links[-1]) if links else b"s3duct-genesis"
        both = bytes.fromhex(record["sha256"] + record["sha3_256"])
        links.append(hmac.digest(key, both, hashlib.sha256).hex())
    return links
