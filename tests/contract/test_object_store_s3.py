"""What goes over the wire to S3: where to, how addressed, how signed, and in which parts."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.object_store.s3 import (
    AddressingStyle,
    S3ObjectStore,
    S3Settings,
    parse_addressing_style,
)
from s3duct.domain.errors import StoreUnavailable, UsageError
from s3duct.domain.ports.object_store import PARTS_IN_FLIGHT
from tests.contract.object_stores import MIB, PART_BYTES, FixedCredentials, pieces_of
from tests.fakes.scripted_s3 import Answer, Reply, Request, ScriptedS3

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from s3duct.domain.ports.object_store import Bytes

OK = Answer(200, headers={"etag": '"e"'})
SECRET = "explicit-secret"


def open_store(
    endpoint_url: str | None, *, bucket: str = "bucket", addressing: AddressingStyle = AddressingStyle.PATH
) -> S3ObjectStore:
    settings = S3Settings(bucket, "eu-west-3", endpoint_url, addressing)
    return S3ObjectStore(settings, FixedCredentials("AKIDEXPLICIT", SECRET))


def put_at(store: S3ObjectStore, data: bytes = b"content") -> None:
    async def scenario() -> None:
        await store.put("the/key with ü", data)

    asyncio.run(scenario())


# --- addressing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("addressing", [AddressingStyle.PATH, AddressingStyle.AUTO])
@pytest.mark.parametrize(
    ("prefix", "expected"), [("", ""), ("/", ""), ("/pre/fix", "/pre/fix"), ("/pre/", "/pre")]
)
def test_path_style_puts_the_bucket_into_the_path(
    addressing: AddressingStyle, prefix: str, expected: str
) -> None:
    with ScriptedS3(lambda _: OK) as server:
        put_at(open_store(server.endpoint_url + prefix, addressing=addressing))
    (request,) = server.requests
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.path == f"{expected}/bucket/the/key with ü"


@pytest.mark.parametrize(("prefix", "expected"), [("", ""), ("/pre/fix/", "/pre/fix")])
def test_virtual_style_puts_the_bucket_in_front_of_the_host(
    monkeypatch: pytest.MonkeyPatch, prefix: str, expected: str
) -> None:
    # A proxy is asked for the name as it is: no name server is needed.
    with ScriptedS3(lambda _: OK) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint_url)
        put_at(open_store("http://store.example:9000" + prefix, addressing=AddressingStyle.VIRTUAL))
    (request,) = proxy.requests
    assert request.headers["host"] == "bucket.store.example:9000"
    assert request.path == f"{expected}/the/key with ü"


@pytest.mark.parametrize(
    ("bucket", "addressing", "host"),
    [
        ("bucket", AddressingStyle.AUTO, "bucket.s3.eu-west-3.amazonaws.com:443"),
        ("bucket", AddressingStyle.VIRTUAL, "bucket.s3.eu-west-3.amazonaws.com:443"),
        ("bucket", AddressingStyle.PATH, "s3.eu-west-3.amazonaws.com:443"),
        ("with.dots", AddressingStyle.AUTO, "s3.eu-west-3.amazonaws.com:443"),
    ],
)
def test_without_an_endpoint_aws_is_asked_over_https(
    monkeypatch: pytest.MonkeyPatch, bucket: str, addressing: AddressingStyle, host: str
) -> None:
    with ScriptedS3(lambda _: Answer(403)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint_url)
        with pytest.raises(StoreUnavailable):
            put_at(open_store(None, bucket=bucket, addressing=addressing))
    assert {(request.method, request.target) for request in proxy.requests} == {("CONNECT", host)}


@pytest.mark.parametrize(
    "url", ["", "localhost:9000", "ftp://host", "http://", "//host", "s3://bucket", "https:host"]
)
def test_an_endpoint_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="endpoint") as caught:
        open_store(url)
    assert caught.value.hint


@pytest.mark.parametrize("url", ["http://[::1", "http://host:port", "http://host:99999"])
def test_an_endpoint_that_is_a_broken_url_is_refused_in_our_own_words(url: str) -> None:
    with pytest.raises(UsageError, match="endpoint"):
        open_store(url)


def test_addressing_styles_are_parsed() -> None:
    assert [parse_addressing_style(style.value) for style in AddressingStyle] == list(AddressingStyle)
    with pytest.raises(UsageError) as caught:
        parse_addressing_style("sideways")
    assert all(style.value in caught.value.hint for style in AddressingStyle)


# --- the environment -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT", "http://127.0.0.1:1"),
        ("AWS_REGION", "us-west-1"),
        ("AWS_DEFAULT_REGION", "us-west-1"),
        ("AWS_BUCKET", "another"),
        ("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "environment-secret"),
        ("AWS_SESSION_TOKEN", "environment-token"),
        ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true"),
        ("AWS_SKIP_SIGNATURE", "true"),
        ("AWS_UNSIGNED_PAYLOAD", "true"),
        ("AWS_S3_EXPRESS", "true"),
        ("AWS_CONDITIONAL_PUT", "disabled"),
    ],
)
def test_no_variable_changes_where_a_request_goes_or_how_it_is_signed(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with ScriptedS3(lambda _: OK) as server:
        store = open_store(server.endpoint_url)
        put_at(store, b"content")

        async def scenario() -> None:
            await store.put("created", b"content", create_only=True)

        asyncio.run(scenario())
    request, create = server.requests
    assert request.path == "/bucket/the/key with ü"
    assert "/eu-west-3/s3/aws4_request" in request.headers["authorization"]
    assert "Credential=AKIDEXPLICIT/" in request.headers["authorization"]
    assert request.headers["x-amz-content-sha256"] == hashlib.sha256(b"content").hexdigest()
    assert "x-amz-security-token" not in request.headers
    assert create.headers["if-none-match"] == "*"


# --- what is sent --------------------------------------------------------------------------------------------------


def test_a_put_is_one_request_without_extras() -> None:
    with ScriptedS3(lambda _: OK) as server:
        put_at(open_store(server.endpoint_url))
    (request,) = server.requests
    assert (request.method, request.query, request.body) == ("PUT", "", b"content")
    # Stores refuse what they do not know: tags, storage classes and checksums are sent only where asked for.
    assert {name for name in request.headers if name.startswith("x-amz-")} == {
        "x-amz-content-sha256",
        "x-amz-date",
    }
    assert "if-none-match" not in request.headers


class _Multipart:
    """Plays a multipart upload; holds every part back until `go`, and counts how many are under way."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.most = 0
        self.go = threading.Event()
        self._under_way = 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        if request.method == "POST" and "uploads" in request.query:
            return Answer(
                body=b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            )
        if request.method == "HEAD":
            size_bytes = sum(self.sizes.values())
            return Answer(headers={"etag": "e-9"}, promised_bytes=size_bytes)
        if request.method == "POST":
            return Answer(
                body=b"<CompleteMultipartUploadResult><ETag>e-9</ETag></CompleteMultipartUploadResult>"
            )
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        self.go.wait(timeout=30)
        with self._lock:
            self._under_way -= 1
            number = int(request.query.split("partNumber=")[1].split("&")[0])
            self.sizes[number] = len(request.body)
        return OK


def test_parts_are_equal_and_few_at_once_and_the_pieces_wait_for_them() -> None:
    played = _Multipart()
    pulled = 0

    async def pieces() -> AsyncIterator[Bytes]:
        nonlocal pulled
        for _ in range(60):
            pulled += MIB
            yield bytes(MIB)
        yield b"the rest"

    async def scenario() -> None:
        nonlocal pulled
        upload = asyncio.ensure_future(
            open_store(server.endpoint_url).put_parts("the/key", pieces(), part_bytes=PART_BYTES)
        )
        deadline = time.monotonic() + 20
        while played.most < PARTS_IN_FLIGHT and time.monotonic() < deadline:  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # time enough to pull all of it
        # What may be out of the source: the parts under way, the one being filled, and the piece in hand.
        assert pulled <= (PARTS_IN_FLIGHT + 1) * PART_BYTES + MIB
        played.go.set()
        stored = await upload
        assert (stored.size_bytes, stored.etag) == (60 * MIB + 8, "e-9")

    with ScriptedS3(played) as server:
        asyncio.run(scenario())
    assert played.sizes == {**dict.fromkeys(range(1, 13), PART_BYTES), 13: 8}
    assert played.most <= PARTS_IN_FLIGHT


def test_the_storage_class_goes_into_the_first_request_of_a_multipart_upload() -> None:
    played = _Multipart()
    played.go.set()

    async def scenario(storage_class: str | None) -> None:
        store = open_store(server.endpoint_url)
        await store.put_parts("k", pieces_of(b"x"), part_bytes=PART_BYTES, storage_class=storage_class)

    for storage_class in ("GLACIER", None):
        with ScriptedS3(played) as server:
            asyncio.run(scenario(storage_class))
        first, *rest = server.requests
        assert first.headers.get("x-amz-storage-class") == storage_class
        assert all("x-amz-storage-class" not in request.headers for request in rest)
