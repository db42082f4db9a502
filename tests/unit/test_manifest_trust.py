"""Whom a reader believes: every combination of what a manifest is, what key is in hand, and what the caller demands."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, NamedTuple

import pytest

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.adapters.plain import PlainCipher
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import (
    DowngradeRefused,
    ExitCode,
    KeyRequired,
    ManifestAltered,
    ManifestUnauthenticated,
    ManifestUnexpected,
    S3ductError,
    UsageError,
    WrongKey,
)
from s3duct.domain.manifest_trust import DEFAULT_TRUST, ManifestTrust, OpenedManifest, Proof
from tests.support.age_keys import key_pair
from tests.unit.saying import assert_well_said
from tests.unit.strategies import manifest_of

if TYPE_CHECKING:
    from s3duct.domain.ports.cipher import Cipher

NONE, AES, AGE = EncryptionMethod.NONE, EncryptionMethod.AES_256_GCM, EncryptionMethod.AGE
CIPHERS: dict[EncryptionMethod, Cipher] = {
    NONE: PlainCipher(),
    AES: AesGcmCipher(bytes(32)),
    AGE: key_pair("x25519").opening(),
}
MINE, THEIRS = key_pair("x25519").recipient, key_pair("x25519", 1).recipient
DIGEST = "ab" * 32


class Flags(NamedTuple):
    pinned: bool
    unauthenticated: bool
    unencrypted: bool
    strict: bool

    def trust(self) -> ManifestTrust:
        return ManifestTrust(
            expected_sha256=DIGEST if self.pinned else None,
            allow_unauthenticated=self.unauthenticated,
            allow_unencrypted=self.unencrypted,
            strict=self.strict,
        )


class Case(NamedTuple):
    """One manifest as it was found, and the method of the key in hand."""

    key: EncryptionMethod
    method: EncryptionMethod
    says_sealed: bool
    is_sealed: bool
    proof: Proof
    recipient: str | None

    def opened(self) -> OpenedManifest:
        manifest = dataclasses.replace(
            manifest_of([b"one"]), method=self.method, sealed=self.says_sealed, recipient=self.recipient
        )
        return OpenedManifest(manifest, self.is_sealed, DIGEST, self.proof)


BOTH = (False, True)
FLAGS = [Flags(*flags) for flags in itertools.product(BOTH, repeat=4)]
SOUND_FLAGS = [
    flags for flags in FLAGS if not (flags.strict and (flags.unauthenticated or flags.unencrypted))
]
CASES = [
    Case(*case)
    for case in itertools.product(EncryptionMethod, EncryptionMethod, BOTH, BOTH, Proof, (None, MINE, THEIRS))
]


def verdict(case: Case, flags: Flags) -> type[S3ductError] | None:
    """The reasons to refuse, most grave first, written down anew; the first that holds is told."""
    has_key = case.key is not NONE
    fits = has_key and case.method is case.key
    # To believe without asking for proof: there is no key, the caller said so, or he pinned it.
    asks_proof = fits and not flags.pinned and not flags.unauthenticated
    for_me = case.key is not AGE or case.recipient in (None, MINE)
    proven = {
        Proof.MAC: True,
        Proof.SEALED: not flags.strict,
    }.get(case.proof, False)
    reasons = [
        (flags.strict and not case.is_sealed, DowngradeRefused),
        (has_key and case.method is NONE and not flags.unencrypted, DowngradeRefused),
        (has_key and case.method not in (NONE, case.key), KeyRequired),
        (asks_proof and case.says_sealed is not case.is_sealed, DowngradeRefused),
        (asks_proof and (case.proof is Proof.OTHER_KEY or not for_me), WrongKey),
        (asks_proof and case.proof is Proof.WRONG_MAC, ManifestAltered),
        (asks_proof and case.key is AES and not proven, ManifestUnauthenticated),
    ]
    return next((error for holds, error in reasons if holds), None)


def refusal(case: Case, trust: ManifestTrust) -> S3ductError | None:
    try:
        trust.check(case.opened(), CIPHERS[case.key])
    except S3ductError as error:
        return error
    return None


@pytest.mark.parametrize("flags", SOUND_FLAGS, ids=str)
def test_every_combination_is_judged_as_the_table_says(flags: Flags) -> None:
    trust = flags.trust()
    for case in CASES:
        error = refusal(case, trust)
        assert (None if error is None else type(error)) is verdict(case, flags), case
        if error is not None:
            assert_well_said(error)
            assert error.hint


def test_the_table_has_something_of_everything() -> None:
    seen = {verdict(case, flags) for case in CASES for flags in SOUND_FLAGS}
    assert seen == {
        None, DowngradeRefused, KeyRequired, WrongKey, ManifestAltered, ManifestUnauthenticated
    }  # fmt: skip


def test_what_is_allowed_never_refuses_more() -> None:
    for flags, case in itertools.product(SOUND_FLAGS, CASES):
        if refusal(case, flags.trust()) is None and not flags.strict:
            for more in (flags._replace(unauthenticated=True), flags._replace(unencrypted=True)):
                assert refusal(case, more.trust()) is None


# --- what is said -----------------------------------------------------------------------------------------------------

SEALED_WITH_MAC = Case(AES, AES, True, True, Proof.MAC, None)


@pytest.mark.parametrize(
    ("case", "trust", "message", "hints", "exit_code"),
    [
        (
            SEALED_WITH_MAC._replace(says_sealed=False, is_sealed=False), ManifestTrust(strict=True),
            "the manifest of 's' is not sealed, and --strict-manifest demands it",
            ["--strict-manifest", "--encrypt-manifest"], ExitCode.INTEGRITY,
        ),
        (
            SEALED_WITH_MAC._replace(method=NONE), DEFAULT_TRUST,
            "a key was given, but the manifest says that 's' is not encrypted",
            ["leave the key away", "--allow-unencrypted"], ExitCode.INTEGRITY,
        ),
        (
            SEALED_WITH_MAC._replace(method=AGE), DEFAULT_TRUST,
            "the stream 's' is encrypted with age, not aes-256-gcm", ["--age-identity"], ExitCode.WRONG_KEY,
        ),
        (
            SEALED_WITH_MAC._replace(key=AGE), DEFAULT_TRUST,
            "the stream 's' is encrypted with aes-256-gcm, not age", ["--key"], ExitCode.WRONG_KEY,
        ),
        (
            SEALED_WITH_MAC._replace(is_sealed=False), DEFAULT_TRUST,
            "the manifest of 's' says that it is sealed, but it is not sealed",
            ["--allow-unauthenticated"], ExitCode.INTEGRITY,
        ),
        (
            SEALED_WITH_MAC._replace(says_sealed=False), DEFAULT_TRUST,
            "the manifest of 's' says that it is not sealed, but it is sealed",
            ["--allow-unauthenticated"], ExitCode.INTEGRITY,
        ),
        (
            SEALED_WITH_MAC._replace(proof=Proof.OTHER_KEY), DEFAULT_TRUST,
            "the stream 's' was put with another key", [], ExitCode.WRONG_KEY,
        ),
        (
            Case(AGE, AGE, False, False, Proof.NONE, THEIRS), DEFAULT_TRUST,
            f"the stream 's' was put with another key, for {THEIRS}", [], ExitCode.WRONG_KEY,
        ),
        (
            SEALED_WITH_MAC._replace(proof=Proof.WRONG_MAC), DEFAULT_TRUST,
            "the manifest of 's' was altered after it was written: its MAC does not match",
            ["--allow-unauthenticated"], ExitCode.INTEGRITY,
        ),
        (
            SEALED_WITH_MAC._replace(proof=Proof.NONE), DEFAULT_TRUST,
            "the manifest of 's' carries no MAC of this key: whoever can write the bucket can have written it",
            ["--allow-unauthenticated", "--expect-manifest-sha256", "0.3 and 0.4"], ExitCode.INTEGRITY,
        ),
        (
            SEALED_WITH_MAC._replace(proof=Proof.SEALED), ManifestTrust(strict=True),
            "the manifest of 's' carries no MAC of this key: whoever can write the bucket can have written it",
            ["--allow-unauthenticated", "--expect-manifest-sha256"], ExitCode.INTEGRITY,
        ),
    ],
)  # fmt: skip
def test_each_refusal_says_what_is_wrong_and_what_to_do(
    case: Case, trust: ManifestTrust, message: str, hints: list[str], exit_code: ExitCode
) -> None:
    error = refusal(case, trust)
    assert error is not None
    assert error.message == message
    for hint in hints:
        assert hint in error.hint
    assert error.exit_code is exit_code
    assert not error.retryable


# --- the pinned digest ------------------------------------------------------------------------------------------------


def test_another_digest_than_the_expected_one_is_refused() -> None:
    trust = ManifestTrust(expected_sha256=DIGEST)
    trust.check_digest(DIGEST, name="s")
    DEFAULT_TRUST.check_digest("cd" * 32, name="s")
    for other in ("cd" * 32, DIGEST.upper(), DIGEST[:-1], ""):
        with pytest.raises(ManifestUnexpected) as caught:
            trust.check_digest(other, name="s")
        assert caught.value.message == (
            f"the manifest of 's' is not the expected one (its SHA-256 is {other})"
        )
        assert "replaced" in caught.value.hint
        assert caught.value.exit_code is ExitCode.INTEGRITY
        assert_well_said(caught.value)


@pytest.mark.parametrize(
    "text", ["", "ab", "ab" * 31, "ab" * 33, "AB" * 32, "zz" * 32, f" {DIGEST}", f"{DIGEST}\n", "sha256:" + DIGEST]
)  # fmt: skip
def test_what_is_no_digest_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="64 hex digits") as caught:
        ManifestTrust(expected_sha256=text)
    assert "manifest_sha256" in caught.value.hint
    assert_well_said(caught.value)


@pytest.mark.parametrize("flags", [flags for flags in FLAGS if flags not in SOUND_FLAGS], ids=str)
def test_flags_that_contradict_each_other_are_a_usage_error(flags: Flags) -> None:
    with pytest.raises(UsageError, match="--strict-manifest contradicts") as caught:
        flags.trust()
    assert_well_said(caught.value)


def test_by_default_nothing_is_allowed_and_nothing_pinned() -> None:
    trust = DEFAULT_TRUST
    assert trust.expected_sha256 is None
    assert {trust.allow_unauthenticated, trust.allow_unencrypted, trust.strict} == {False}
