"""The one translator from obstore's errors to the domain's.

obstore tells some failures apart by class and the rest only by text: the HTTP status and the `<Code>` of S3's error body
(Amazon S3 API Reference, "Error responses"). `tests/contract` pins the texts that this relies on.
"""

from __future__ import annotations

import re

from obstore import exceptions as obstore_errors

from s3duct.domain.errors import (
    AccessDenied,
    BucketNotFound,
    CredentialsUnavailable,
    ObjectExists,
    ObjectNotFound,
    S3ductError,
    StoreError,
    StoreThrottled,
    StoreUnavailable,
    UsageError,
)

# obstore raises some of Python's own classes as well.
_VENDOR_ERRORS = (obstore_errors.BaseError, OSError, ValueError, TypeError, NotImplementedError)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})</Message>")
_DEBUG = re.compile(r"\s*Debug source:.*", re.DOTALL)
_LONGEST_TEXT = 300
# What obstore says around the reason: which request, how long it took, how it was retried.
_REQUEST = re.compile(r"^Generic \S+ error: Error performing \w+ (\w+://[^/\s]+)\S* in .*? - ")

_DENIED_HINTS = {
    "SignatureDoesNotMatch": "the secret key is wrong, or a proxy changed the request",
    "InvalidAccessKeyId": "the access key is not known to this store",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "AccessDenied": "the credentials lack a permission for this bucket",
}
_THROTTLE_CODES = {"SlowDown", "TooManyRequests", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
_TRANSIENT_CODES = {"RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted"}
_EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_THROTTLE_STATUSES = {429, 503}
_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501
_CLIENT_ERROR = 400


def translate(error: Exception, *, key: str) -> Exception:
    """Return the domain error for an error of obstore over `key`.

    An error that is none of obstore's (raised out of a body or a credential provider) is returned as it is.
    """
    if isinstance(error, S3ductError) or not isinstance(error, _VENDOR_ERRORS):
        return error
    text = str(error)
    status = _first_int(_STATUS, text)
    code = _first(_CODE, text)
    detail = _describe(text, status, code)
    if code == "NoSuchBucket":
        return BucketNotFound("the bucket does not exist", hint="check --bucket, --endpoint-url and --region")
    if code in _EXPIRED_CODES:
        return CredentialsUnavailable(
            f"the credentials have expired: {detail}", hint="renew them (aws sso login, …)"
        )
    if isinstance(error, FileNotFoundError | obstore_errors.NotFoundError):
        return ObjectNotFound(f"there is no object {key!r}")
    if isinstance(error, obstore_errors.AlreadyExistsError | obstore_errors.PreconditionError):
        return ObjectExists(f"the object {key!r} exists already")
    if isinstance(
        error, obstore_errors.PermissionDeniedError | obstore_errors.UnauthenticatedError | PermissionError
    ):
        return AccessDenied(
            f"access denied: {detail}", hint=_DENIED_HINTS.get(code, _DENIED_HINTS["AccessDenied"])
        )
    if isinstance(error, obstore_errors.InvalidPathError | ValueError | TypeError):
        return UsageError(f"the store cannot hold the key {key!r}: {detail}")
    return _by_text(code, status, detail)


def is_condition_unsupported(error: Exception) -> bool:
    """Whether the store does not implement conditional writes (Backblaze B2 answers 501)."""
    unsupported = isinstance(error, obstore_errors.NotSupportedError | NotImplementedError)
    return unsupported or _first_int(_STATUS, str(error)) == _NOT_IMPLEMENTED


def _by_text(code: str, status: int, detail: str) -> S3ductError:
    if code in _THROTTLE_CODES or status in _THROTTLE_STATUSES:
        return StoreThrottled(f"the store asks to slow down: {detail}")
    if code in _TRANSIENT_CODES or status >= _SERVER_ERROR or status in (0, 408):
        return StoreUnavailable(
            f"the store cannot be reached or failed: {detail}", hint="check --endpoint-url and the network"
        )
    if status >= _CLIENT_ERROR:
        return StoreError(f"the store refused the request: {detail}")
    return StoreError(
        f"the store gave an unexpected answer: {detail}", hint="check --region and --endpoint-url"
    )


def _describe(text: str, status: int, code: str) -> str:
    """One line without obstore's debug part; S3's own words where there are some."""
    if code:
        message = _first(_MESSAGE, text)
        return f"{code}: {message}".rstrip(": .") if message else code
    if status:
        return f"HTTP {status}"
    line = _REQUEST.sub(r"\1: ", " ".join(_DEBUG.sub("", text).split()))
    return line[:_LONGEST_TEXT] or "no details"


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return " ".join(match[1].split()) if match else ""


def _first_int(pattern: re.Pattern[str], text: str) -> int:
    return int(_first(pattern, text) or 0)
