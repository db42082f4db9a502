"""Reads and writes manifests whole: plain JSON, or one sealed message of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from s3duct.domain.encryption import AES_OVERHEAD_BYTES, EncryptionMethod
from s3duct.domain.errors import (
    DecryptionFailed,
    KeyRequired,
    ManifestInvalid,
    ObjectNotFound,
    StreamNotFound,
)
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import MAX_MANIFEST_BYTES, decode_manifest
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.object_store import Bytes, ObjectStore


async def load_manifest(
    store: ObjectStore, location: StreamLocation, cipher: Cipher, *, under_prefix: bool = False
) -> Manifest:
    """Fetch, open, decode and validate the manifest of a stream; `under_prefix` as in `decode_manifest`.

    Raises:
        StreamNotFound: there is none.
        ManifestInvalid, UnsupportedFormat: see `decode_manifest`.
        KeyRequired: it is sealed and `cipher` has no key.
        DecryptionFailed: the key does not open it.
    """
    try:
        stored = await _read_whole(store, location.manifest_key)
    except ObjectNotFound as error:
        raise StreamNotFound(
            f"there is no stream {location.name!r}", hint="s3duct list shows what is there; check --prefix"
        ) from error
    content = _open(stored, location.name, cipher)
    return decode_manifest(content, name=location.name, under_prefix=under_prefix)


def is_sealed(stored: bytes | bytearray) -> bool:
    """Whether a stored manifest is anything but JSON text. What it says of itself is not asked.

    One sealed message in 256 begins with the brace of a JSON object; none of some length is UTF-8 by chance.
    """
    if len(stored) < AES_OVERHEAD_BYTES:
        return False  # too short for any sealed message
    if not stored.lstrip().startswith(b"{"):
        return True
    try:
        stored.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def seal_message(cipher: Cipher, plain: bytes) -> bytes:
    """Seal a whole small message."""
    sealer = cipher.sealer()
    return bytes(sealer.update(memoryview(plain))) + bytes(sealer.finish())


def open_message(cipher: Cipher, sealed: bytearray) -> bytes:
    """Open a whole small message; `sealed` is overwritten. Raises `DecryptionFailed`."""
    opener = cipher.opener()
    with memoryview(sealed) as buffer:
        stop = opener.finish(buffer, len(sealed))
        return bytes(buffer[opener.start : stop])


def _open(stored: bytearray, name: str, cipher: Cipher) -> bytes:
    if not is_sealed(stored):
        return bytes(stored)
    if cipher.method is EncryptionMethod.NONE:
        raise KeyRequired(
            f"the manifest of {name!r} is encrypted", hint="give the key it was put with: --key"
        )
    try:
        return open_message(cipher, stored)
    except DecryptionFailed as error:
        raise DecryptionFailed(
            f"the key does not open the manifest of {name!r}",
            hint="it was put with another key or method, or the manifest is damaged; nothing was written",
        ) from error


async def _read_whole(store: ObjectStore, key: str) -> bytearray:
    content = bytearray()
    pieces = store.get(key)
    async with aclosing(cast("AsyncGenerator[Bytes, None]", pieces)):
        async for piece in pieces:
            if len(content) + len(piece) > MAX_MANIFEST_BYTES:
                raise ManifestInvalid(f"the manifest {key!r} is larger than {MAX_MANIFEST_BYTES} bytes")
            content += piece
    return content
