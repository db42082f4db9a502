"""Reads recipients: one from the command line, several from a file."""

from __future__ import annotations

from s3duct.adapters.age import bech32, hybrid, plugin_recipient, x25519
from s3duct.adapters.age.key_file import lines_of, read_key_file
from s3duct.adapters.age.keys import Recipient
from s3duct.adapters.age.plugin_process import Plugin
from s3duct.adapters.age.plugin_user import NOBODY
from s3duct.adapters.age.ssh_keys import is_ssh_public_key, parse_ssh_recipient
from s3duct.domain.errors import KeySpecError
from s3duct.domain.ports.user import User

_WHAT = "the age recipients file"
_FORMS = "a recipient begins with age1, ssh-ed25519 or ssh-rsa; a file of them goes to --age-recipients-file"


def parse_recipient(text: str, *, what: str = "the age recipient", user: User = NOBODY) -> Recipient:
    """Read `age1…`, `age1pq1…`, `ssh-ed25519 …`, `ssh-rsa …`, or `age1NAME1…` of the plugin NAME.

    Args:
        text: without spaces around it; what follows an SSH key is its comment.
        what: how to call it in errors.
        user: whom a plugin may turn to.

    Raises:
        KeySpecError: it is malformed or of an unknown kind, or its plugin is not installed. The text is not repeated:
            it may be a key by mistake.
    """
    if not text:
        raise KeySpecError(f"{what} is empty", hint="is it taken from a variable that is not set?")
    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise KeySpecError(
            f"{what} is an identity, not a recipient",
            hint="it is secret: give its file to --age-identity, and here the public key in it",
        )
    try:
        if is_ssh_public_key(text):
            return parse_ssh_recipient(text)
        prefix, public = bech32.decode(text)
        if prefix == x25519.RECIPIENT_PREFIX:
            return x25519.X25519Recipient(public)
        if prefix == hybrid.RECIPIENT_PREFIX:
            return hybrid.HybridRecipient(public)
        if prefix.startswith(plugin_recipient.PREFIX):
            return plugin_recipient.PluginRecipient(
                Plugin(prefix.removeprefix(plugin_recipient.PREFIX)), text, user=user
            )
    except KeySpecError as error:
        raise KeySpecError(f"{what} is not usable: {error.message}", hint=error.hint or _FORMS) from None
    raise KeySpecError(f"{what} is of an unknown kind", hint=_FORMS)


def read_recipients(path: str, *, user: User = NOBODY) -> tuple[Recipient, ...]:
    """Read a recipients file: one a line, `#` for comments, blank lines. `user` as for `parse_recipient`.

    Raises:
        KeySpecError: it cannot be read, a line of it is malformed, or there is no recipient in it.
    """
    return parse_recipients(read_key_file(path, what=_WHAT), what=f"{_WHAT} {path!r}", user=user)


def parse_recipients(content: bytes, *, what: str = _WHAT, user: User = NOBODY) -> tuple[Recipient, ...]:
    """As `read_recipients`, from what is in the file; `what` is how to call it in errors."""
    recipients = tuple(
        parse_recipient(line, what=where, user=user) for where, line in lines_of(content, what=what)
    )
    if not recipients:
        raise KeySpecError(f"{what} holds no recipient")
    return recipients
