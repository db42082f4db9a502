"""The end of a put: the manifest becomes visible, then what it replaced goes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial

from s3duct.app.pipeline.manifest_io import load_manifest, seal_message
from s3duct.app.pipeline.retrying import Retrier
from s3duct.domain.errors import (
    DecryptionFailed,
    IntegrityError,
    NotFound,
    ObjectExists,
    S3ductError,
    StoreUnavailable,
    StreamExists,
    UnsupportedFormat,
)
from s3duct.domain.events import Listener, Notice
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import encode_manifest
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.object_store import ObjectStore


class PutFinisher:
    """Writes the manifest of one stream and removes what it made superfluous."""

    def __init__(
        self,
        location: StreamLocation,
        store: ObjectStore,
        cipher: Cipher,
        retrier: Retrier,
        listener: Listener,
    ) -> None:
        """Take what finishing needs."""
        self._location = location
        self._store = store
        self._cipher = cipher
        self._retrier = retrier
        self._listener = listener

    async def write_manifest(self, manifest: Manifest, *, overwrite: bool) -> str:
        """Write the manifest; return the SHA-256 (hex) of what was written.

        Raises:
            StreamExists: `overwrite` is off and another run has finished a stream of this name meanwhile.
        """
        content = encode_manifest(manifest)
        if manifest.sealed:
            content = seal_message(self._cipher, content)
        await self._retrier.run(
            "write of the manifest", lambda: self._write(content, manifest.run_id, overwrite)
        )
        return hashlib.sha256(content).hexdigest()

    async def remove(self, keys: Iterable[str]) -> None:
        """Delete chunk objects that no manifest names any more. What cannot be deleted is said, and stays."""
        for key in sorted(keys):
            try:
                await self._retrier.run(
                    "removal of an old chunk", partial(self._store.delete, self._location.full_key(key))
                )
            except S3ductError as error:
                self._listener(
                    Notice(f"old chunks could not be removed and are left in the bucket: {error.message}")
                )
                return

    async def _write(self, content: bytes, run_id: str, overwrite: bool) -> None:
        key = self._location.manifest_key
        if overwrite:
            await self._store.put(key, content)
            return
        # Looked up before as well, since some stores ignore the condition of the write. A manifest of this very run is
        # a write of ours whose reply was lost.
        if await self._is_written(run_id):
            return
        try:
            await self._store.put(key, content, create_only=True)
        except ObjectExists as error:
            if not await self._is_written(run_id):
                raise StoreUnavailable("the manifest was refused as existing, but there is none") from error

    async def _is_written(self, run_id: str) -> bool:
        """Whether this run's manifest is in place. Raises `StreamExists` if somebody else's is."""
        try:
            await self._store.head(self._location.manifest_key)
            found = (await load_manifest(self._store, self._location, self._cipher)).run_id
        except NotFound:
            return False
        except (DecryptionFailed, IntegrityError, UnsupportedFormat):
            found = ""
        if found != run_id:
            raise StreamExists(
                f"another run has finished a stream {self._location.name!r} meanwhile",
                hint="this run's chunks are kept; choose another --name, or replace the stream with --clobber",
            )
        return True
