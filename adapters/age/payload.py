"""The payload of an age v1 file: STREAM over ChaCha20-Poly1305 in pieces of 64 KiB (c2sp.org/age, "Payload").

A piece's nonce is its number in 11 bytes and one byte that says whether it is the last: so pieces cannot be swapped,
dropped or cut off. `cryptography` works without the GIL on each piece.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from s3duct.adapters.age.primitives import TAG_BYTES, derive_key
from s3duct.domain.errors import CiphertextDamaged

NONCE_BYTES = 16
PIECE_BYTES = 64 * 1024
SEALED_PIECE_BYTES = PIECE_BYTES + TAG_BYTES
_MORE, _LAST = b"\0", b"\1"


def payload_size_bytes(plain_bytes: int) -> int:
    """Size of the payload of `plain_bytes`: its nonce, and a tag for each piece. No bytes are one empty piece."""
    pieces = max(1, -(-plain_bytes // PIECE_BYTES))
    return NONCE_BYTES + plain_bytes + pieces * TAG_BYTES


class PayloadSealer:
    """Seals one payload. A piece is sealed once it is known whether more follows, so up to 64 KiB are kept."""

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        """Begin.

        Args:
            file_key: 16 bytes, used for no other file.
            nonce: 16 random bytes; they stand before the pieces, and the caller writes them.
        """
        self._aead = _aead(file_key, nonce)
        self._number = 0
        self._kept = memoryview(bytearray(PIECE_BYTES))
        self._kept_bytes = 0

    @staticmethod
    def room_bytes(plain_bytes: int) -> int:
        """How long a buffer has to be for what `update` makes of `plain_bytes`, without a head, at most."""
        return (plain_bytes // PIECE_BYTES + 1) * SEALED_PIECE_BYTES

    def update(self, plain: memoryview, into: memoryview | None = None, *, head: bytes = b"") -> memoryview:
        """Seal what is surely not the last piece; return `head` and the sealed pieces, in `into` or a new buffer."""
        total = self._kept_bytes + len(plain)
        pieces = max(0, (total - 1) // PIECE_BYTES)
        size = len(head) + pieces * SEALED_PIECE_BYTES
        sealed = (memoryview(bytearray(size)) if into is None else into)[:size]
        sealed[: len(head)] = head
        at, taken = len(head), 0
        for _ in range(pieces):
            if self._kept_bytes:
                taken = PIECE_BYTES - self._kept_bytes
                self._keep(plain[:taken])
                piece, self._kept_bytes = self._kept, 0
            else:
                piece = plain[taken : taken + PIECE_BYTES]
                taken += PIECE_BYTES
            self._aead.encrypt_into(self._nonce(_MORE), piece, None, sealed[at : at + SEALED_PIECE_BYTES])
            at += SEALED_PIECE_BYTES
        self._keep(plain[taken:])
        return sealed

    def finish(self, *, head: bytes = b"") -> bytes:
        """Return `head` and the last piece."""
        return head + self._aead.encrypt(self._nonce(_LAST), self._kept[: self._kept_bytes], None)

    def _keep(self, plain: memoryview) -> None:
        stop = self._kept_bytes + len(plain)
        self._kept[self._kept_bytes : stop] = plain
        self._kept_bytes = stop

    def _nonce(self, mark: bytes) -> bytes:
        self._number += 1
        return (self._number - 1).to_bytes(11, "big") + mark


class PayloadOpener:
    """Opens one payload in the buffer where it lies, and moves the plain pieces together at the buffer's start."""

    def __init__(self, file_key: bytes, nonce: bytes, *, position: int) -> None:
        """Begin.

        Args:
            file_key: 16 bytes.
            nonce: the 16 bytes before the first piece.
            position: offset of the first piece in the buffer.
        """
        self._aead = _aead(file_key, nonce)
        self._number = 0
        self._position = position
        self._stop = 0

    def advance(self, buffer: memoryview, filled: int) -> int:
        """Open the pieces after which more has arrived; return where the plain bytes end.

        Raises:
            CiphertextDamaged: a piece is not what was sealed, or not in its place.
        """
        while filled - self._position > SEALED_PIECE_BYTES:
            self._open(buffer, SEALED_PIECE_BYTES, _MORE)
        return self._stop

    def finish(self, buffer: memoryview, filled: int) -> int:
        """Open the rest, which must be the last piece; return where the plain bytes end. Raises as `advance`."""
        self.advance(buffer, filled)
        rest = filled - self._position
        if rest < TAG_BYTES:
            raise CiphertextDamaged(f"the age payload is cut short: {rest} bytes in place of its last piece")
        if rest == TAG_BYTES and self._number:
            raise CiphertextDamaged("the age payload is malformed: its last piece is empty")
        self._open(buffer, rest, _LAST)
        return self._stop

    def _open(self, buffer: memoryview, size: int, mark: bytes) -> None:
        sealed = buffer[self._position : self._position + size]
        plain = sealed[: size - TAG_BYTES]
        nonce = self._number.to_bytes(11, "big") + mark
        try:
            self._aead.decrypt_into(nonce, sealed, None, plain)
        except InvalidTag:
            detail = "cut short, or altered" if mark == _LAST else "altered"
            raise CiphertextDamaged(f"the age payload is {detail} (piece {self._number})") from None
        # The target overlaps the source as soon as the header is shorter than a piece; Python moves, not copies.
        buffer[self._stop : self._stop + len(plain)] = plain
        self._number += 1
        self._position += size
        self._stop += len(plain)


def _aead(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(derive_key(file_key, salt=nonce, info=b"payload"))
