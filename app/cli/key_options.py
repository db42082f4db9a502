"""Flags that name keys, and flags that say what a manifest has to prove to them.

No `from __future__ import annotations` here: cyclopts reads the annotations.
"""

import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from s3duct.app.cli import passphrase
    from s3duct.domain.manifest_trust import ManifestTrust

KEY = Group("Encryption", sort_key=2)
TRUST = Group("What the manifest must prove", sort_key=3)


def _at_commas(_type: object, text: str, *, delimiter: str | None = None) -> list[str]:
    """SSH recipients have spaces in them; none has a comma.

    A variable that is set and empty (`S3DUCT_AGE_RECIPIENT=$MISSPELT`) gives one empty text, which is refused where it is
    read: to take it for no key would store the stream as it is.
    """
    return [part.strip() for part in text.split(",") if part.strip()] or [""]


@Parameter(name="*", group=KEY)
@dataclass(frozen=True, kw_only=True)
class KeyOptions:
    """The key."""

    key: Annotated[
        str | None,
        Parameter(
            help="AES-256-GCM key: file:PATH (32 raw bytes or 64 hex digits), env:VARIABLE (64 hex digits), or "
            "hex:DIGITS (visible in the process list).",
        ),
    ] = None
    age_identity: Annotated[
        list[str] | None,
        Parameter(
            negative=(),
            env_var_split=_at_commas,
            help="File of age identities or an SSH private key: opens streams, and put seals for its owner. May be "
            "repeated. A passphrase is asked for on the terminal.",
        ),
    ] = None
    age_passphrase_fd: Annotated[
        int | None,
        Parameter(help="Descriptor to read the passphrase of an identity file from, a line for each file."),
    ] = None

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return bool(self.key is not None or self.age_identity)

    def identities(self) -> tuple[str, ...]:
        """Paths of identity files."""
        return tuple(self.age_identity or ())

    def passphrases(self, *, data_descriptor: int | None) -> "passphrase.Source":
        """Where passphrases come from; `data_descriptor` is the one that the command needs for data."""
        from s3duct.app.cli import passphrase

        if self.age_passphrase_fd is None:
            return passphrase.ask_on_terminal
        taken = () if data_descriptor is None else (data_descriptor,)
        return passphrase.read_from(self.age_passphrase_fd, taken=taken)

    def exposures(self) -> Iterator[str]:
        """Say how others on this machine can read a key."""
        key = self.key or ""
        if key.startswith("hex:") and any(key in argument for argument in sys.argv):
            yield (
                "a key given as hex: is visible in the process list to every user of this machine; use file: or env:"
            )
        files = [key.removeprefix("file:")] if key.startswith("file:") else []
        for path in (*files, *self.identities()):
            if _is_open_to_others(path):
                yield f"the key file {path!r} can be read by other users of this machine (chmod 600)"


def _is_open_to_others(path: str) -> bool:
    try:
        mode = Path(path).expanduser().stat().st_mode
    except (OSError, ValueError, RuntimeError):
        return False  # whoever reads it will say what is wrong with it
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


@Parameter(name="*", group=KEY)
@dataclass(frozen=True, kw_only=True)
class RecipientOptions:
    """Whom put seals for."""

    age_recipient: Annotated[
        list[str] | None,
        Parameter(
            negative=(),
            env_var_split=_at_commas,
            help="age recipient to seal for: age1..., age1pq1..., or an SSH public key. May be repeated. No private key is "
            "needed to put.",
        ),
    ] = None
    age_recipients_file: Annotated[
        list[str] | None,
        Parameter(
            negative=(),
            env_var_split=_at_commas,
            help="File of age recipients, one a line. May be repeated.",
        ),
    ] = None

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return bool(self.age_recipient or self.age_recipients_file)


@Parameter(name="*", group=TRUST)
@dataclass(frozen=True, kw_only=True)
class TrustOptions:
    """What a reader demands."""

    expect_manifest_sha256: Annotated[
        str | None,
        Parameter(
            help="Accept only the manifest of this SHA-256, as put reported it: no replaced and no older one."
        ),
    ] = None
    strict_manifest: Annotated[
        bool,
        Parameter(
            negative=(),
            help="Accept only a sealed manifest, with --key only one that carries this key's MAC.",
        ),
    ] = False
    allow_unauthenticated: Annotated[
        bool,
        Parameter(
            negative=(),
            help="Accept a manifest that the key does not prove: without a MAC (s3duct 0.3 and 0.4), or altered.",
        ),
    ] = False
    allow_unencrypted: Annotated[
        bool, Parameter(negative=(), help="Accept a stream that is not encrypted although a key is given.")
    ] = False

    def trust(self) -> "ManifestTrust":
        """As the use cases take it. Raises `UsageError`."""
        from s3duct.domain.manifest_trust import ManifestTrust

        expected = self.expect_manifest_sha256
        return ManifestTrust(
            expected_sha256=None if expected is None else expected.strip().lower(),
            allow_unauthenticated=self.allow_unauthenticated,
            allow_unencrypted=self.allow_unencrypted,
            strict=self.strict_manifest,
        )
