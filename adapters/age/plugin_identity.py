"""Identities `AGE-PLUGIN-NAME-1…`: `age-plugin-NAME` holds the key, or knows where it is."""

from __future__ import annotations

from collections.abc import Sequence

from s3duct.adapters.age.header import Stanza
from s3duct.adapters.age.keys import Identity, Recipient
from s3duct.adapters.age.plugin_dialogue import follow
from s3duct.adapters.age.plugin_process import Plugin
from s3duct.adapters.age.plugin_recipient import PluginOwner
from s3duct.adapters.age.plugin_user import NOBODY
from s3duct.adapters.age.primitives import FILE_KEY_BYTES
from s3duct.domain.ports.user import User

_MACHINE = "identity-v1"


class PluginIdentity(Identity):
    """A key behind a plugin. Each file that is opened is a run of the plugin, and may take a touch or a PIN."""

    def __init__(self, plugin: Plugin, text: str, *, user: User = NOBODY) -> None:
        """Keep what to give to the plugin; `text` is the identity as it was given."""
        self._plugin = plugin
        self._text = text
        self._user = user

    @property
    def recipient(self) -> Recipient:
        """Whoever the plugin wraps for when it is given this identity."""
        return PluginOwner(self._plugin, self._text, user=self._user)

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """As the port of identities says."""
        return self.unwrap_any((stanza,))

    def unwrap_any(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """Show the plugin all stanzas at once: only it knows which are for it, and it may have to ask a human."""
        file_keys: list[bytes] = []

        def take(command: Stanza) -> None:
            if command.arguments != ("0",):
                raise ValueError("a file key that is not of the file in question")
            if len(command.body) != FILE_KEY_BYTES:
                raise ValueError("a file key of another length than it should have")
            if file_keys:
                raise ValueError("two file keys")
            file_keys.append(command.body)

        with self._plugin.run(_MACHINE) as process:
            process.keep_secret(self._text)
            process.send("add-identity", self._text)
            for stanza in stanzas:
                process.send("recipient-stanza", "0", stanza.kind, *stanza.arguments, body=stanza.body)
            process.send("done")
            follow(process, self._user, {"file-key": take})
        return file_keys[0] if file_keys else None
