"""Multipart uploads of an S3 bucket that were never ended, over botocore: obstore has no request for them (ADR 0018)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from s3duct.adapters.object_store.errors import translate_answer
from s3duct.adapters.object_store.s3 import CredentialProvider, S3Settings, check_endpoint, is_virtual
from s3duct.domain.errors import (
    CredentialsExpired,
    NotFound,
    S3ductError,
    StoreError,
    StoreUnavailable,
)
from s3duct.domain.ports.multipart_uploads import IncompleteUpload, MultipartUploads

T = TypeVar("T")

# Two small requests, each tried once here: how long to go on is decided above (ADR 0004).
_CONNECT_TIMEOUT_S = 15
_READ_TIMEOUT_S = 20
_OVER = "NoSuchUpload"


class _NoSuchUpload(NotFound):
    """The upload is over, one way or the other."""


class Apart(Protocol):
    """Runs a blocking call where one that hangs holds up neither the event loop nor the end of the process."""

    def __call__(self, name: str, function: Callable[[], T]) -> Awaitable[T]:
        """Run it on a thread of that name; return what it returns."""
        ...


class S3MultipartUploads(MultipartUploads):
    """Those of one bucket, reached as `S3ObjectStore` reaches it.

    Credentials are asked for before each request, so renewed ones are used as soon as there are any.
    """

    def __init__(
        self,
        settings: S3Settings,
        credentials: CredentialProvider,
        session: Callable[[], Any],
        *,
        apart: Apart,
    ) -> None:
        """Take where the bucket is; nothing is sent or imported yet.

        Args:
            settings: where the bucket is.
            credentials: called for credentials, on a thread of its own.
            session: returns the `botocore.session.Session` to make clients with.
            apart: runs what blocks: requests, and the import of botocore.

        Raises:
            UsageError: the endpoint is not an http or https URL.
        """
        check_endpoint(settings)
        self._settings = settings
        self._credentials = credentials
        self._session = session
        self._apart = apart
        self._client: tuple[object, Any] = (None, None)

    async def incomplete(self, prefix: str) -> AsyncIterator[IncompleteUpload]:
        """List page by page. A store that repeats itself is no endless list."""
        marks: dict[str, str] = {}
        while True:
            try:
                page = await self._ask("list_multipart_uploads", prefix, Prefix=prefix, **marks)
            except _NoSuchUpload:
                return  # rclone says so of a bucket that has never seen any
            for upload in page.get("Uploads", ()):
                if upload["Key"].startswith(prefix):
                    yield IncompleteUpload(upload["Key"], upload["UploadId"])
            following = {
                "KeyMarker": page.get("NextKeyMarker", ""),
                "UploadIdMarker": page.get("NextUploadIdMarker", ""),
            }
            following = {name: mark for name, mark in following.items() if mark}
            if not page.get("IsTruncated") or not following or following == marks:
                return
            marks = following

    async def abort(self, upload: IncompleteUpload) -> None:
        """Abort one."""
        with suppress(_NoSuchUpload):
            await self._ask("abort_multipart_upload", upload.key, Key=upload.key, UploadId=upload.upload_id)

    async def _ask(self, operation: str, key: str, **arguments: str) -> dict[str, Any]:
        return await self._apart("uploads", lambda: self._ask_blocking(operation, key, arguments))

    def _ask_blocking(self, operation: str, key: str, arguments: dict[str, str]) -> dict[str, Any]:
        try:
            client = self._connect()
            answer: dict[str, Any] = getattr(client, operation)(Bucket=self._settings.bucket, **arguments)
            return answer
        except S3ductError:
            raise
        except Exception as error:  # noqa: BLE001 - botocore also lets KeyError and ValueError out
            translated = _translate(error, key)
            if isinstance(translated, CredentialsExpired):
                self._credentials.renew()
            # From None: texts of botocore repeat what the store answered.
            raise translated from None

    def _connect(self) -> Any:
        """Return a client with the credentials of this moment; making one takes a quarter of a second."""
        credential = self._credentials()
        keys = credential["access_key_id"], credential["secret_access_key"], credential.get("token")
        known, client = self._client
        if known == keys:
            return client
        from botocore.config import Config

        settings = self._settings
        client = self._session().create_client(
            "s3",
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            aws_session_token=keys[2],
            config=Config(
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=_READ_TIMEOUT_S,
                retries={"total_max_attempts": 1},
                ignore_configured_endpoint_urls=True,
                signature_version="s3v4",
                user_agent_extra="s3duct",
                s3={"addressing_style": "virtual" if is_virtual(settings) else "path"},
            ),
        )
        self._client = keys, client
        return client


def _translate(error: Exception, key: str) -> Exception:
    from botocore import exceptions as vendor

    match error:
        case vendor.ClientError():
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            answer = error.response.get("Error", {})
            code, message = str(answer.get("Code", "")), str(answer.get("Message", ""))
            if code == _OVER:
                return _NoSuchUpload(f"the upload of {key!r} is over")
            return translate_answer(status, code, message, key=key)
        case vendor.SSLError():
            return StoreError("the store's certificate is not valid here", hint="check --endpoint-url")
        case vendor.ConnectionError() | vendor.HTTPClientError():
            return StoreUnavailable(f"the store does not answer ({type(error).__name__})")
    return StoreError(f"the store gave an unexpected answer ({type(error).__name__})")
