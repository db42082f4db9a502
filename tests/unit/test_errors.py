from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from s3duct.domain import errors
from s3duct.domain.errors import ExitCode, Interrupted, S3ductError

README = Path(__file__).resolve().parents[2] / "README.md"

# Scripts rely on these: a new class gets a line, an old line never changes.
EXIT_CODES = {
    "S3ductError": 1,
    "UsageError": 2, "KeySpecError": 2,
    "IntegrityError": 3, "ManifestInvalid": 3, "ManifestUnexpected": 3, "ManifestAltered": 3,
    "ManifestUnauthenticated": 3, "DowngradeRefused": 3, "ChunkMissing": 3, "ChunkDamaged": 3,
    "DecryptionFailed": 4, "KeyRequired": 4, "WrongKey": 4, "CiphertextDamaged": 3,
    "KeyUnavailable": 4,
    "NotFound": 5, "ObjectNotFound": 5, "BucketNotFound": 5, "StreamNotFound": 5,
    "ObjectExists": 6, "StreamExists": 6,
    "ResumeError": 7, "JournalMismatch": 7, "InputDiverged": 7, "InputTooShort": 7, "JournalDamaged": 7,
    "SourceError": 8, "ProducerFailed": 15,
    "SinkError": 9, "SinkClosed": 141, "OutputExists": 6, "ConsumerFailed": 16,
    "LocalResourceError": 10,
    "AccessDenied": 11, "CredentialsError": 11, "CredentialsExpired": 11, "CredentialsUnavailable": 11,
    "StoreError": 12, "OperationUnsupported": 12, "StoreUnavailable": 12, "StoreThrottled": 12,
    "UnsupportedFormat": 13, "JournalTooNew": 13,
    "RunInProgress": 14,
    "Interrupted": 130,
}  # fmt: skip
RETRYABLE = {"StoreUnavailable", "StoreThrottled", "CredentialsExpired", "CredentialsUnavailable"}

CLASSES = [
    member for _, member in inspect.getmembers(errors, inspect.isclass) if issubclass(member, S3ductError)
]


def make(kind: type[S3ductError]) -> S3ductError:
    if issubclass(kind, Interrupted):
        return kind("it went wrong", signal_number=15, hint="try this")
    return kind("it went wrong", hint="try this")


def test_every_error_has_its_frozen_exit_code() -> None:
    assert {kind.__name__: kind.exit_code for kind in CLASSES} == EXIT_CODES


def test_only_what_may_pass_by_itself_is_retried() -> None:
    assert {kind.__name__ for kind in CLASSES if kind.retryable} == RETRYABLE


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_documented_and_says_what_it_was_told(kind: type[S3ductError]) -> None:
    assert isinstance(kind.exit_code, ExitCode)
    assert kind.exit_code is not ExitCode.OK
    assert type(kind.retryable) is bool
    assert "__doc__" in vars(kind)
    error = make(kind)
    assert (str(error), error.message, error.hint) == ("it went wrong", "it went wrong", "try this")


@pytest.mark.parametrize("kind", CLASSES)
def test_no_error_is_one_that_python_code_catches_by_accident(kind: type[S3ductError]) -> None:
    assert not issubclass(kind, OSError | ValueError | LookupError | RuntimeError)


def test_exit_codes_mean_one_thing_each_and_leave_alone_what_shells_use() -> None:
    assert len(set(ExitCode)) == len(ExitCode.__members__)
    assert {code for code in ExitCode if code > 16} == {128 + 1, 128 + 2, 128 + 13, 128 + 15}
    assert {code for code in ExitCode if code <= 16} == set(range(17))


def test_an_interruption_knows_its_signal() -> None:
    assert Interrupted("stopped", signal_number=15).signal_number == 15


def test_the_readme_lists_every_exit_code() -> None:
    """`ExitCode` sends its reader to the README, section "Exit codes"."""
    _, heading, rest = README.read_text("utf-8").partition("Exit codes\n")
    assert heading, "the README has no section 'Exit codes'"
    section = re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    listed = {int(number) for number in re.findall(r"(?<![\w.])\d+(?![\w.])", section)}
    assert {int(code) for code in ExitCode} <= listed
