"""May a manifest be believed? What it says of itself is held against the key in hand and what the caller demands.

Whoever can write the bucket can put any manifest there. What a key can prove: AES seals and authenticates, so a sealed
manifest, and a plain one with this key's MAC, was written by someone who has the key. age proves nothing of its origin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import (
    DowngradeRefused,
    IntegrityError,
    KeyRequired,
    ManifestAltered,
    ManifestUnauthenticated,
    ManifestUnexpected,
    UsageError,
    WrongKey,
)
from s3duct.domain.manifest import Manifest
from s3duct.domain.ports.cipher import Cipher

_SHOWN_CHARACTERS = 200
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY_FLAGS = {EncryptionMethod.AES_256_GCM: "--key", EncryptionMethod.AGE: "--age-identity"}


class Proof(Enum):
    """What a manifest proves to the key in hand."""

    NONE = auto()  # nothing: no key, no MAC, or a method that knows no origin
    SEALED = auto()  # it was sealed under this key
    MAC = auto()  # it carries this key's MAC, and the MAC is right
    WRONG_MAC = auto()  # it carries this key's MAC, and the MAC is wrong
    OTHER_KEY = auto()  # it carries another key's MAC


@dataclass(frozen=True, slots=True)
class OpenedManifest:
    """A manifest as it was found.

    `sealed` says that the stored object was encrypted, `sha256` (hex) is the digest of that object.
    """

    manifest: Manifest
    sealed: bool
    sha256: str
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestTrust:
    """What a reader demands of a manifest.

    Args:
        expected_sha256: hex digest of the manifest object that `put` reported: no other manifest is read, and this one
            needs no further proof.
        allow_unauthenticated: accept, with a key, a manifest that the key does not prove.
        allow_unencrypted: accept, with a key, a stream that says it is not encrypted.
        strict: accept only sealed manifests, and with an AES key only those with its MAC in them.
    """

    expected_sha256: str | None = None
    allow_unauthenticated: bool = False
    allow_unencrypted: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        """Raise `UsageError` for what contradicts itself or is no digest."""
        if self.expected_sha256 is not None and not _SHA256.fullmatch(self.expected_sha256):
            raise UsageError(
                "the expected digest of the manifest is not 64 hex digits",
                hint="put reports it as manifest_sha256 (--summary json)",
            )
        if self.strict and (self.allow_unauthenticated or self.allow_unencrypted):
            raise UsageError(
                "--strict-manifest contradicts --allow-unauthenticated and --allow-unencrypted",
                hint="leave one of the two sides away; S3DUCT_ variables count as well",
            )

    def check_digest(self, sha256: str, *, name: str) -> None:
        """Check the digest of a manifest object, before anything in it is looked at.

        Raises:
            ManifestUnexpected: it is another manifest than the caller expects.
        """
        if self.expected_sha256 not in (None, sha256):
            raise ManifestUnexpected(
                f"the manifest of {name!r} is not the expected one (its SHA-256 is {sha256})",
                hint="the stream was replaced, or an older one put back, since that digest was noted",
            )

    def check(self, opened: OpenedManifest, cipher: Cipher) -> str:
        """Hold a manifest against the key in hand; its method is NONE if there is none.

        Returns:
            What a flag has made acceptable, for the user to read; empty if nothing had to be.

        Raises:
            DowngradeRefused: it promises less than the key does: not encrypted, or not sealed though it says so.
            ManifestUnauthenticated: nothing proves that an owner of the key wrote it.
            ManifestAltered: it carries this key's MAC, and was changed since.
            WrongKey: it carries another key's MAC, or names other recipients.
            KeyRequired: the stream is encrypted by another method.
        """
        manifest = opened.manifest
        if self.strict and not opened.sealed:
            raise DowngradeRefused(
                f"the manifest of {manifest.name!r} is not sealed, and --strict-manifest demands it",
                hint="leave --strict-manifest away if the stream was put without --encrypt-manifest",
            )
        if cipher.method is EncryptionMethod.NONE:
            return ""
        if not manifest.encrypted:
            if self.allow_unencrypted:
                return f"{manifest.name!r} is not encrypted, and no key proves where it comes from (--allow-unencrypted)"
            raise DowngradeRefused(
                f"a key was given, but the manifest says that {manifest.name!r} is not encrypted",
                hint="either the manifest was replaced, or the stream was put without a key: "
                "then leave the key away, or say --allow-unencrypted",
            )
        if manifest.method is not cipher.method:
            raise KeyRequired(
                f"the stream {manifest.name!r} is encrypted with {manifest.method.value}, not {cipher.method.value}",
                hint=f"either the manifest was replaced, or it needs another kind of key: {_KEY_FLAGS[manifest.method]}",
            )
        if self.expected_sha256 is not None:
            return ""
        try:
            self._check_proof(opened, cipher)
        except (IntegrityError, WrongKey) as error:
            if not self.allow_unauthenticated:
                raise
            return f"{error.message} (--allow-unauthenticated)"
        return ""

    def _check_proof(self, opened: OpenedManifest, cipher: Cipher) -> None:
        name = opened.manifest.name
        if opened.manifest.sealed != opened.sealed:
            raise DowngradeRefused(
                f"the manifest of {name!r} says that it is {_sealing(opened.manifest.sealed)}, "
                f"but it is {_sealing(opened.sealed)}",
                hint="it was replaced; --allow-unauthenticated reads it all the same",
            )
        if opened.proof is Proof.OTHER_KEY or not cipher.may_open(opened.manifest.recipient):
            raise WrongKey(
                f"the stream {name!r} was put with another key{_named(opened.manifest)}",
                hint="give the key it was put with",
            )
        if opened.proof is Proof.WRONG_MAC:
            raise ManifestAltered(
                f"the manifest of {name!r} was altered after it was written: its MAC does not match",
                hint="--allow-unauthenticated reads it all the same: chunks are still decrypted and "
                "checked, but some may be left out, repeated, or in another order",
            )
        unproven = opened.proof is Proof.NONE or (self.strict and opened.proof is Proof.SEALED)
        if cipher.method is EncryptionMethod.AES_256_GCM and unproven:
            raise ManifestUnauthenticated(
                f"the manifest of {name!r} carries no MAC of this key: whoever can write the bucket can have written it",
                hint="s3duct 0.3 and 0.4 write none: --allow-unauthenticated accepts it; "
                "--expect-manifest-sha256 pins one",
            )


DEFAULT_TRUST = ManifestTrust()


def _named(manifest: Manifest) -> str:
    """For whom the manifest says that the stream was sealed."""
    recipient = manifest.recipient or ""
    if len(recipient) > _SHOWN_CHARACTERS:
        recipient = recipient[:_SHOWN_CHARACTERS] + "…"
    return f", for {recipient}" if recipient else ""


def _sealing(sealed: bool) -> str:
    return "sealed" if sealed else "not sealed"
