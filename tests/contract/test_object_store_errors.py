"""Every failure of a store comes out as one of the domain's errors: what S3 says, and what it fails to say."""

from __future__ import annotations

import asyncio
import functools
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.object_store import s3
from s3duct.adapters.object_store.s3 import AddressingStyle, S3ObjectStore, S3Settings
from s3duct.domain.errors import (
    AccessDenied,
    BucketNotFound,
    CredentialsError,
    CredentialsExpired,
    CredentialsUnavailable,
    NotFound,
    ObjectExists,
    ObjectNotFound,
    S3ductError,
    StoreError,
    StoreThrottled,
    StoreUnavailable,
)
from tests.contract.object_stores import (
    PART_BYTES,
    TRAITS,
    FixedCredentials,
    keys_under,
    pieces_of,
    read_all,
    s3_store,
)
from tests.fakes.scripted_s3 import (
    Answer,
    Reply,
    Request,
    Reset,
    ScriptedS3,
    Stall,
    StallInBody,
    error_answer,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from obstore.store import S3Credential

    from s3duct.domain.ports.object_store import ObjectStore
    from tests.servers import S3Server

SECRET = "wJalrXUtnFEMI-never-to-be-shown"
TOKEN = "FwoGZXIvYXdzE-never-to-be-shown"

CALLS: dict[str, Callable[[ObjectStore], Awaitable[object]]] = {
    "put": lambda store: store.put("the/key", b"x"),
    "create": lambda store: store.put("the/key", b"x", create_only=True),
    "put_parts": lambda store: store.put_parts("the/key", pieces_of(b"x"), part_bytes=PART_BYTES),
    "get": lambda store: read_all(store, "the/key"),
    "head": lambda store: store.head("the/key"),
    "list": lambda store: keys_under(store, "the/"),
    "delete": lambda store: store.delete("the/key"),
}
# S3 sends no body, so no code, in answer to HEAD.
SPEAKING = [call for call in CALLS if call != "head"]


@dataclass(frozen=True, slots=True)
class Case:
    """An answer to every request, and what has to become of it; HEAD, whose answers have no body, asks again with GET."""

    reply: Reply
    expected: type[S3ductError]
    hint: str = ""
    says: str = ""


CASES = {
    "503 SlowDown": Case(
        error_answer(503, "SlowDown", "Reduce your request rate."), StoreThrottled, says="SlowDown"
    ),
    "503 without a body": Case(Answer(503), StoreThrottled, says="503"),
    "429": Case(error_answer(429, "TooManyRequests", "Slower"), StoreThrottled),
    "400 SlowDown (Wasabi)": Case(error_answer(400, "SlowDown", "Slower"), StoreThrottled),
    "500": Case(error_answer(500, "InternalError", "We failed."), StoreUnavailable, says="InternalError"),
    "502 from a proxy": Case(Answer(502, b"<html>\n<p>Bad\n</html>"), StoreUnavailable, says="502"),
    "400 RequestTimeout": Case(
        error_answer(400, "RequestTimeout", "Your socket\nwas idle."), StoreThrottled, says="was idle"
    ),
    "400 ExpiredToken": Case(
        error_answer(400, "ExpiredToken", "The token has expired.", extra=f"<Token-0>{TOKEN}</Token-0>"),
        CredentialsExpired,
        hint="renew",
    ),
    "400 AuthorizationHeaderMalformed": Case(
        error_answer(400, "AuthorizationHeaderMalformed", "the region is wrong; expecting 'eu-west-1'"),
        StoreError,
        says="eu-west-1",
    ),
    "401": Case(error_answer(401, "Unauthorized", "Who?"), AccessDenied, hint="permission"),
    "403 AccessDenied": Case(
        error_answer(403, "AccessDenied", "Access Denied"), AccessDenied, hint="permission"
    ),
    "403 SignatureDoesNotMatch": Case(
        # AWS repeats what was signed, and with temporary credentials that holds the session token.
        error_answer(
            403,
            "SignatureDoesNotMatch",
            "The signature does not match.",
            extra=f"<CanonicalRequest>PUT\nx-amz-security-token:{TOKEN}\n</CanonicalRequest>",
        ),
        AccessDenied,
        hint="secret key",
    ),
    "403 RequestTimeTooSkewed": Case(
        error_answer(403, "RequestTimeTooSkewed", "Too large."), AccessDenied, hint="clock"
    ),
    "403 RequestTimeTooSkewed, as AWS sends it": Case(
        error_answer(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            extra="<RequestTime>20261124T224923Z</RequestTime><ServerTime>2026-11-25T00:49:53Z</ServerTime>",
        ),
        AccessDenied,
        hint="2 h behind the store's",
    ),
    "400 InvalidToken": Case(error_answer(400, "InvalidToken", "Malformed."), AccessDenied, hint="session token"),
    "400 of a store that limits the rate in words of its own": Case(
        error_answer(400, "InvalidRequest", "Please reduce your request rate."), StoreThrottled
    ),
    "400 BadDigest": Case(error_answer(400, "BadDigest", "Changed on its way."), StoreUnavailable),
    "403 InvalidAccessKeyId": Case(
        error_answer(403, "InvalidAccessKeyId", "No such key."), AccessDenied, hint="access key"
    ),
    "404 NoSuchBucket": Case(
        error_answer(404, "NoSuchBucket", "None."), BucketNotFound, hint="--bucket"
    ),
    "400 KeyTooLongError": Case(
        error_answer(400, "KeyTooLongError", "Too long."), StoreError, says="KeyTooLong"
    ),
    "301 PermanentRedirect": Case(
        error_answer(301, "PermanentRedirect", "Use the specified endpoint."), StoreError, hint="--region"
    ),
    "reset": Case(Reset(), StoreUnavailable),
}  # fmt: skip


def store_at(endpoint_url: str) -> S3ObjectStore:
    settings = S3Settings("bucket", "us-east-1", endpoint_url, AddressingStyle.PATH)
    return S3ObjectStore(settings, FixedCredentials("AKIDEXAMPLE", SECRET, TOKEN))


async def _failures(endpoint_url: str) -> dict[str, BaseException | None]:
    """What becomes of each call, over a store of its own."""
    results = await asyncio.gather(
        *(call(store_at(endpoint_url)) for call in CALLS.values()), return_exceptions=True
    )
    return {
        name: result if isinstance(result, BaseException) else None
        for name, result in zip(CALLS, results, strict=True)
    }


@functools.cache  # a case takes half a second where the vendor retries
def failures_of(case: str) -> dict[str, BaseException | None]:
    with ScriptedS3(lambda _: CASES[case].reply) as server:
        return asyncio.run(_failures(server.endpoint_url))


def checked(error: BaseException | None) -> S3ductError:
    """Check what holds for every error of the domain."""
    assert isinstance(error, S3ductError), f"a vendor's exception escaped: {error!r}"
    for text in (error.message, error.hint):
        assert "\n" not in text
        assert not text.endswith(".")
    assert error.message
    assert error.message[0].islower()
    for secret in (SECRET, TOKEN):
        assert secret not in error.message + error.hint + repr(error)
    return error


@pytest.mark.parametrize("call", SPEAKING)
@pytest.mark.parametrize("case", CASES)
def test_what_a_store_says_becomes_an_error_of_the_domain(case: str, call: str) -> None:
    error = checked(failures_of(case)[call])
    expected = CASES[case]
    assert type(error) is expected.expected
    assert error.retryable is expected.expected.retryable
    assert expected.hint in error.hint
    assert expected.says in error.message


@pytest.mark.parametrize("case", CASES)
def test_head_hears_the_reason_all_the_same(case: str) -> None:
    error = checked(failures_of(case)["head"])
    expected = CASES[case].expected
    assert type(error) is (ObjectNotFound if expected is BucketNotFound else expected)
    assert expected is BucketNotFound or CASES[case].hint in error.hint


@pytest.mark.parametrize("case", CASES)
def test_no_secret_is_in_the_chain_of_causes(case: str) -> None:
    for error in failures_of(case).values():
        text = "".join(traceback.format_exception(error)) if error is not None else ""
        assert SECRET not in text
        assert TOKEN not in text


@pytest.mark.parametrize("call", ["put", "create", "put_parts"])
def test_what_is_written_cannot_be_missing_but_the_bucket_can(call: str) -> None:
    with ScriptedS3(lambda _: Answer(404, b"<html>not here</html>")) as server:
        error = checked(asyncio.run(_failures(server.endpoint_url))[call])
    assert type(error) is BucketNotFound
    assert "--endpoint-url" in error.hint


def test_an_upload_in_parts_that_somebody_has_aborted_is_worth_a_retry() -> None:
    with ScriptedS3(lambda _: error_answer(404, "NoSuchUpload", "It may have been aborted.")) as server:
        error = checked(asyncio.run(_failures(server.endpoint_url))["put_parts"])
    assert type(error) is StoreUnavailable
    assert "aborted" in error.message


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_a_conflict_with_another_request_is_worth_a_retry(code: str) -> None:
    # Amazon S3 API Reference, PutObject: "409 Conflict … you should retry the upload"; the object need not exist.
    with ScriptedS3(lambda _: error_answer(409, code, "Try again.")) as server:
        failures = asyncio.run(_failures(server.endpoint_url))
    for call in SPEAKING:
        assert isinstance(checked(failures[call]), StoreUnavailable), call


def test_an_archived_object_is_not_a_matter_of_permissions() -> None:
    reply = error_answer(
        403, "InvalidObjectState", "The operation is not valid for the object's storage class"
    )
    with ScriptedS3(lambda _: reply) as server:
        error = checked(asyncio.run(_failures(server.endpoint_url))["get"])
    assert not error.retryable
    assert "permission" not in error.hint


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00\xff no text\r\n\n", b"<a>&<", b"x" * 100_000],
    ids=["none", "binary", "broken", "long"],
)
@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_whatever_a_server_answers_no_vendor_exception_escapes(status: int, body: bytes) -> None:
    with ScriptedS3(lambda _: Answer(status, body)) as server:
        failures = asyncio.run(_failures(server.endpoint_url))
    for call, error in failures.items():
        if error is None:
            assert status == 200 or call == "delete"
        else:
            assert len(checked(error).message) < 600
    for call in ("put", "create", "put_parts", "list"):
        assert failures[call] is not None  # an answer that says nothing acknowledges nothing


@pytest.mark.parametrize("call", ["put", "list"])
def test_a_web_page_is_told_from_a_store_that_is_not_there(call: str) -> None:
    body = b"" if call == "list" else b"<html><p>Please log in.</p></html>"
    with ScriptedS3(lambda _: Answer(200, body)) as server, pytest.raises(StoreUnavailable) as caught:
        asyncio.run(_awaited(CALLS[call](store_at(server.endpoint_url))))
    message = checked(caught.value).message
    assert message.startswith("what answers does not speak S3: ")
    assert "Generic" not in message
    assert "web page" in caught.value.hint


def test_a_listing_that_fails_is_told_without_its_query() -> None:
    with ScriptedS3(lambda request: Answer(301, b"", {"location": request.target})) as server:
        error = checked(asyncio.run(_failures(server.endpoint_url))["list"])
    assert error.message.endswith(f"{server.endpoint_url}: HTTP error: error following redirect")
    assert "Generic" not in error.message


# --- create-only ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [False, True])
def test_where_conditions_are_not_implemented_create_only_looks_first(taken: bool) -> None:
    def script(request: Request) -> Reply:
        if request.method == "PUT" and "if-none-match" in request.headers:
            return error_answer(501, "NotImplemented", "A header you provided implies functionality …")
        if request.method == "HEAD":
            return Answer(200 if taken else 404, headers={"last-modified": "Tue, 01 Dec 2026 00:00:00 GMT"})
        return Answer(200, headers={"etag": '"e"'})

    with ScriptedS3(script) as server:
        store = store_at(server.endpoint_url)
        if taken:
            with pytest.raises(ObjectExists):
                asyncio.run(store.put("the/key", b"x", create_only=True, storage_class="GLACIER"))
        else:
            asyncio.run(store.put("the/key", b"x", create_only=True, storage_class="GLACIER"))
    plain = [request for request in server.requests if "if-none-match" not in request.headers]
    assert [request.method for request in plain] == (["HEAD"] if taken else ["HEAD", "PUT"])
    assert taken or plain[-1].headers["x-amz-storage-class"] == "GLACIER"


def test_create_only_sends_its_condition() -> None:
    refusing = ScriptedS3(lambda _: error_answer(412, "PreconditionFailed", "It exists."))
    with refusing as server, pytest.raises(ObjectExists) as caught:
        asyncio.run(_awaited(CALLS["create"](store_at(server.endpoint_url))))
    checked(caught.value)
    assert server.requests[0].headers["if-none-match"] == "*"


# --- servers that do not answer, or not to the end -----------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS)
def test_a_dead_endpoint_is_unavailable_soon(call: str) -> None:
    with ScriptedS3(lambda _: Answer()) as server:
        endpoint_url = server.endpoint_url  # nobody listens there any more
    started = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        asyncio.run(_awaited(CALLS[call](store_at(endpoint_url))))
    assert time.monotonic() - started < 15
    assert checked(caught.value).retryable
    assert "endpoint" in caught.value.hint
    assert caught.value.message == f"the store at {endpoint_url} does not answer (connection refused)"


async def _awaited(result: Awaitable[object]) -> object:
    return await result


def test_a_server_that_stalls_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_PATIENCE_S", 0.2)
    with ScriptedS3(lambda _: Stall()) as server:
        failures = asyncio.run(_failures(server.endpoint_url))
    for error in failures.values():
        assert type(checked(error)) is StoreUnavailable
        assert "does not answer (timed out)" in checked(error).message


@pytest.mark.parametrize(
    "reply",
    [
        Answer(200, b"abc", {"etag": '"e"', "last-modified": "Tue, 01 Dec 2026 00:00:00 GMT"}, promised_bytes=10),
        Answer(200, b"", {"last-modified": "Tue, 01 Dec 2026 00:00:00 GMT"}, promised_bytes=10),
        StallInBody(b"abc", promised_bytes=10),
    ],
    ids=["cut off", "cut off at once", "stalls"],
)  # fmt: skip
def test_an_object_that_does_not_come_to_its_end_is_never_taken_for_whole(
    reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PATIENCE_S", 0.2)
    with ScriptedS3(lambda _: reply) as server, pytest.raises(StoreUnavailable) as caught:
        asyncio.run(read_all(store_at(server.endpoint_url), "the/key"))
    assert checked(caught.value).retryable


# --- multipart -----------------------------------------------------------------------------------------------------


def _multipart(request: Request, *, part: Reply, complete: Reply) -> Reply:
    if request.method == "POST" and "uploads" in request.query:
        return Answer(
            body=b"<InitiateMultipartUploadResult><UploadId>the-upload</UploadId></InitiateMultipartUploadResult>"
        )
    if request.method == "POST":
        return complete
    return part if request.method == "PUT" else Answer(204)


@pytest.mark.parametrize(
    ("part", "complete", "expected"),
    [
        (error_answer(403, "AccessDenied", "No."), Answer(), AccessDenied),
        (error_answer(400, "ExpiredToken", "Old."), Answer(), CredentialsExpired),
        (Answer(headers={"etag": '"p"'}), error_answer(403, "AccessDenied", "No."), AccessDenied),
        # Amazon S3 API Reference, CompleteMultipartUpload: 200 may be sent before the work fails.
        (Answer(headers={"etag": '"p"'}), error_answer(200, "InternalError", "Late."), StoreUnavailable),
    ],
    ids=["part refused", "token expires", "completion refused", "completion fails late"],
)
def test_a_multipart_upload_that_fails_is_aborted(
    part: Reply, complete: Reply, expected: type[S3ductError]
) -> None:
    async def upload() -> None:
        store = store_at(server.endpoint_url)
        await store.put_parts("the/key", pieces_of(bytes(7 << 20)), part_bytes=PART_BYTES)

    failing = ScriptedS3(lambda request: _multipart(request, part=part, complete=complete))
    with failing as server, pytest.raises(S3ductError) as caught:
        asyncio.run(upload())
    assert type(checked(caught.value)) is expected
    aborts = [request for request in server.requests if request.method == "DELETE"]
    assert [(request.path, request.query) for request in aborts] == [
        ("/bucket/the/key", "uploadId=the-upload")
    ]


# --- credentials ---------------------------------------------------------------------------------------------------


class _FailingProvider:
    """Fails as `AwsCredentialProvider` does: raises, and keeps what it raised."""

    def __init__(self, error: S3ductError) -> None:
        self.last_error: S3ductError | None = error

    def renew(self) -> None:
        """It would be of no use."""

    def __call__(self) -> S3Credential:
        assert self.last_error is not None
        raise self.last_error


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "error",
    [
        CredentialsError("no profile is called 'x'", hint="aws configure list-profiles"),
        CredentialsUnavailable("the metadata service is away", hint="wait"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_credential_provider_raises_comes_out(error: S3ductError, call: str) -> None:
    with ScriptedS3(lambda _: Answer()) as server:
        settings = S3Settings("bucket", "us-east-1", server.endpoint_url, AddressingStyle.PATH)
        store = S3ObjectStore(settings, _FailingProvider(error))
        with pytest.raises(S3ductError) as caught:
            asyncio.run(_awaited(CALLS[call](store)))
    found = checked(caught.value)
    assert (type(found), found.message, found.hint) == (type(error), error.message, error.hint)
    assert server.requests == []


# --- the real servers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("change", "hint"), [({"secret_key": SECRET}, "secret key"), ({"access_key": "UNKNOWNKEY"}, "access key")]
)
def test_wrong_credentials_are_denied(
    s3_server: S3Server, change: dict[str, str], hint: str, call: str
) -> None:
    with pytest.raises(AccessDenied) as caught:
        asyncio.run(_awaited(CALLS[call](s3_store(s3_server, **change))))
    error = checked(caught.value)
    assert not error.retryable
    assert s3_server.secret_key not in error.message + error.hint
    assert hint in error.hint or (call == "head" and error.hint)


def test_moto_checks_no_signatures(moto_s3: S3Server, unique_name: str) -> None:
    assert not TRAITS["moto_s3"].checks_signatures
    store = s3_store(moto_s3, secret_key=SECRET)
    asyncio.run(_awaited(store.put(unique_name, b"x")))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("server", ["rclone_s3", "moto_s3", "minio"])
def test_a_missing_bucket_is_not_found(request: pytest.FixtureRequest, server: str, call: str) -> None:
    assert not TRAITS[server].makes_buckets
    store = s3_store(request.getfixturevalue(server), bucket="no-such-bucket")
    with pytest.raises(NotFound) as caught:
        asyncio.run(_awaited(CALLS[call](store)))
    assert type(checked(caught.value)) is (ObjectNotFound if call == "head" else BucketNotFound)


def test_seaweedfs_makes_a_missing_bucket(seaweedfs: S3Server, unique_name: str) -> None:
    assert TRAITS["seaweedfs"].makes_buckets
    store = s3_store(seaweedfs, bucket=f"made-{unique_name[-8:]}")

    async def scenario() -> None:
        with pytest.raises(NotFound):
            await read_all(store, "the/key")
        await store.put("the/key", b"x")
        assert await read_all(store, "the/key") == b"x"

    asyncio.run(scenario())
