"""Reads and writes manifests whole: plain JSON, or one sealed message of it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from s3duct.app.pipeline.manifest_sealing import is_sealed, open_sealed_manifest, seal_pieces
from s3duct.app.pipeline.workers import run_apart
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import ManifestInvalid, ObjectNotFound, StreamNotFound
from s3duct.domain.manifest import Manifest
from s3duct.domain.manifest_codec import MAX_MANIFEST_BYTES, parse_document, read_document
from s3duct.domain.manifest_head import ManifestHead, read_head
from s3duct.domain.manifest_mac import ManifestMac, covered_pieces_of, mac_in
from s3duct.domain.manifest_trust import OpenedManifest, Proof
from s3duct.domain.manifest_writer import covered_pieces, stored_pieces
from s3duct.domain.names import StreamLocation
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.object_store import Bytes, ObjectStore
from s3duct.domain.sizes import KIB

_SMALL_BYTES = 64 * KIB
# The fields in front of the chunks take less, unless somebody describes a stream at length.
_HEAD_BYTES = 64 * KIB


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest object as it lies in the bucket, and the SHA-256 (hex) of it."""

    content: bytearray
    sha256: str


async def read_manifest(store: ObjectStore, location: StreamLocation) -> StoredManifest:
    """Fetch the manifest object of a stream.

    Raises:
        StreamNotFound: there is none.
        ManifestInvalid: it is larger than any manifest.
    """
    try:
        content = await _read(store, location.manifest_key)
    except ObjectNotFound as error:
        raise _no_stream(location) from error
    return StoredManifest(content, hashlib.sha256(content).hexdigest())


async def read_manifest_head(
    store: ObjectStore, location: StreamLocation, *, under_prefix: bool = False
) -> ManifestHead | None:
    """Fetch the beginning of a plain manifest; None if that does not say everything, or is sealed: then read it whole.

    Raises as `read_manifest`, and as `decode_manifest`.
    """
    try:
        content = await _read(store, location.manifest_key, enough_bytes=_HEAD_BYTES)
    except ObjectNotFound as error:
        raise _no_stream(location) from error
    # A store's pieces may be of any size, and what is parsed is not: it takes up to 46 times its own (`json_fields`).
    return read_head(content[:_HEAD_BYTES], name=location.name, under_prefix=under_prefix)


async def open_manifest(
    stored: StoredManifest, location: StreamLocation, cipher: Cipher, *, under_prefix: bool = False
) -> OpenedManifest:
    """Open, decode and validate a manifest object, whose content is used up; `under_prefix` as in `decode_manifest`.

    On a thread of its own, unless it is small: a large one takes seconds, and an age plugin may wait for a human.

    Whether it may be believed is for `ManifestTrust` to say.

    Raises:
        ManifestInvalid: it is damaged, or not valid.
        UnsupportedFormat: see `decode_manifest`.
        KeyRequired: it is sealed and `cipher` has no key, or one of another method.
        WrongKey: it is sealed for another key, or so damaged that it looks like that.
    """
    if len(stored.content) <= _SMALL_BYTES and not is_sealed(stored.content):
        # Sooner done than a thread is started.
        return _open_now(stored, location, cipher, under_prefix=under_prefix)
    return await run_apart("manifest", _open_now, stored, location, cipher, under_prefix=under_prefix)


def _open_now(
    stored: StoredManifest, location: StreamLocation, cipher: Cipher, *, under_prefix: bool
) -> OpenedManifest:
    content = stored.content
    sealed = is_sealed(content)
    if sealed:
        open_sealed_manifest(content, location.name, cipher)
    try:
        document = parse_document(content)
        manifest = read_document(document, name=location.name, under_prefix=under_prefix)
        return OpenedManifest(manifest, sealed, stored.sha256, _proof(document, cipher, sealed=sealed))
    finally:
        content.clear()


async def load_manifest(store: ObjectStore, location: StreamLocation, cipher: Cipher) -> OpenedManifest:
    """Fetch and open the manifest of a stream. Raises as `read_manifest` and `open_manifest`."""
    return await open_manifest(await read_manifest(store, location), location, cipher)


async def prepare_manifest(manifest: Manifest, cipher: Cipher) -> Bytes:
    """Return the object to store for a manifest: with a MAC where the cipher has one, sealed if it is to be."""
    return await run_apart("manifest", _prepare_now, manifest, cipher)


def _prepare_now(manifest: Manifest, cipher: Cipher) -> Bytes:
    value = cipher.manifest_mac(covered_pieces(manifest))
    mac = None if value is None else ManifestMac(value, cipher.key_id)
    pieces = stored_pieces(manifest, mac)
    if manifest.sealed:
        return seal_pieces(cipher, pieces)
    content = bytearray()
    for piece in pieces:
        content += piece
    return content


def _proof(document: Mapping[str, Any], cipher: Cipher, *, sealed: bool) -> Proof:
    mac = mac_in(document)
    computed = None if mac is None else cipher.manifest_mac(covered_pieces_of(document))
    if mac is None or computed is None:
        return Proof.SEALED if sealed and cipher.method is EncryptionMethod.AES_256_GCM else Proof.NONE
    if hmac.compare_digest(mac.value, computed):
        return Proof.MAC
    return Proof.WRONG_MAC if mac.key_id == cipher.key_id else Proof.OTHER_KEY


def _no_stream(location: StreamLocation) -> StreamNotFound:
    return StreamNotFound(
        f"there is no stream {location.name!r}", hint="s3duct list shows what is there; check --prefix"
    )


async def _read(store: ObjectStore, key: str, *, enough_bytes: int = MAX_MANIFEST_BYTES) -> bytearray:
    content = bytearray()
    pieces = store.get(key)
    async with aclosing(cast("AsyncGenerator[Bytes, None]", pieces)):
        async for piece in pieces:
            if len(content) + len(piece) > MAX_MANIFEST_BYTES:
                raise ManifestInvalid(f"the manifest {key!r} is larger than {MAX_MANIFEST_BYTES} bytes")
            content += piece
            if len(content) >= enough_bytes:
                break
    return content
