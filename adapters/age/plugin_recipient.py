"""Recipients `age1NAME1…`, and identities of plugins in place of recipients: `age-plugin-NAME` wraps for them."""

from __future__ import annotations

import hashlib

from s3duct.adapters.age import hybrid
from s3duct.adapters.age.header import Stanza
from s3duct.adapters.age.keys import Recipient, Wrapped
from s3duct.adapters.age.plugin_dialogue import follow
from s3duct.adapters.age.plugin_process import BINARY_PREFIX, Plugin
from s3duct.adapters.age.plugin_user import NOBODY
from s3duct.domain.ports.user import User

PREFIX = "age1"
MAX_STANZAS = 64
_MACHINE = "recipient-v1"
_DIGEST_LABEL = b"s3duct age plugin identity v1\n"


def belongs_to_a_plugin(text: str) -> bool:
    """Whether `text`, of a recipient, is of one that a plugin wraps for."""
    prefix = text.rpartition("1")[0]
    is_plugins = prefix.startswith(PREFIX) and prefix != hybrid.RECIPIENT_PREFIX
    return is_plugins or text.startswith(BINARY_PREFIX)


class _WrappedByPlugin(Recipient):
    """Whoever a plugin wraps for. Each wrapping is a run of the plugin, and takes what a human may take."""

    _command: str

    def __init__(self, plugin: Plugin, given: str, *, user: User = NOBODY) -> None:
        """Keep what to give to the plugin."""
        self._plugin = plugin
        self._given = given
        self._user = user

    @property
    def post_quantum(self) -> bool | None:
        """Only wrapping tells."""
        return None

    @property
    def is_of_fixed_size(self) -> bool:
        """No: a plugin may add to its stanzas what it likes."""
        return False

    def wrap(self, file_key: bytes) -> Wrapped:
        """Let the plugin wrap it."""
        answer = _Answer()
        with self._plugin.run(_MACHINE) as process:
            process.keep_secret(self._given)
            process.send(self._command, self._given)
            process.send("wrap-file-key", body=file_key)
            process.send("extension-labels")
            process.send("done")
            follow(
                process, self._user, {"recipient-stanza": answer.take_stanza, "labels": answer.take_labels}
            )
            if not answer.stanzas:
                raise process.failure("wrapped nothing")
        return Wrapped(tuple(answer.stanzas), answer.labels or frozenset())


class PluginRecipient(_WrappedByPlugin):
    """A recipient that a plugin wraps for."""

    _command = "add-recipient"

    @property
    def text(self) -> str:
        """`age1NAME1…`."""
        return self._given


class PluginOwner(_WrappedByPlugin):
    """The owner of a plugin's identity, whose recipient only the plugin knows. The identity is a secret."""

    _command = "add-identity"

    @property
    def text(self) -> str:
        """The name of the plugin: what else is known may be secret."""
        return self._plugin.binary

    @property
    def identifier(self) -> str:
        """The name of the plugin and a digest of the identity."""
        digest = hashlib.sha256(_DIGEST_LABEL + self._given.encode("ascii")).hexdigest()
        return f"{self._plugin.binary} {digest}"


class _Answer:
    """What a plugin has given so far."""

    def __init__(self) -> None:
        self.stanzas: list[Stanza] = []
        self.labels: frozenset[str] | None = None

    def take_stanza(self, command: Stanza) -> None:
        if len(command.arguments) < 2 or command.arguments[0] != "0":
            raise ValueError("a stanza that is not of the file in question")
        kind, *arguments = command.arguments[1:]
        if kind == "scrypt":  # it may not stand beside others, so that nobody could open the file
            raise ValueError("a stanza for a passphrase")
        if len(self.stanzas) == MAX_STANZAS:
            raise ValueError(f"more than {MAX_STANZAS} stanzas")
        self.stanzas.append(Stanza(kind, tuple(arguments), command.body))

    def take_labels(self, command: Stanza) -> None:
        if self.labels is not None:
            raise ValueError("its labels twice")
        self.labels = frozenset(command.arguments)
