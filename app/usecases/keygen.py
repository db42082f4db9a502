"""keygen: a new key in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass

from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import UsageError
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.key_maker import KeyFiles, KeyMaker


@dataclass(frozen=True, slots=True)
class KeygenRequest:
    """A key for which `method`, and where to write it; `post_quantum` is for age."""

    path: str
    method: EncryptionMethod
    post_quantum: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeygenPorts:
    """What keygen needs from the outside world."""

    maker: KeyMaker
    files: KeyFiles
    clock: Clock


def keygen(request: KeygenRequest, *, ports: KeygenPorts) -> str | None:
    """Write a new key; return its recipient (age), None for a symmetric key.

    Raises:
        UsageError: there is no such key.
        KeySpecError: there is a file at that path already.
        LocalResourceError: it cannot be written.
    """
    if request.method is EncryptionMethod.AGE:
        key = ports.maker.age_identity(post_quantum=request.post_quantum, created=ports.clock.now())
    elif request.post_quantum:
        raise UsageError(
            "--pq is for age identities",
            hint="an AES-256 key keeps 128 bits against a quantum computer as it is",
        )
    else:
        key = ports.maker.aes_key()
    ports.files.create(request.path, key.file_content)
    return key.recipient
