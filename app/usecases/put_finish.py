"""The end of a put: the manifest becomes visible."""

from __future__ import annotations

import hashlib
from functools import partial

from s3duct.app.pipeline.manifest_io import prepare_manifest, read_manifest
from s3duct.app.pipeline.retrying import Retrier
from s3duct.app.pipeline.run_journal import RunJournal
from s3duct.domain.errors import NotFound, ObjectExists, StoreUnavailable, StreamExists
from s3duct.domain.manifest import Manifest
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.object_store import Bytes, ObjectStore
from s3duct.domain.resume import ManifestRecord


class PutFinisher:
    """Writes the manifest of one stream."""

    def __init__(
        self,
        *,
        location: StreamLocation,
        store: ObjectStore,
        cipher: Cipher,
        journal: RunJournal,
        retrier: Retrier,
    ) -> None:
        """Take what finishing needs."""
        self._location = location
        self._store = store
        self._cipher = cipher
        self._journal = journal
        self._retrier = retrier

    async def write_manifest(self, manifest: Manifest, *, overwrite: bool) -> str:
        """Write the manifest; return the SHA-256 (hex) of what was written.

        Raises:
            StreamExists: `overwrite` is off and another run has finished a stream of this name meanwhile.
            RunInProgress: another run has taken over the name.
        """
        content = await prepare_manifest(manifest, self._cipher)
        sha256 = hashlib.sha256(content).hexdigest()
        await self._journal.append(ManifestRecord(sha256))
        is_written = False
        if not overwrite:
            await self._journal.check_claim()

        async def look() -> None:
            # Before each attempt, since meanwhile another run may have taken the name and finished. It would be hidden by
            # this manifest, whose chunks it may have removed; where nothing is overwritten, what is in place tells. Not more
            # than one thing is asked: in a storm that lets little through, nothing else would get there.
            nonlocal is_written
            if overwrite:
                await self._journal.check_claim()
            else:
                # Some stores ignore the condition of the write. This very manifest is a write of ours whose reply was lost.
                is_written = await self._retrier.run(
                    "look-up of the manifest", partial(self._is_written, sha256)
                )

        async def write() -> None:
            if not is_written:
                await self._write(content, sha256, overwrite)

        await self._retrier.run("write of the manifest", write, before=look)
        return sha256

    async def _write(self, content: Bytes, sha256: str, overwrite: bool) -> None:
        key = self._location.manifest_key
        if overwrite:
            await self._store.put(key, content)
            return
        try:
            await self._store.put(key, content, create_only=True)
        except ObjectExists as error:
            if not await self._is_written(sha256):
                raise StoreUnavailable("the manifest was refused as existing, but there is none") from error

    async def _is_written(self, sha256: str) -> bool:
        """Whether this run's manifest is in place. Raises `StreamExists` if somebody else's is."""
        try:
            await self._store.head(self._location.manifest_key)
            found = await read_manifest(self._store, self._location)
        except NotFound:
            return False
        if found.sha256 != sha256:
            raise StreamExists(
                f"another run has finished a stream {self._location.name!r} meanwhile",
                hint="this run's chunks are kept; choose another --name, or replace the stream with --clobber",
            )
        return True
