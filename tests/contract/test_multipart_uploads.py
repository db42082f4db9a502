"""What `ports.multipart_uploads` promises, over every adapter and the fake; and what goes over the wire to S3."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import botocore.session
import pytest

from s3duct.adapters.object_store.local_uploads import LocalMultipartUploads
from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.adapters.object_store.s3 import AddressingStyle, S3Settings
from s3duct.adapters.object_store.s3_uploads import S3MultipartUploads
from s3duct.app.pipeline.workers import run_apart
from s3duct.domain.errors import (
    AccessDenied,
    BucketNotFound,
    CredentialsExpired,
    OperationUnsupported,
    S3ductError,
    StoreError,
    StoreThrottled,
    StoreUnavailable,
    UsageError,
)
from s3duct.domain.ports.multipart_uploads import IncompleteUpload, MultipartUploads
from tests.contract.object_stores import SERVERS, FixedCredentials
from tests.fakes.hooked_store import HookedStore
from tests.fakes.multipart_uploads import FakeMultipartUploads
from tests.fakes.scripted_s3 import Answer, Reply, Request, Reset, ScriptedS3, error_answer
from tests.servers import S3Server

CASES = ["fake", "local", *SERVERS]


@dataclass(frozen=True, slots=True)
class UploadsUnderTest:
    """The uploads of a bucket, and how a process dies in the middle of one there."""

    uploads: MultipartUploads
    leave: Callable[[str], None]


def s3_uploads(
    endpoint_url: str,
    *,
    bucket: str = "bucket",
    credentials: FixedCredentials | None = None,
    addressing: AddressingStyle = AddressingStyle.PATH,
) -> S3MultipartUploads:
    settings = S3Settings(bucket, "us-east-1", endpoint_url, addressing)
    keys = credentials or FixedCredentials("AKIDEXPLICIT", "explicit-secret")
    return S3MultipartUploads(settings, keys, botocore.session.Session, apart=run_apart)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> UploadsUnderTest:
    if request.param == "fake":
        fake = FakeMultipartUploads(HookedStore(MemoryObjectStore()))
        return UploadsUnderTest(fake, fake.leave)
    if request.param == "local":
        return UploadsUnderTest(LocalMultipartUploads(tmp_path), lambda key: leave_file(tmp_path / key))
    server = request.getfixturevalue(request.param)
    assert isinstance(server, S3Server)
    client = server.client()

    def leave(key: str) -> None:
        upload = client.create_multipart_upload(Bucket=server.bucket, Key=key)["UploadId"]
        client.upload_part(Bucket=server.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"part")

    credentials = FixedCredentials(server.access_key, server.secret_key)
    return UploadsUnderTest(
        s3_uploads(server.endpoint_url, bucket=server.bucket, credentials=credentials), leave
    )


def leave_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while (leftover := path.with_name(f"{path.name}#{number}")).exists():
        number += 1
    leftover.write_bytes(b"part")


async def listed(uploads: MultipartUploads, prefix: str) -> list[IncompleteUpload]:
    return [upload async for upload in uploads.incomplete(prefix)]


def test_uploads_that_were_left_are_listed_and_aborted(case: UploadsUnderTest, unique_name: str) -> None:
    folder = f"{unique_name}/ü + x"
    for key in ("chunk-000000", "chunk-000000", "gen-01234567/chunk-000001"):
        case.leave(f"{folder}/{key}")
    case.leave(f"{folder}-2/chunk-000000")

    async def scenario() -> None:
        found = await listed(case.uploads, f"{folder}/")
        assert sorted(upload.key for upload in found) == [
            f"{folder}/chunk-000000",
            f"{folder}/chunk-000000",
            f"{folder}/gen-01234567/chunk-000001",
        ]
        assert len(set(found)) == 3
        for upload in found:
            await case.uploads.abort(upload)
            await case.uploads.abort(upload)  # it is over: no error
        assert await listed(case.uploads, f"{folder}/") == []
        assert await listed(case.uploads, f"{unique_name}/none/") == []
        (other,) = await listed(case.uploads, f"{unique_name}/")
        assert other.key == f"{folder}-2/chunk-000000"
        await case.uploads.abort(other)

    asyncio.run(scenario())


@pytest.mark.parametrize("server_name", SERVERS)
def test_an_object_under_the_key_stays(
    request: pytest.FixtureRequest, server_name: str, unique_name: str
) -> None:
    server = request.getfixturevalue(server_name)
    client = server.client()
    key = f"{unique_name}/chunk-000000"
    client.create_multipart_upload(Bucket=server.bucket, Key=key)
    client.put_object(Bucket=server.bucket, Key=key, Body=b"whole")
    uploads = s3_uploads(
        server.endpoint_url,
        bucket=server.bucket,
        credentials=FixedCredentials(server.access_key, server.secret_key),
    )

    async def scenario() -> None:
        for upload in await listed(uploads, f"{unique_name}/"):
            await uploads.abort(upload)

    asyncio.run(scenario())
    assert client.get_object(Bucket=server.bucket, Key=key)["Body"].read() == b"whole"


# --- on the wire ---------------------------------------------------------------------------------------------------


def page(*keys: str, following: str = "") -> Answer:
    """Make one page; `following` is where the next one begins."""
    uploads = "".join(f"<Upload><Key>{key}</Key><UploadId>id-{key}</UploadId></Upload>" for key in keys)
    marks = (
        f"<NextKeyMarker>{following}</NextKeyMarker><NextUploadIdMarker>id-{following}</NextUploadIdMarker>"
    )
    text = (
        f"<ListMultipartUploadsResult><IsTruncated>{str(bool(following)).lower()}</IsTruncated>"
        f"{marks if following else ''}{uploads}</ListMultipartUploadsResult>"
    )
    return Answer(200, text.encode(), {"content-type": "application/xml"})


def test_all_pages_are_read_and_both_marks_are_passed_on() -> None:
    pages = [page("a/1", "a/2", following="a/2"), page("a/3", following="a/3"), page("a/4")]
    with ScriptedS3(lambda _: pages.pop(0)) as server:
        found = asyncio.run(listed(s3_uploads(server.endpoint_url), "a/"))
        queries = [request.query for request in server.requests]
    assert [upload.key for upload in found] == ["a/1", "a/2", "a/3", "a/4"]
    assert "key-marker" not in queries[0]
    assert "prefix=a%2F" in queries[0]
    for query, mark in zip(queries[1:], ("a%2F2", "a%2F3"), strict=True):
        assert f"key-marker={mark}" in query
        assert f"upload-id-marker=id-{mark}" in query


def test_a_store_that_repeats_itself_is_no_endless_listing() -> None:
    with ScriptedS3(lambda _: page("a/1", following="a/1")) as server:
        assert len(asyncio.run(listed(s3_uploads(server.endpoint_url), "a/"))) == 2


def test_a_store_that_ignores_the_prefix_gives_out_no_others() -> None:
    with ScriptedS3(lambda _: page("b/1", "a/1")) as server:
        (found,) = asyncio.run(listed(s3_uploads(server.endpoint_url), "a/"))
    assert found.key == "a/1"


def test_no_such_upload_is_an_empty_list_and_an_abort_that_is_done() -> None:
    """rclone answers so to a listing, as long as its bucket has never seen an upload."""
    with ScriptedS3(lambda _: error_answer(404, "NoSuchUpload")) as server:
        uploads = s3_uploads(server.endpoint_url)
        assert asyncio.run(listed(uploads, "a/")) == []
        asyncio.run(uploads.abort(IncompleteUpload("a/1", "id")))


def test_an_abort_in_a_bucket_that_is_not_there_fails() -> None:
    with (
        ScriptedS3(lambda _: error_answer(404, "NoSuchBucket")) as server,
        pytest.raises(BucketNotFound),
    ):
        asyncio.run(s3_uploads(server.endpoint_url).abort(IncompleteUpload("a/1", "id")))


ANSWERS: dict[str, tuple[Reply, type[S3ductError]]] = {
    "501": (error_answer(501, "NotImplemented", "A header you provided"), OperationUnsupported),
    "405": (error_answer(405, "MethodNotAllowed"), OperationUnsupported),
    "501 without a code": (Answer(501), OperationUnsupported),
    "denied": (error_answer(403, "AccessDenied", "no s3:ListBucketMultipartUploads"), AccessDenied),
    "403 without a code": (Answer(403), AccessDenied),
    "no such bucket": (error_answer(404, "NoSuchBucket"), BucketNotFound),
    "slow down": (error_answer(503, "SlowDown"), StoreThrottled),
    "500": (error_answer(500, "InternalError"), StoreUnavailable),
    "400": (error_answer(400, "InvalidArgument"), StoreError),
    "reset": (Reset(), StoreUnavailable),
    "no XML": (Answer(200, b"<html>"), StoreUnavailable),  # a proxy's page, say
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_failure_is_one_of_the_domain_and_nothing_is_tried_twice(name: str) -> None:
    reply, error = ANSWERS[name]
    with ScriptedS3(lambda _: reply) as server:
        with pytest.raises(error) as caught:
            asyncio.run(listed(s3_uploads(server.endpoint_url), "a/"))
        assert len(server.requests) == 1
    assert type(caught.value) is error
    assert caught.value.__cause__ is None
    assert "\n" not in caught.value.message


def test_a_store_that_is_not_there_is_unavailable() -> None:
    with ScriptedS3(lambda _: Reset()) as server:
        gone = server.endpoint_url
    with pytest.raises(StoreUnavailable):
        asyncio.run(listed(s3_uploads(gone), "a/"))


class Renewing(FixedCredentials):
    """Hands out others once it was told to."""

    def renew(self) -> None:
        """Others from now on."""
        super().__init__("AKIDRENEWED", "another-secret", "token")


def test_expired_credentials_are_renewed_for_the_next_try() -> None:
    def reply(request: Request) -> Reply:
        if "AKIDRENEWED" in request.headers["authorization"]:
            assert request.headers["x-amz-security-token"] == "token"
            return page("a/1")
        return error_answer(400, "ExpiredToken", "The provided token has expired.")

    with ScriptedS3(reply) as server:
        uploads = s3_uploads(server.endpoint_url, credentials=Renewing("AKIDOLD", "secret", "old"))
        with pytest.raises(CredentialsExpired) as caught:
            asyncio.run(listed(uploads, "a/"))
        assert caught.value.retryable
        assert len(asyncio.run(listed(uploads, "a/"))) == 1


@pytest.mark.parametrize(
    ("addressing", "host", "path"),
    [
        (AddressingStyle.PATH, "store.example:9000", "/pre/bucket"),
        (AddressingStyle.AUTO, "store.example:9000", "/pre/bucket"),
        (AddressingStyle.VIRTUAL, "bucket.store.example:9000", "/pre"),
    ],
)
def test_the_bucket_is_addressed_as_the_object_store_does(
    addressing: AddressingStyle, host: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")  # what was decided is in the settings
    # A proxy is asked for the name as it is: no name server is needed.
    with ScriptedS3(lambda _: page()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint_url)
        uploads = s3_uploads("http://store.example:9000/pre", addressing=addressing)
        assert asyncio.run(listed(uploads, "a/")) == []
        (request,) = proxy.requests
    assert request.headers["host"] == host
    assert request.path.rstrip("/") == path
    assert "/us-east-1/s3/aws4_request" in request.headers["authorization"]


def test_an_endpoint_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError):
        s3_uploads("ftp://example.com")


def test_a_local_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert asyncio.run(listed(LocalMultipartUploads(tmp_path / "none"), "a/")) == []
