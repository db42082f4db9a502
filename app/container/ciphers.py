"""From settings to ciphers: one that seals (put), and one that opens (get, verify, list)."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Self

from s3duct.adapters.plain import PlainCipher
from s3duct.app.settings import Settings
from s3duct.domain.errors import UsageError
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.user import User

if TYPE_CHECKING:
    from s3duct.adapters.age.keys import Identity, Recipient


def halt_plugins() -> None:
    """Let no age plugin hold up the end of this process."""
    plugins = sys.modules.get("s3duct.adapters.age.plugin_process")
    if plugins is not None:
        plugins.halt()


class KeyRing:
    """The keys that the settings name, each file read once (and its passphrase asked for once)."""

    def __init__(self, settings: Settings) -> None:
        """Check what was given; nothing is read yet.

        Raises:
            UsageError: an AES key and age keys at once.
        """
        self._settings = settings
        self._with_age = bool(
            settings.age_identities or settings.age_recipients or settings.age_recipients_files
        )
        if settings.key is not None and self._with_age:
            raise UsageError(
                "an AES key (--key) and age keys cannot be used at once", hint="leave one of the two away"
            )

    def read_to_seal(self) -> Self:
        """Read what `sealing` needs now: asking for a passphrase would hold up an event loop. Raises as that does."""
        _ = self.sealing
        return self

    def read_to_open(self) -> Self:
        """As `read_to_seal`, for `opening`."""
        _ = self.opening
        return self

    @cached_property
    def sealing(self) -> Cipher:
        """The cipher for put: it seals for the owners of the identities and for all recipients, and opens what it can.

        Raises:
            KeySpecError: a key cannot be read.
            WrongKey: a passphrase is wrong.
            UsageError: post-quantum and classic recipients are mixed.
        """
        if not self._with_age:
            return self._of_aes_key
        from s3duct.adapters.age.cipher import AgeCipher

        owners = [identity.recipient for identity in self._identities]
        return AgeCipher(recipients=[*owners, *self._read_recipients()], identities=self._identities)

    @cached_property
    def opening(self) -> Cipher:
        """The cipher for get, verify and list. Raises `KeySpecError` and `WrongKey` as `sealing` does."""
        if not self._settings.age_identities:
            return self._of_aes_key
        from s3duct.adapters.age.cipher import AgeCipher

        return AgeCipher(identities=self._identities)

    @cached_property
    def _of_aes_key(self) -> Cipher:
        spec = self._settings.key
        if spec is None:
            return PlainCipher()
        from s3duct.adapters.aesgcm import AesGcmCipher
        from s3duct.adapters.key_spec import read_key

        return AesGcmCipher(read_key(spec))

    @cached_property
    def _identities(self) -> tuple[Identity, ...]:
        # Imported where age is used: it would cost every other start some 70 ms.
        from s3duct.adapters.age.identities import read_identities

        settings = self._settings
        return tuple(
            identity
            for path in settings.age_identities
            for identity in read_identities(str(path), passphrase=settings.ask_passphrase, user=self._user)
        )

    @property
    def _user(self) -> User:
        from s3duct.adapters.age.plugin_user import NOBODY

        return self._settings.user or NOBODY

    def _read_recipients(self) -> list[Recipient]:
        from s3duct.adapters.age.recipients import parse_recipient, read_recipients

        recipients = [parse_recipient(text, user=self._user) for text in self._settings.age_recipients]
        for path in self._settings.age_recipients_files:
            recipients += read_recipients(str(path), user=self._user)
        return recipients
