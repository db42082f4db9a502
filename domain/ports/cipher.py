"""Port: sealing chunks on the way out and opening them on the way back, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.ports.object_store import Bytes


class Sealer(Protocol):
    """Seals one message once. Not thread-safe; calls may come from different threads, one after another."""

    def room_bytes(self, plain_bytes: int) -> int:
        """How long a buffer has to be, at most, for what `update` makes ready when it is given `plain_bytes`."""
        ...

    def update(self, plain: memoryview, into: memoryview | None = None) -> Bytes:
        """Seal the next piece; return the sealed bytes that are ready (maybe none, maybe `plain` itself).

        They lie at the front of `into` if that is given; it needs `room_bytes(len(plain))`. Fresh memory costs more than
        AES: give a buffer that was used before.
        """
        ...

    def finish(self) -> Bytes:
        """Return the last sealed bytes. Nothing may follow."""
        ...


class Opener(Protocol):
    """Opens one message once, in place: plain bytes take the place of the sealed ones in the same buffer.

    Plain bytes lie at `buffer[start:stop]`. **They are not authenticated until `finish` has returned.** Not thread-safe;
    calls may come from different threads in turn.
    """

    @property
    def start(self) -> int:
        """Offset of the first plain byte in the buffer."""
        ...

    def advance(self, buffer: memoryview, filled: int) -> int:
        """Open what can be opened of `buffer[:filled]`; return `stop` so far. It never shrinks.

        Raises:
            WrongKey: it was sealed for another key. Not every method can tell.
            CiphertextDamaged: the bytes are damaged, whatever the key. Not every method can tell.
            DecryptionFailed: one of the two, for methods that cannot tell; a retry helps only with other bytes.
            KeyUnavailable: the program that holds the key failed; the bytes were not looked at.
        """
        ...

    def finish(self, buffer: memoryview, filled: int) -> int:
        """Open the rest, now that the message is complete at `filled` bytes, and authenticate all of it; return `stop`.

        Raises:
            DecryptionFailed, KeyUnavailable: as above. Nothing in the buffer may be used then.
        """
        ...


class Cipher(Protocol):
    """A way of sealing with its key or recipients in hand."""

    @property
    def method(self) -> EncryptionMethod:
        """As the manifest names it."""
        ...

    @property
    def recipient(self) -> str | None:
        """Public text for the manifest (age recipients), None for the others."""
        ...

    @property
    def key_id(self) -> str:
        """Hex text that tells keys apart without revealing them; empty if nothing can be sealed or nothing is."""
        ...

    def may_open(self, recipient: str | None) -> bool:
        """Whether what was sealed for `recipient`, as a manifest names it, may open; False only if it surely does not."""
        ...

    def manifest_mac(self, covered: Iterable[bytes]) -> bytes | None:
        """Return 32 bytes of HMAC-SHA256 over a manifest (see `manifest_mac`), given in pieces, under a key of its own.

        None for methods that prove no origin: whoever knows an age recipient can seal for it.
        """
        ...

    def sealed_size_bytes(self, plain_bytes: int) -> int:
        """Size of the sealed form of a message of `plain_bytes`; at most that where it is not known beforehand."""
        ...

    def sealer(self) -> Sealer:
        """Begin to seal a message (fresh nonce or file key every time). May block for as long as a human takes.

        Raises:
            UsageError: there is no recipient to seal for, or these cannot be mixed.
            KeyUnavailable: the program that wraps the file key failed.
        """
        ...

    def opener(self) -> Opener:
        """Begin to open a message.

        Raises:
            KeyRequired: there is nothing to open it with.
        """
        ...
