"""The one translator from obstore's errors to the domain's.

obstore tells some failures apart by class and the rest only by text: the HTTP status and the `<Code>` of S3's error body
(Amazon S3 API Reference, "Error responses"). `tests/contract` pins the texts that this relies on.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from obstore import exceptions as obstore_errors

from s3duct.domain.durations import format_duration
from s3duct.domain.errors import (
    AccessDenied,
    BucketNotFound,
    CredentialsExpired,
    ObjectExists,
    ObjectNotFound,
    OperationUnsupported,
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
_FOREIGN_KEY = "object with invalid path"
_WRONG_REGION = "incorrectly configured region"
_LONGEST_TEXT = 300
_UNREACHABLE_HINT = "check --endpoint-url and the network"
# What obstore says around the reason: which request, how long it took, how it was retried.
_REQUEST = re.compile(
    r"^Generic \S+ error: (?:Error performing list request: )?Error performing \w+ (\w+://[^/\s]+)\S* in .*? - "
)
_GENERIC = re.compile(r"^Generic \S+ error: (?:Unable to extract metadata from headers: )?")
# What web pages lack.
_NO_S3_ANSWER = re.compile(r"Header missing from response|invalid list response")

_DENIED_HINTS = {
    "SignatureDoesNotMatch": "the secret key is wrong, or a proxy changed the request",
    "InvalidAccessKeyId": "the access key is not known to this store",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "InvalidToken": "the session token is malformed, or belongs to another key",
    "AccessDenied": "the credentials lack a permission for this bucket",
}
# botocore's list (botocore.retries.standard), what others send in its place, and RequestTimeout: the line is too narrow for
# so many uploads at once, so that one of them stood still for too long.
_THROTTLE_CODES = {
    *("SlowDown", "TooManyRequests", "TooManyRequestsException", "ErrTooManyRequest", "RequestThrottled"),
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException"),
    *("RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "PriorRequestNotComplete"),
    "RequestTimeout",
}
# A 400 that is about the pace, whatever its code (Wasabi).
_THROTTLE_WORDS = re.compile(r"(?i)request rate|rate limit|too many requests|slow ?down|throttl")
# The last three: bytes were changed or lost on their way.
_TRANSIENT_CODES = {
    "InternalError",
    "ServiceUnavailable",
    "BadDigest",
    "IncompleteBody",
    "XAmzContentSHA256Mismatch",
}
_CONFLICT_CODES = {"ConditionalRequestConflict", "OperationAborted"}
_EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_DENIED = (obstore_errors.PermissionDeniedError, obstore_errors.UnauthenticatedError, PermissionError)
_DENIED_STATUSES = {401, 403}
_THROTTLE_STATUSES = {429, 503}
_NO_ANSWER_STATUSES = {0, 408}  # 0: the text holds none
# Why there was no answer stands in obstore's debug part alone.
_OS_REASON = re.compile(r'kind: \w+,\s+message: "([^"]{1,100})"')
_DNS_REASON = re.compile(r'error: "failed to lookup address information: ([^"]{1,100})"')
_TIMED_OUT = re.compile(r"kind: Timeout|TimedOut")
_BAD_CERTIFICATE = re.compile(r"invalid peer certificate: ([A-Za-z]{1,40})")
_ENDPOINT = re.compile(r"Error performing \w+ (\w+://[^/\s]+)")
# Of RequestTimeTooSkewed, as AWS sends it; obstore shows no header, so no Date either.
_REQUEST_TIME = re.compile(r"<RequestTime>(\d{8}T\d{6}Z)</RequestTime>")
_SERVER_TIME = re.compile(r"<ServerTime>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z</ServerTime>")
_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501
_NOT_ALLOWED = 405
_UNSUPPORTED_CODES = {"NotImplemented", "MethodNotAllowed"}
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
    return (
        _by_code(code, key, detail, text)
        or _by_class(error, status, key, detail)
        or _by_text(text, code, status, detail)
    )


def translate_answer(status: int, code: str, message: str, *, key: str) -> S3ductError:
    """Return the domain error for an answer of S3 over `key`, as another client than obstore has parsed it."""
    if code in _UNSUPPORTED_CODES or status in (_NOT_IMPLEMENTED, _NOT_ALLOWED):
        return OperationUnsupported(f"the store does not implement this: {code or f'HTTP {status}'}")
    text = " ".join(message.split())[:_LONGEST_TEXT]
    detail = f"{code}: {text}".rstrip(": .") if code and text else code or f"HTTP {status}"
    if by_code := _by_code(code, key, detail, ""):
        return by_code
    if status in _DENIED_STATUSES:
        return AccessDenied(f"access denied: {detail}", hint=_DENIED_HINTS["AccessDenied"])
    return _by_text("", code, status, detail)


def is_condition_unsupported(error: Exception) -> bool:
    """Whether the store does not implement conditional writes (Backblaze B2 answers 501)."""
    unsupported = isinstance(error, obstore_errors.NotSupportedError | NotImplementedError)
    return unsupported or _first_int(_STATUS, str(error)) == _NOT_IMPLEMENTED


def _by_code(code: str, key: str, detail: str, text: str) -> S3ductError | None:
    """What S3 says of itself is the surest sign, whatever the status."""
    if code == "NoSuchBucket":
        return BucketNotFound("the bucket does not exist", hint="check --bucket, --endpoint-url and --region")
    if code == "InvalidObjectState":
        return StoreError(
            f"the object {key!r} is archived", hint="restore it first (Glacier), then try again"
        )
    if code in _EXPIRED_CODES:
        hint = "renew them, for example with aws sso login"
        return CredentialsExpired(f"the credentials have expired: {detail}", hint=hint)
    if code == "NoSuchUpload":
        return StoreUnavailable("the upload in parts is gone: somebody or a lifecycle rule has aborted it")
    if code in _CONFLICT_CODES:
        return StoreUnavailable(f"the store was busy with the same object: {detail}")
    if code in _DENIED_HINTS:
        hint = _clock_hint(text) if code == "RequestTimeTooSkewed" else ""
        return AccessDenied(f"access denied: {detail}", hint=hint or _DENIED_HINTS[code])
    return None


def _by_class(error: Exception, status: int, key: str, detail: str) -> S3ductError | None:
    if isinstance(error, _DENIED) or status in _DENIED_STATUSES:
        return AccessDenied(f"access denied: {detail}", hint=_DENIED_HINTS["AccessDenied"])
    if isinstance(error, FileNotFoundError | obstore_errors.NotFoundError):
        return ObjectNotFound(f"there is no object {key!r}")
    if isinstance(error, obstore_errors.AlreadyExistsError | obstore_errors.PreconditionError):
        return ObjectExists(f"the object {key!r} exists already")
    if isinstance(error, obstore_errors.InvalidPathError) and _FOREIGN_KEY in str(error):
        hint = "list a part of it with --prefix"
        return StoreError(f"the bucket holds an object whose key cannot be handled: {detail}", hint=hint)
    if isinstance(error, obstore_errors.InvalidPathError | ValueError | TypeError):
        return UsageError(f"the store cannot hold the key {key!r}: {detail}")
    return None


def _by_text(text: str, code: str, status: int, detail: str) -> S3ductError:
    if _WRONG_REGION in text:
        hint = "the bucket is in another region: give it as --region"
        return StoreError("the store redirects without saying where to", hint=hint)
    if code in _THROTTLE_CODES or status in _THROTTLE_STATUSES:
        return StoreThrottled(f"the store asks to slow down: {detail}")
    if status == _CLIENT_ERROR and _THROTTLE_WORDS.search(detail):
        return StoreThrottled(f"the store asks to slow down: {detail}")
    if not status and (unheard := _without_status(text, detail)):
        return unheard
    if code in _TRANSIENT_CODES or status >= _SERVER_ERROR or status in _NO_ANSWER_STATUSES:
        return StoreUnavailable(f"the store cannot be reached or failed: {detail}", hint=_UNREACHABLE_HINT)
    if status >= _CLIENT_ERROR:
        return StoreError(f"the store refused the request: {detail}")
    return StoreError(
        f"the store gave an unexpected answer: {detail}", hint="check --region and --endpoint-url"
    )


def _without_status(text: str, detail: str) -> S3ductError | None:
    """Nothing came back, or nothing that S3 would say."""
    if certificate := _first(_BAD_CERTIFICATE, text):
        hint = "check --endpoint-url, and the certificates that this machine trusts"
        return StoreError(f"the store's certificate is not valid here: {certificate}", hint=hint)
    if reason := no_answer_reason(text):
        endpoint = _first(_ENDPOINT, text)
        at = f" at {endpoint}" if endpoint else ""
        return StoreUnavailable(f"the store{at} does not answer ({reason})", hint=_UNREACHABLE_HINT)
    if _NO_S3_ANSWER.search(text):
        hint = "check --endpoint-url (is it the S3 port, and not a web page?) and proxies on the way"
        return StoreUnavailable(f"what answers does not speak S3: {detail}", hint=hint)
    return None


def _describe(text: str, status: int, code: str) -> str:
    """One line without obstore's debug part; S3's own words where there are some."""
    if code:
        message = _first(_MESSAGE, text)
        return f"{code}: {message}".rstrip(": .") if message else code
    if status:
        return f"HTTP {status}"
    line = " ".join(_DEBUG.sub("", text).split())
    line = _GENERIC.sub("", _REQUEST.sub(r"\1: ", line))
    return line[:_LONGEST_TEXT] or "no details"


def no_answer_reason(text: str) -> str:
    """Why nothing came back, in the words of the operating system; empty if that cannot be told."""
    reason = _first(_OS_REASON, text) or _first(_DNS_REASON, text)
    if not reason and _TIMED_OUT.search(text):
        return "timed out"
    return reason[:1].lower() + reason[1:]


def _clock_hint(text: str) -> str:
    """By how much this machine's clock is wrong, where the answer says what time it is there."""
    sent, received = _first(_REQUEST_TIME, text), _first(_SERVER_TIME, text)
    try:
        here = datetime.strptime(sent, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        there = datetime.fromisoformat(received).replace(tzinfo=UTC)
    except ValueError:
        return ""
    behind_s = (there - here).total_seconds()
    direction = "behind" if behind_s > 0 else "ahead of"
    return f"this machine's clock is {format_duration(abs(behind_s))} {direction} the store's: set it"


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return " ".join(match[1].split()) if match else ""


def _first_int(pattern: re.Pattern[str], text: str) -> int:
    return int(_first(pattern, text) or 0)
