"""Adapter of `ports.cipher` that seals nothing: pieces pass through uncopied."""

from __future__ import annotations

from collections.abc import Iterable

from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.ports.cipher import Cipher, Opener, Sealer


class PlainCipher(Cipher):
    """No encryption."""

    @property
    def method(self) -> EncryptionMethod:
        """None."""
        return EncryptionMethod.NONE

    @property
    def recipient(self) -> str | None:
        """None."""
        return None

    @property
    def key_id(self) -> str:
        """Empty: there is no key."""
        return ""

    def may_open(self, recipient: str | None) -> bool:
        """There is nothing to open."""
        return True

    def manifest_mac(self, covered: Iterable[bytes]) -> bytes | None:
        """None: there is no key."""
        return None

    def sealed_size_bytes(self, plain_bytes: int) -> int:
        """The same size."""
        return plain_bytes

    def sealer(self) -> Sealer:
        """Pass pieces through."""
        return _PlainSealer()

    def opener(self) -> Opener:
        """Leave the buffer as it is."""
        return _PlainOpener()


class _PlainSealer(Sealer):
    def room_bytes(self, plain_bytes: int) -> int:
        return 0

    def update(self, plain: memoryview, into: memoryview | None = None) -> memoryview:
        return plain

    def finish(self) -> bytes:
        return b""


class _PlainOpener(Opener):
    @property
    def start(self) -> int:
        return 0

    def advance(self, buffer: memoryview, filled: int) -> int:
        return filled

    def finish(self, buffer: memoryview, filled: int) -> int:
        return filled
