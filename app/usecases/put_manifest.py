"""The manifest of a put: what it says, and whether it is there already."""

from __future__ import annotations

from dataclasses import replace

from s3duct.app.pipeline.put_transfer import Transferred
from s3duct.app.usecases.put_judgement import ExistingStream
from s3duct.app.usecases.put_request import PutRequest
from s3duct.app.usecases.put_start import PutStart
from s3duct.domain.manifest import Manifest
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.storage_class import StorageClass


def build_manifest(
    request: PutRequest, transferred: Transferred, *, cipher: Cipher, created: str
) -> Manifest:
    """Return the manifest of what was transferred."""
    return Manifest(
        name=request.location.name,
        chunk_size_bytes=request.chunk_size_bytes,
        total_bytes=transferred.total_bytes,
        chunks=transferred.records,
        final_chain=transferred.final_link.hex(),
        created=created,
        tool_version=request.tool_version,
        method=cipher.method,
        recipient=cipher.recipient,
        sealed=request.seal_manifest,
        storage_class=request.storage_class or StorageClass.STANDARD.value,
        description=request.description,
        tags=request.tags,
    )


def already_stored(start: PutStart, manifest: Manifest) -> ExistingStream | None:
    """Return the visible stream if this run or the one it goes on from has written it, and there is nothing new in it."""
    if start.finished is not None:
        return start.finished
    replaced = start.replaced
    visible = None if replaced is None or not start.plan.may_differ else replaced.manifest
    if visible is None:
        return None
    same = replace(visible, created=manifest.created, tool_version=manifest.tool_version) == manifest
    return replaced if same else None
