"""Opens one age file in place: header first, then the payload."""

from __future__ import annotations

from collections.abc import Sequence

from s3duct.adapters.age.header import HeaderScan, parse_header
from s3duct.adapters.age.keys import Unwrapper
from s3duct.adapters.age.payload import NONCE_BYTES, PayloadOpener
from s3duct.domain.errors import CiphertextDamaged, KeyUnavailable, WrongKey
from s3duct.domain.ports.cipher import Opener


class AgeOpener(Opener):
    """Plain bytes are moved to the very start of the buffer, over the header: its length is not known beforehand."""

    def __init__(self, identities: Sequence[Unwrapper]) -> None:
        """Begin.

        Args:
            identities: each is tried on each recipient of the file.
        """
        self._identities = identities
        self._scan = HeaderScan()
        self._header_bytes: int | None = None
        self._payload: PayloadOpener | None = None

    @property
    def start(self) -> int:
        """0."""
        return 0

    def advance(self, buffer: memoryview, filled: int) -> int:
        """As the port says; nothing is plain before the header has arrived."""
        payload = self._begun(buffer, filled)
        return payload.advance(buffer, filled) if payload else 0

    def finish(self, buffer: memoryview, filled: int) -> int:
        """As the port says."""
        payload = self._begun(buffer, filled)
        if payload is None:
            raise CiphertextDamaged(f"the age header is cut short ({filled} bytes)")
        return payload.finish(buffer, filled)

    def _begun(self, buffer: memoryview, filled: int) -> PayloadOpener | None:
        if self._payload is not None:
            return self._payload
        if self._header_bytes is None:
            self._header_bytes = self._scan.end(buffer, filled)
        if self._header_bytes is None or filled < self._header_bytes + NONCE_BYTES:
            return None
        position = self._header_bytes + NONCE_BYTES
        nonce = bytes(buffer[self._header_bytes : position])
        file_key = self._file_key(bytes(buffer[: self._header_bytes]))
        self._payload = PayloadOpener(file_key, nonce, position=position)
        return self._payload

    def _file_key(self, content: bytes) -> bytes:
        header = parse_header(content)
        unavailable: KeyUnavailable | None = None
        for identity in self._identities:
            try:
                file_key = identity.unwrap_any(header.stanzas)
            except KeyUnavailable as error:  # another identity may do; if none does, this is the reason
                unavailable = unavailable or error
                continue
            if file_key is not None:
                header.authenticate(file_key)
                return file_key
        if unavailable is not None:
            raise unavailable
        raise WrongKey("no age identity matches a recipient", hint="it was sealed for other recipients")
