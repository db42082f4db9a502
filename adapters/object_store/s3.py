"""A bucket of any S3-compatible service: `s3://bucket`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import UnauthenticatedError
from obstore.store import S3Store

from s3duct.adapters.object_store.base import ObstoreObjectStore
from s3duct.adapters.object_store.lost_answers import answered
from s3duct.domain.errors import (
    AccessDenied,
    CredentialsError,
    CredentialsExpired,
    CredentialsUnavailable,
    NotFound,
    ObjectExists,
    S3ductError,
    StoreError,
    UsageError,
)
from s3duct.domain.ports.object_store import StoredObject
from s3duct.domain.sizes import KIB

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Vendor
    from obstore.store import S3Config, S3Credential

# A part has to be through after a minute plus its size at this pace; a download may pause no longer than that either.
_SLOWEST_BYTES_PER_S = 64 * KIB
_PATIENCE_S = 60
# Requests are bounded by stalls, not in all: a chunk of 512 MiB over a slow line takes what it takes.
_LONGEST_REQUEST = timedelta(days=7)
_QUICK_RETRIES = 3

# obstore also reads these from the environment, where they are meant for others.
_FIXED: S3Config = {
    "skip_signature": False,
    "unsigned_payload": False,
    "s3_express": False,
    "conditional_put": "etag",
}
_PROVIDER_FAILED = "External AWS credential provider"


class AddressingStyle(Enum):
    """Where the bucket's name goes: into the path, or in front of the host."""

    AUTO = "auto"
    PATH = "path"
    VIRTUAL = "virtual"


def parse_addressing_style(text: str) -> AddressingStyle:
    """Parse `--addressing-style`. Raises `UsageError` naming the accepted values."""
    try:
        return AddressingStyle(text)
    except ValueError:
        accepted = ", ".join(style.value for style in AddressingStyle)
        raise UsageError(f"unknown addressing style {text!r}", hint=f"use one of {accepted}") from None


class CredentialProvider(Protocol):
    """Hands out credentials whenever the ones in hand are about to expire; called on threads of obstore."""

    @property
    def last_error(self) -> S3ductError | None:
        """Why the last call failed; None if it did not. obstore passes on only the text of what a provider raises."""
        ...

    def renew(self) -> None:
        """The store refused the last ones as expired: hand out others from now on, or say why there are none."""
        ...

    def __call__(self) -> S3Credential:
        """Return credentials, or raise one of the domain's errors."""
        ...


@dataclass(frozen=True, slots=True)
class S3Settings:
    """How to reach a bucket. `part_bytes` is the largest part that will be sent (it sets time-outs)."""

    bucket: str
    region: str
    endpoint_url: str | None = None
    addressing: AddressingStyle = AddressingStyle.AUTO
    part_bytes: int = 0


class S3ObjectStore(ObstoreObjectStore):
    """One S3 bucket. Requests are signed with their payload's SHA-256, so the service checks what it received."""

    def __init__(self, settings: S3Settings, credentials: CredentialProvider) -> None:
        """Set up the client; nothing is sent yet.

        Args:
            settings: where the bucket is.
            credentials: called for credentials whenever the ones in hand are about to expire.

        Raises:
            UsageError: the endpoint is not an http or https URL.
        """
        self._settings = settings
        self._credentials = credentials
        # Of the credentials in hand: whether they are renewed ones that the store has not accepted yet.
        self._on_probation = False
        super().__init__(self._connect())

    async def head(self, key: str) -> StoredObject:
        """Ask for the metadata of one object.

        S3 sends no reason with a refused HEAD: a GET, whose body is not read, is asked in its place. So expired credentials
        are renewed, a wrong clock is told from a missing permission, and what was refused for that moment is answered.
        """
        try:
            return await super().head(key)
        except (StoreError, AccessDenied) as error:
            if error.retryable or isinstance(error, CredentialsError):
                raise
        with self._vendor_for(key) as vendor:
            result = await answered(obstore.get_async(vendor, key))
        return self._described(key, result.meta)

    def _connect(self) -> S3Store:
        settings = self._settings
        stall = timedelta(seconds=_PATIENCE_S + settings.part_bytes / _SLOWEST_BYTES_PER_S)
        virtual = is_virtual(settings)
        return S3Store(
            settings.bucket,
            config={**_FIXED, **_endpoint(settings, virtual=virtual)},
            region=settings.region,
            virtual_hosted_style_request=virtual,
            # The bulk API is not implemented everywhere; objects are deleted one by one.
            disable_bulk_delete=True,
            client_options={
                "allow_http": True,
                "connect_timeout": timedelta(seconds=15),
                "read_timeout": stall,
                "timeout": _LONGEST_REQUEST,
                "user_agent": "s3duct",
            },
            # Quick hiccups of single requests are mended below; how long to go on in all is decided above (ADR 0004).
            retry_config={"max_retries": _QUICK_RETRIES, "retry_timeout": timedelta(minutes=3)},
            credential_provider=self._credentials,
        )

    def _note_success(self, vendor: Vendor) -> None:
        if vendor is self._vendor:
            self._on_probation = False

    def _judge(self, vendor: Vendor, error: Exception) -> Exception:
        """Answer a refusal as expired with new credentials: obstore would keep the old ones as long as they seem to last."""
        if vendor is not self._vendor:
            return error  # the credentials have been renewed since that operation began
        if isinstance(error, NotFound | ObjectExists):
            self._on_probation = False
        if not isinstance(error, CredentialsExpired):
            return error
        if self._on_probation:
            return CredentialsError(
                f"renewed credentials are refused as well: {error.message}",
                hint="is this machine's clock right? and where do the credentials come from?",
            )
        self._credentials.renew()
        self._vendor = self._connect()
        self._on_probation = True
        return error

    def _translate(self, error: Exception, key: str) -> Exception:
        if not (isinstance(error, UnauthenticatedError) and _PROVIDER_FAILED in str(error)):
            return super()._translate(error, key)
        cause = self._credentials.last_error
        if cause is None:  # another request has been given credentials since
            return CredentialsUnavailable("no credentials could be had for a moment")
        return type(cause)(cause.message, hint=cause.hint)


def is_virtual(settings: S3Settings) -> bool:
    """Whether the bucket's name goes in front of the host."""
    if settings.addressing is AddressingStyle.AUTO:
        # Names with dots do not match the wildcard of AWS's certificates.
        return settings.endpoint_url is None and "." not in settings.bucket
    return settings.addressing is AddressingStyle.VIRTUAL


def check_endpoint(settings: S3Settings) -> None:
    """Raise `UsageError` if the endpoint cannot be used."""
    _endpoint(settings, virtual=False)


def _endpoint(settings: S3Settings, *, virtual: bool) -> S3Config:
    if settings.endpoint_url is None:
        return {}
    try:
        parts = urlsplit(settings.endpoint_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if usable and parts.username is not None:
        raise UsageError(
            "the endpoint holds a user name", hint="credentials come from the AWS configuration, not the URL"
        )
    if not usable:
        raise UsageError(
            f"the endpoint {settings.endpoint_url!r} is not an http or https URL",
            hint="write it like https://s3.example.com or http://localhost:9000",
        )
    host = f"{settings.bucket}.{parts.netloc}" if virtual else parts.netloc
    url = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
    # Both, or AWS_ENDPOINT_URL_S3 in the environment would win over --endpoint-url.
    return {"endpoint": url, "aws_endpoint_url_s3": url}
