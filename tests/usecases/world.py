"""A bucket and a machine that puts to it, all in memory: what the use-case and fault suites work on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.adapters.hashing import HashlibHasher
from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.adapters.plain import PlainCipher
from s3duct.app.container.outputs import make_sink_output
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.app.usecases.get import get
from s3duct.app.usecases.get_request import GetRequest, GetSummary
from s3duct.app.usecases.list_streams import ListedStream, ListPorts, list_streams
from s3duct.app.usecases.opening import ReadPorts
from s3duct.app.usecases.put import put
from s3duct.app.usecases.put_request import PutPorts, PutRequest, PutSummary
from s3duct.app.usecases.verify import VerifyRequest, VerifySummary, verify
from s3duct.domain.backpressure import BufferWishes
from s3duct.domain.byte_range import EVERYTHING, ByteRange
from s3duct.domain.claim import STALE_AFTER_S
from s3duct.domain.errors import ObjectNotFound, S3ductError, StoreError
from s3duct.domain.events import ChunkFinished, Event
from s3duct.domain.manifest_trust import DEFAULT_TRUST, ManifestTrust
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.hasher import Hasher
from s3duct.domain.ports.multipart_uploads import IncompleteUpload
from s3duct.domain.ports.object_store import ObjectStore
from s3duct.domain.ports.output import Output
from s3duct.domain.ports.pipe import Sink, Source
from s3duct.domain.retry import RetryPolicy
from s3duct.domain.sizes import GIB, KIB
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.fakes.hooked_store import HookedStore, Operation, Phase
from tests.fakes.journal import FakeJournalStore
from tests.fakes.multipart_uploads import FakeMultipartUploads
from tests.fakes.pipe import FakeSink, FakeSource
from tests.fakes.probes import FakeDisk, FakeMemory, FakeProcessors
from tests.fakes.stamped_store import StampedStore
from tests.fakes.strict_memory import StrictChunkMemory
from tests.usecases.loop import until

E = TypeVar("E", bound=Event)

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
CHUNK = KIB
NAME = "stream"
PLAIN_KEYS = [f"{NAME}/chunk-{index:06d}" for index in range(16)]


def content(size_bytes: int, seed: int = 0) -> bytes:
    """Bytes that look random and differ from chunk to chunk; another `seed`, other bytes."""
    return hashlib.shake_128(seed.to_bytes(8, "big")).digest(size_bytes)


def aes(key: bytes = KEY) -> Cipher:
    """A cipher under `key`."""
    return AesGcmCipher(key)


class World:
    """One machine, its clock and its journals, and a bucket behind a hooked store."""

    def __init__(
        self,
        *,
        cipher: Cipher | None = None,
        bucket: ObjectStore | None = None,
        journals: FakeJournalStore | None = None,
        uploads_left: list[IncompleteUpload] | None = None,
        name: str = NAME,
        prefix: str = "",
        chunk_bytes: int = CHUNK,
        max_chunks: int | None = None,
        seed: int = 0,
    ) -> None:
        """Set up; `bucket` and `journals` may be those of another world, `seed` never: chance does not repeat itself."""
        self.bucket = bucket or StampedStore(MemoryObjectStore())
        self.store = HookedStore(self.bucket)
        self.uploads = FakeMultipartUploads(self.store, uploads_left)
        self.journals = journals or FakeJournalStore()
        self.cipher = cipher or PlainCipher()
        self.location = StreamLocation.parse(prefix=prefix, name=name)
        self.chunk_bytes = chunk_bytes
        self.buffers = BufferWishes(max_chunks=max_chunks)
        self.clock = FakeClock()
        self.seed = seed
        self.entropy = FakeEntropy(seed)
        self.hasher: Hasher = HashlibHasher()
        self.memory = StrictChunkMemory()
        self.disk = FakeDisk(free=64 * GIB)
        self.memory_probe = FakeMemory(available=64 * GIB)
        self.processors = FakeProcessors()
        self.retry_policy = RetryPolicy(budget_s=60.0)
        self.events: list[Event] = []
        self.reactions: list[Callable[[Event], None]] = []
        self.stop = StopRequest()
        self.sink = FakeSink()

    # --- the four use cases ------------------------------------------------------------------------------------

    async def put(self, source: bytes | Source, **changes: Any) -> PutSummary:
        """Put; `changes` are fields of the request."""
        request = PutRequest(
            location=self.location,
            destination="memory",
            chunk_size_bytes=self.chunk_bytes,
            buffers=self.buffers,
            tool_version="1.2.3",
        )
        ports = PutPorts(
            store=self.store,
            journals=self.journals,
            cipher=self.cipher,
            hasher=self.hasher,
            memory=self.memory,
            disk=self.disk,
            memory_probe=self.memory_probe,
            processors=self.processors,
            clock=self.clock,
            entropy=self.entropy,
            retry_policy=self.retry_policy,
            uploads=self.uploads,
        )
        return await put(
            replace(request, **changes),
            source=FakeSource(source) if isinstance(source, bytes) else source,
            ports=ports,
            listener=self.hear,
            stop=self.stop,
        )

    async def get(
        self,
        *,
        sink: Sink | None = None,
        output: Output | None = None,
        raw: bool = False,
        wanted: ByteRange = EVERYTHING,
        trust: ManifestTrust = DEFAULT_TRUST,
    ) -> GetSummary:
        """Get into `output` or `sink`, or into a new `self.sink`."""
        self.sink = FakeSink()
        return await get(
            GetRequest(self.location, self.buffers, raw=raw, trust=trust, range=wanted),
            output=output or make_sink_output(sink or self.sink),
            ports=self.read_ports(),
            listener=self.hear,
            stop=self.stop,
        )

    async def restored(self) -> bytes:
        """What get gives out."""
        await self.get()
        return self.sink.data

    async def verify(self, *, deep: bool = False, trust: ManifestTrust = DEFAULT_TRUST) -> VerifySummary:
        """Verify."""
        request = VerifyRequest(self.location, self.buffers, deep=deep, trust=trust)
        return await verify(request, ports=self.read_ports(), listener=self.hear, stop=self.stop)

    async def listed(self, prefix: str = "") -> list[ListedStream]:
        """List."""
        ports = ListPorts(
            store=self.store,
            cipher=self.cipher,
            clock=self.clock,
            entropy=self.entropy,
            retry_policy=self.retry_policy,
        )
        return [stream async for stream in list_streams(prefix, ports=ports, listener=self.hear)]

    def read_ports(self) -> ReadPorts:
        """Ports of get and verify."""
        return ReadPorts(
            store=self.store,
            cipher=self.cipher,
            plain_cipher=PlainCipher(),
            hasher=self.hasher,
            memory=self.memory,
            disk=self.disk,
            memory_probe=self.memory_probe,
            processors=self.processors,
            clock=self.clock,
            entropy=self.entropy,
            retry_policy=self.retry_policy,
        )

    # --- other machines, and this one after a crash ---------------------------------------------------------------

    def restarted(self, **changes: Any) -> World:
        """This machine as it comes up again: the same bucket, the journals that are on its disk, nothing else."""
        return self._another(**{"journals": self.journals.survived(), "seed": self.seed + 1, **changes})

    def elsewhere(self, **changes: Any) -> World:
        """Another machine: the same bucket, no journals."""
        return self._another(**{"seed": self.seed + 1000, **changes})

    def let_claims_go_stale(self) -> None:
        """Let so much time pass at the store that a claim which nobody refreshes meanwhile is stale."""
        assert isinstance(self.bucket, StampedStore)
        self.bucket.advance(STALE_AFTER_S)

    def _another(self, **changes: Any) -> World:
        settings: dict[str, Any] = {
            "cipher": self.cipher,
            "bucket": self.bucket,
            "uploads_left": self.uploads.left,
            "name": self.location.name,
            "prefix": self.location.prefix,
            "chunk_bytes": self.chunk_bytes,
            "max_chunks": self.buffers.max_chunks,
        }
        return World(**{**settings, **changes})

    async def put_cut_off(self, data: bytes, *, stored: set[int], **changes: Any) -> None:
        """Put, and fail for good once exactly the chunks `stored` are on record."""
        wanted = {self.chunk_key(index) for index in stored}

        async def hook(operation: Operation, phase: Phase) -> None:
            if operation.key.endswith("/released"):
                raise StoreError("cut off")
            if phase is Phase.BEFORE and operation.writes and operation.key[-6:] not in endings:
                await until(lambda: set(self.journals.recorded()) == stored)
                await until(lambda: stored - before <= {event.index for event in self.heard(ChunkFinished)})
                raise StoreError("cut off")

        endings = {key[-6:] for key in wanted}
        before = set(self.journals.recorded())
        self.store.hooks.append(hook)
        with suppress(StoreError):
            await self.put(data, **changes)
        self.store.hooks.remove(hook)
        assert set(self.journals.recorded()) == stored

    async def finished_by_another_program(self, data: bytes) -> None:
        """Let a stream of this name appear that was put by a program which knows of no claims, under keys of its own."""
        other = World(name=self.location.name, prefix=self.location.prefix, seed=self.seed + 2000)
        await other.put(b"older")
        newer = other.restarted()
        await newer.put(data, clobber=True)
        for key, body in (await newer.objects()).items():
            await self.write(key, body)

    # --- the bucket behind the use cases' back ---------------------------------------------------------------------

    def chunk_key(self, index: int) -> str:
        """Full plain key of a chunk."""
        return f"{self.location.folder}chunk-{index:06d}"

    async def objects(self) -> dict[str, bytes]:
        """Everything in the bucket but journals."""
        keys = [entry.key async for entry in self.bucket.list("") if "/.resume/" not in entry.key]
        return {key: await self.read(key) for key in keys}

    async def resume_keys(self) -> list[str]:
        """Keys of everything that journals have in the bucket."""
        return [entry.key async for entry in self.bucket.list("") if "/.resume/" in entry.key]

    async def read(self, key: str) -> bytes:
        """One object."""
        return b"".join([bytes(piece) async for piece in self.bucket.get(key)])

    async def write(self, key: str, body: bytes) -> None:
        """Replace or create one object."""
        await self.bucket.put(key, body)

    async def delete(self, key: str) -> None:
        """Delete one object that is there."""
        await self.bucket.head(key)
        await self.bucket.delete(key)

    async def damage(self, key: str, *, at: int = -1) -> None:
        """Flip one bit of one object."""
        body = bytearray(await self.read(key))
        body[at] ^= 1
        await self.write(key, bytes(body))

    async def manifest(self) -> dict[str, Any] | None:
        """The manifest as it lies in the bucket, if it is there and plain."""
        try:
            document = json.loads(await self.read(self.location.manifest_key))
        except ObjectNotFound:
            return None
        assert isinstance(document, dict)
        return document

    async def rewrite_manifest(self, **fields: Any) -> None:
        """Change fields of the plain manifest in the bucket."""
        manifest = await self.manifest()
        assert manifest is not None
        await self.write(self.location.manifest_key, json.dumps({**manifest, **fields}).encode())

    async def named_keys(self) -> set[str]:
        """Full keys of the chunks that the visible manifest names, whoever can read it; empty if there is none."""
        from s3duct.app.pipeline.manifest_io import load_manifest

        try:
            manifest = (await load_manifest(self.bucket, self.location, self.cipher)).manifest
        except S3ductError:
            return set()
        return {self.location.full_key(record.key) for record in manifest.chunks}

    def hear(self, event: Event) -> None:
        """Note an event, and do what the test does about it."""
        self.events.append(event)
        for reaction in self.reactions:
            reaction(event)

    def heard(self, kind: type[E]) -> list[E]:
        """Events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]
