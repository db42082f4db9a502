"""The ways to look at a stream."""

from __future__ import annotations

from dataclasses import dataclass, replace

from s3duct.adapters.plain import PlainCipher
from s3duct.app.usecases.verify import VerifySummary
from s3duct.domain.errors import S3ductError
from s3duct.domain.manifest_trust import ManifestTrust
from s3duct.domain.ports.object_store import StoredObject
from tests.fakes.hooked_store import HookedStore
from tests.tamper.scene import Scene
from tests.usecases.loop import forget_frames

UNAUTHENTICATED = "--allow-unauthenticated"
UNENCRYPTED = "--allow-unencrypted"
STRICT = "--strict-manifest"
PINNED = "--expect-manifest-sha256"


@dataclass(frozen=True)
class Reader:
    """`work` is get, raw, deep or quick; `flag` is one of the flags about manifests.

    With `tags` the store tells ETags: they change with every write.
    """

    name: str
    work: str
    keyless: bool = False
    flag: str = ""
    tags: bool = False

    @property
    def opens(self) -> bool:
        """Whether it looks at plain bytes, if there is a key."""
        return self.work in ("get", "deep") and not self.keyless

    @property
    def writes(self) -> bool:
        """Whether it gives out the stream."""
        return self.work in ("get", "raw")

    def trust(self, scene: Scene) -> ManifestTrust:
        """What the flag stands for."""
        return ManifestTrust(
            expected_sha256=scene.manifest_sha256 if self.flag == PINNED else None,
            allow_unauthenticated=self.flag == UNAUTHENTICATED,
            allow_unencrypted=self.flag == UNENCRYPTED,
            strict=self.flag == STRICT,
        )


GET = Reader("get", "get")
RAW = Reader("raw", "raw")
RAW_KEYLESS = Reader("raw-keyless", "raw", keyless=True)
DEEP = Reader("deep", "deep")
DEEP_KEYLESS = Reader("deep-keyless", "deep", keyless=True)
QUICK = Reader("quick", "quick")
CHUNK_READERS = [
    GET,
    RAW,
    RAW_KEYLESS,
    DEEP,
    DEEP_KEYLESS,
    QUICK,
    Reader("quick-with-tags", "quick", tags=True),
]
MANIFEST_READERS = [
    GET,
    Reader("get-keyless", "get", keyless=True),
    Reader("get-pinned", "get", flag=PINNED),
    Reader("get-strict", "get", flag=STRICT),
    Reader("get-unauthenticated", "get", flag=UNAUTHENTICATED),
    Reader("get-unencrypted", "get", flag=UNENCRYPTED),
    RAW,
    RAW_KEYLESS,
    DEEP,
    Reader("deep-pinned", "deep", flag=PINNED),
    Reader("deep-unauthenticated", "deep", flag=UNAUTHENTICATED),
    DEEP_KEYLESS,
    QUICK,
]


@dataclass(frozen=True)
class Reading:
    """What came of it: an error or not, what was given out, what verify found."""

    error: S3ductError | None
    data: bytes
    found: VerifySummary | None


async def read(scene: Scene, reader: Reader) -> Reading:
    """Look at the stream from another machine."""
    world = scene.world.elsewhere(**({"cipher": PlainCipher()} if reader.keyless else {}))
    if not reader.tags:
        world.store = UntaggedStore(world.bucket)
    error: S3ductError | None = None
    found = None
    try:
        if reader.writes:
            await world.get(raw=reader.work == "raw", trust=reader.trust(scene))
        else:
            found = await world.verify(deep=reader.work == "deep", trust=reader.trust(scene))
    except S3ductError as raised:
        forget_frames(raised)
        error = raised
    return Reading(error, world.sink.data, found)


class UntaggedStore(HookedStore):
    """Tells no ETags, as a local folder does."""

    async def head(self, key: str) -> StoredObject:
        """Leave it away."""
        return replace(await super().head(key), etag="")
