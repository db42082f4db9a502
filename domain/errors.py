"""One tree of errors: each class carries its exit code and whether trying again can help.

Every message is one line in lower case without a full stop; `hint` says what the user can do about it.
No message ever holds key material.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Process exit codes of the `s3duct` command. Stable: scripts may rely on them (README, "Exit codes")."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    INTEGRITY = 3
    WRONG_KEY = 4
    NOT_FOUND = 5
    EXISTS = 6
    RESUME = 7
    SOURCE = 8
    SINK = 9
    LOCAL_RESOURCE = 10
    DENIED = 11
    STORE_UNAVAILABLE = 12
    UNSUPPORTED = 13
    BUSY = 14
    PRODUCER = 15
    CONSUMER = 16
    SIGHUP = 129
    SIGINT = 130
    SIGPIPE = 141
    SIGTERM = 143


class S3ductError(Exception):
    """Base of everything s3duct raises on purpose.

    Args:
        message: one line, lower case, no full stop.
        hint: one line that says what to do, or empty.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(S3ductError):
    """The call itself is wrong: a flag, a size, a name. Retrying the same call cannot help."""

    exit_code = ExitCode.USAGE


class KeySpecError(UsageError):
    """A `--key` that is malformed, missing, unreadable or of the wrong length."""


# --- integrity -------------------------------------------------------------------------------------------------


class IntegrityError(S3ductError):
    """Bytes or metadata from the bucket are not what was stored."""

    exit_code = ExitCode.INTEGRITY


class ManifestInvalid(IntegrityError):
    """The manifest is not valid: not JSON, a wrong type, out of range, inconsistent with itself."""


class ManifestUnexpected(IntegrityError):
    """The manifest is another one than the caller expects (`--expect-manifest-sha256`)."""


class ManifestAltered(IntegrityError):
    """The manifest carries this key's MAC, and the MAC does not match."""


class ManifestUnauthenticated(IntegrityError):
    """Nothing proves that an owner of the key in hand wrote the manifest."""


class DowngradeRefused(IntegrityError):
    """The manifest promises less than the key in hand does: not encrypted, or not sealed."""


class ChunkMissing(IntegrityError):
    """The manifest names a chunk object that is not in the bucket."""


class ChunkDamaged(IntegrityError):
    """A chunk's size, digest, authentication tag or place in the chain is wrong."""


class DecryptionFailed(S3ductError):
    """The key in hand does not open the data: the wrong key, or damaged ciphertext; the message says which if known."""

    exit_code = ExitCode.WRONG_KEY


class WrongKey(DecryptionFailed):
    """The data is whole as far as can be told, but it was sealed for other keys than the one in hand."""


class CiphertextDamaged(DecryptionFailed):
    """The sealed bytes are not what any writer made: malformed, altered, cut short or lengthened. No key helps."""

    exit_code = ExitCode.INTEGRITY


class KeyRequired(DecryptionFailed):
    """The stream or its manifest is encrypted and no key was given."""


class KeyUnavailable(S3ductError):
    """What holds the key (an age plugin, hardware behind it) failed or refused. Nothing is known about the data."""

    exit_code = ExitCode.WRONG_KEY


class UnsupportedFormat(S3ductError):
    """Written by a newer version of the format, or by an encryption method this program does not know."""

    exit_code = ExitCode.UNSUPPORTED


# --- names -----------------------------------------------------------------------------------------------------


class NotFound(S3ductError):
    """An object, a stream or a bucket is not there."""

    exit_code = ExitCode.NOT_FOUND


class ObjectNotFound(NotFound):
    """The store has no object under that key."""


class BucketNotFound(NotFound):
    """The bucket (or the local folder that stands for it) does not exist."""


class StreamNotFound(NotFound):
    """No manifest is stored under that name."""


class ObjectExists(S3ductError):
    """A create-only write found an object under its key. A retry cannot help."""

    exit_code = ExitCode.EXISTS


class StreamExists(ObjectExists):
    """A stream of that name is stored already."""


# --- resume ----------------------------------------------------------------------------------------------------


class ResumeError(S3ductError):
    """An unfinished run is on record and this run does not continue it. Nothing was changed."""

    exit_code = ExitCode.RESUME


class JournalMismatch(ResumeError):
    """The unfinished run was started with other settings (chunk size, destination, key, encryption)."""


class InputDiverged(ResumeError):
    """The input differs from the part that is stored."""


class InputTooShort(ResumeError):
    """The input ended before all of the stored part was seen again."""


class JournalDamaged(ResumeError):
    """A journal cannot be read (damage other than a torn last line).

    Args:
        run_id: the run it is of, where that much can be read.
    """

    def __init__(self, message: str, *, hint: str = "", run_id: str = "") -> None:
        super().__init__(message, hint=hint)
        self.run_id = run_id


class JournalTooNew(UnsupportedFormat):
    """A newer version wrote the journal.

    Args:
        run_id: the run it is of, where that much can be read.
    """

    def __init__(self, message: str, *, hint: str = "", run_id: str = "") -> None:
        super().__init__(message, hint=hint)
        self.run_id = run_id


class RunInProgress(S3ductError):
    """Another process puts the same stream, or restores it to the same file, right now. A retry helps once it has ended."""

    exit_code = ExitCode.BUSY


# --- ends of the pipe ------------------------------------------------------------------------------------------


class SourceError(S3ductError):
    """The input could not be read, is empty, or is not the size it should be."""

    exit_code = ExitCode.SOURCE


class ProducerFailed(SourceError):
    """The program whose output is the input did not end well: what it wrote may not be all there is."""

    exit_code = ExitCode.PRODUCER


class SinkError(S3ductError):
    """The output could not be written."""

    exit_code = ExitCode.SINK


class OutputExists(SinkError):
    """There is a file already where the output should go. A retry cannot help."""

    exit_code = ExitCode.EXISTS


class SinkClosed(SinkError):
    """The consumer closed the pipe early."""

    exit_code = ExitCode.SIGPIPE


class ConsumerFailed(SinkError):
    """The program that takes the output did not end well."""

    exit_code = ExitCode.CONSUMER


class LocalResourceError(S3ductError):
    """Disk or memory on this machine ran out, or a local file cannot be used."""

    exit_code = ExitCode.LOCAL_RESOURCE


# --- the store -------------------------------------------------------------------------------------------------


class StoreError(S3ductError):
    """The object store answered with an error that is none of the others. A retry rarely helps."""

    exit_code = ExitCode.STORE_UNAVAILABLE


class OperationUnsupported(StoreError):
    """The store does not implement the operation. A retry cannot help."""


class StoreUnavailable(StoreError):
    """Network trouble, time-out or a 5xx answer. A retry may help.

    Args:
        message: as for every error.
        hint: as for every error.
        retry_after_s: for how long the store asks to be left alone (`Retry-After`), where it says so and can be heard.
    """

    retryable = True

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class StoreThrottled(StoreUnavailable):
    """The store asks for fewer requests (503 SlowDown, 429). A retry helps after a pause, and with fewer at once."""


class AccessDenied(S3ductError):
    """The store refused the credentials or the operation. A retry cannot help."""

    exit_code = ExitCode.DENIED


class CredentialsError(AccessDenied):
    """No usable credentials: none found, an unknown profile, an expired login. A retry cannot help."""


class CredentialsUnavailable(AccessDenied):
    """The service that hands out credentials did not answer. A retry may help."""

    retryable = True


class CredentialsExpired(CredentialsUnavailable):
    """The store refused the credentials as expired. A retry may help: it is made with renewed ones."""


class Interrupted(S3ductError):
    """The run was stopped by a signal; what was stored is kept.

    Args:
        signal_number: the signal's number; the exit code is 128 plus that.
    """

    exit_code = ExitCode.SIGINT

    def __init__(self, message: str, *, signal_number: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number
