"""Reads identity files: age identities, one a line; an SSH private key; either of them under a passphrase."""

from __future__ import annotations

import re
from collections.abc import Callable

from s3duct.adapters.age import bech32, hybrid, x25519
from s3duct.adapters.age.armor import is_armored, remove_armor
from s3duct.adapters.age.key_file import lines_of, read_key_file
from s3duct.adapters.age.keys import Identity
from s3duct.adapters.age.plugin_identity import PluginIdentity
from s3duct.adapters.age.plugin_process import Plugin
from s3duct.adapters.age.plugin_user import NOBODY
from s3duct.adapters.age.scrypt import is_under_a_passphrase, open_with_passphrase
from s3duct.adapters.age.ssh_keys import parse_ssh_identity
from s3duct.domain.encryption import AGE_MAGIC
from s3duct.domain.errors import CiphertextDamaged, KeySpecError, WrongKey
from s3duct.domain.ports.user import User

# Called with what the passphrase is of: "the age identity file 'path'".
PassphraseSource = Callable[[str], str]
_WHAT = "the age identity file"
_PLUGIN_IDENTITY = re.compile(r"AGE-PLUGIN-(.+)-")


def read_identities(
    path: str, *, passphrase: PassphraseSource | None = None, user: User = NOBODY
) -> tuple[Identity, ...]:
    """Read an identity file.

    Args:
        path: `~` stands for the home directory.
        passphrase: called once, with a description of the file, and only if it is protected by one.
        user: whom a plugin may turn to.

    Raises:
        KeySpecError: it cannot be read, is malformed, holds no identity, or one whose plugin is not installed.
        WrongKey: the passphrase is another one. A retry helps with the right one.
    """
    content = read_key_file(path, what=_WHAT)
    return parse_identities(content, what=f"{_WHAT} {path!r}", passphrase=passphrase, user=user)


def parse_identities(
    content: bytes,
    *,
    what: str = _WHAT,
    passphrase: PassphraseSource | None = None,
    user: User = NOBODY,
) -> tuple[Identity, ...]:
    """As `read_identities`, from what is in the file; `what` is how to call it in errors."""
    if is_armored(content) or content.startswith(AGE_MAGIC):
        content = _unprotected(content, what, passphrase)
        if is_armored(content) or content.startswith(AGE_MAGIC):
            raise KeySpecError(f"{what} is protected twice")
    if content.lstrip().startswith(b"-----BEGIN "):
        return (parse_ssh_identity(content.lstrip(), what=what),)
    identities = tuple(
        parse_identity(line, what=where, user=user) for where, line in lines_of(content, what=what)
    )
    if not identities:
        raise KeySpecError(f"{what} holds no identity", hint="s3duct keygen makes one")
    return identities


def parse_identity(text: str, *, what: str = "the age identity", user: User = NOBODY) -> Identity:
    """Read one age identity, `AGE-SECRET-KEY-1…`, `AGE-SECRET-KEY-PQ-1…` or `AGE-PLUGIN-NAME-1…`.

    Args:
        text: without spaces around it.
        what: how to call it in errors.
        user: whom a plugin may turn to.

    Raises:
        KeySpecError: it is malformed or of an unknown kind, or its plugin is not installed.
    """
    if text.startswith(("age1", "ssh-")):
        raise KeySpecError(
            f"{what} is a recipient, not an identity",
            hint="a recipient only seals (put --age-recipient), opening takes the private key",
        )
    try:
        prefix, secret = bech32.decode(text)
        if prefix == x25519.IDENTITY_PREFIX:
            return x25519.X25519Identity(secret)
        if prefix == hybrid.IDENTITY_PREFIX:
            return hybrid.HybridIdentity(secret)
        if found := _PLUGIN_IDENTITY.fullmatch(prefix):
            return PluginIdentity(Plugin(found[1].lower()), text, user=user)
    except KeySpecError as error:
        raise KeySpecError(f"{what} is not usable: {error.message}", hint=error.hint) from None
    raise KeySpecError(f"{what} is not an age identity")


def _unprotected(content: bytes, what: str, passphrase: PassphraseSource | None) -> bytes:
    if passphrase is None:
        raise KeySpecError(f"{what} is protected by a passphrase, and none was given")
    try:
        sealed = remove_armor(content) if is_armored(content) else content
        if not is_under_a_passphrase(sealed):
            raise KeySpecError(
                f"{what} is sealed for a recipient, not under a passphrase", hint="open it with age first"
            )
        return open_with_passphrase(sealed, passphrase(what))
    except WrongKey as error:
        raise WrongKey(f"the passphrase does not open {what}") from error
    except CiphertextDamaged as error:
        raise KeySpecError(f"{what} cannot be opened: {error.message}") from error
