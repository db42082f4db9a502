"""age v1 as a cipher: each message is one age file, which `age -d` reads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence

from s3duct.adapters.age.header import MAX_HEADER_BYTES, write_header
from s3duct.adapters.age.keys import Identity, Recipient, refuse_a_mixture, refuse_different_labels
from s3duct.adapters.age.opener import AgeOpener
from s3duct.adapters.age.payload import NONCE_BYTES, PayloadSealer, payload_size_bytes
from s3duct.adapters.age.plugin_recipient import belongs_to_a_plugin
from s3duct.adapters.age.primitives import FILE_KEY_BYTES
from s3duct.adapters.age.recipients import parse_recipient
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import KeyRequired, KeySpecError, UsageError
from s3duct.domain.ports.cipher import Cipher, Opener, Sealer

_KEY_ID_BYTES = 8
_SEPARATOR = ","
# No header holds recipients of longer texts: none is longer than twice its stanza.
_LONGEST_RECIPIENTS = 2 * MAX_HEADER_BYTES


class AgeCipher(Cipher):
    """Seals for recipients and opens with identities; one of them is enough for one of the two."""

    def __init__(self, *, recipients: Sequence[Recipient] = (), identities: Sequence[Identity] = ()) -> None:
        """Keep the keys.

        Args:
            recipients: who may open what is sealed; repeated ones count once. Without any, nothing can be sealed.
            identities: what is opened with. Without any, nothing can be opened.

        Raises:
            UsageError: post-quantum and classic recipients are mixed, or there are more than a header holds.
        """
        refuse_a_mixture(recipients)
        self._recipients = tuple({recipient.identifier: recipient for recipient in recipients}.values())
        self._identities = tuple(identities)
        # One header shows the size of all of them. A plugin is not asked before there is something to seal: it may ask
        # a human in turn. What it adds is bounded by what a header may hold.
        is_exact = all(recipient.is_of_fixed_size for recipient in self._recipients)
        self._header_bytes = len(self._header(os.urandom(FILE_KEY_BYTES))) if is_exact else MAX_HEADER_BYTES

    @classmethod
    def of_identities(cls, identities: Sequence[Identity]) -> AgeCipher:
        """Seal for the owners of these identities, and open with them.

        Raises:
            UsageError: post-quantum and classic ones are mixed: they can open together, but not seal together.
        """
        return cls(recipients=[identity.recipient for identity in identities], identities=identities)

    @property
    def method(self) -> EncryptionMethod:
        """As s3duct 0.4.0 calls it."""
        return EncryptionMethod.AGE

    @property
    def recipient(self) -> str | None:
        """The recipients as given, joined by commas; None if there is none.

        Of a plugin's identity whose recipient is not known, only the name of the plugin.

        One recipient stands as s3duct 0.4.0 records it. A comma occurs in none of them (an SSH key has a space in it),
        and the text stays one line.
        """
        return _SEPARATOR.join(recipient.text for recipient in self._recipients) or None

    @property
    def key_id(self) -> str:
        """16 hex digits of a hash over the recipients in any order; empty if there is none."""
        if not self._recipients:
            return ""
        identifiers = sorted(recipient.identifier for recipient in self._recipients)
        listed = "\n".join(["s3duct age recipients v1", *identifiers])
        return hashlib.sha256(listed.encode("ascii")).digest()[:_KEY_ID_BYTES].hex()

    def may_open(self, recipient: str | None) -> bool:
        """Whether an identity in hand is one of the recipients; yes, if it is not known for whom it was sealed.

        For which keys a plugin wraps, and which it holds, only the plugin knows. It is not asked. A text that is longer than
        any writer's is not looked at: reading a gigabyte of recipients takes hours.
        """
        if not recipient or not self._identities or len(recipient) > _LONGEST_RECIPIENTS:
            return True
        own = {identity.recipient.text for identity in self._identities}
        given = [text.strip() for text in recipient.split(_SEPARATOR)]
        if any(map(belongs_to_a_plugin, [*own, *given])):
            return True
        try:
            return any(parse_recipient(text).text in own for text in given)
        except KeySpecError:
            return True  # a damaged name says nothing of the key

    def manifest_mac(self, covered: Iterable[bytes]) -> bytes | None:
        """None: age proves no origin."""
        return None

    def sealed_size_bytes(self, plain_bytes: int) -> int:
        """The header for these recipients, 16 bytes more, and 16 more for each 64 KiB.

        With a plugin, whose stanzas may be of any size, the largest header there may be.

        Raises:
            UsageError: there is no recipient.
        """
        self._require_recipients()
        return self._header_bytes + payload_size_bytes(plain_bytes)

    def sealer(self) -> Sealer:
        """Begin a message under a fresh file key, wrapped for each recipient.

        Raises:
            UsageError: there is no recipient, or plugins declare labels that do not go together.
            KeyUnavailable: a plugin failed.
        """
        self._require_recipients()
        file_key, nonce = os.urandom(FILE_KEY_BYTES), os.urandom(NONCE_BYTES)
        return _AgeSealer(self._header(file_key) + nonce, PayloadSealer(file_key, nonce))

    def opener(self) -> Opener:
        """Begin to open a message; the recipients that it names are tried with every identity.

        Raises:
            KeyRequired: there is no identity.
        """
        if not self._identities:
            raise KeyRequired(
                "this is sealed with age, and no identity was given", hint="give one: --age-identity FILE"
            )
        return AgeOpener(self._identities)

    def _header(self, file_key: bytes) -> bytes:
        wrapped = [recipient.wrap(file_key) for recipient in self._recipients]
        refuse_different_labels(wrapped)
        header = write_header([stanza for each in wrapped for stanza in each.stanzas], file_key)
        if len(header) > MAX_HEADER_BYTES:
            raise UsageError(f"{len(self._recipients)} age recipients are more than a header holds")
        return header

    def _require_recipients(self) -> None:
        if not self._recipients:
            raise UsageError(
                "there is no age recipient to encrypt to", hint="give one: --age-recipient age1…"
            )


class _AgeSealer(Sealer):
    def __init__(self, head: bytes, payload: PayloadSealer) -> None:
        self._head = head
        self._payload = payload

    def room_bytes(self, plain_bytes: int) -> int:
        return len(self._head) + self._payload.room_bytes(plain_bytes)

    def update(self, plain: memoryview, into: memoryview | None = None) -> memoryview:
        head, self._head = self._head, b""
        return self._payload.update(plain, into, head=head)

    def finish(self) -> bytes:
        head, self._head = self._head, b""
        return self._payload.finish(head=head)
