"""From settings to a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from s3duct.adapters.aws_credentials import AwsSession
from s3duct.app.pipeline.workers import run_apart
from s3duct.app.settings import Settings
from s3duct.domain.bucket import LocalFolder, S3Bucket, parse_bucket
from s3duct.domain.ports.multipart_uploads import MultipartUploads
from s3duct.domain.ports.object_store import ObjectStore

if TYPE_CHECKING:
    from s3duct.adapters.object_store.s3 import S3Settings

_FALLBACK_REGION = "us-east-1"


def make_store(
    settings: Settings, aws: AwsSession, *, create: bool = False, part_bytes: int = 0
) -> ObjectStore:
    """Return the store that `settings.bucket` names.

    Args:
        settings: where it is.
        aws: the AWS configuration and credentials of this user.
        create: make a local folder that is missing.
        part_bytes: the largest part that will be sent.
    """
    from s3duct.adapters.object_store.s3 import S3ObjectStore, parse_addressing_style

    bucket = parse_bucket(settings.bucket)
    parse_addressing_style(settings.addressing_style)
    if isinstance(bucket, LocalFolder):
        from s3duct.adapters.object_store.local import LocalObjectStore

        return LocalObjectStore(Path(bucket.path), create=create)
    s3_settings = _s3_settings(bucket, settings, aws, part_bytes=part_bytes)
    return S3ObjectStore(s3_settings, aws.credential_provider())


def make_uploads(settings: Settings, aws: AwsSession) -> MultipartUploads:
    """Return the incomplete uploads of the store that `settings.bucket` names."""
    bucket = parse_bucket(settings.bucket)
    if isinstance(bucket, LocalFolder):
        from s3duct.adapters.object_store.local_uploads import LocalMultipartUploads

        return LocalMultipartUploads(Path(bucket.path))
    from s3duct.adapters.object_store.s3_uploads import S3MultipartUploads

    s3_settings = _s3_settings(bucket, settings, aws)
    # Credentials of its own: it may be refused some that the store has long replaced.
    return S3MultipartUploads(s3_settings, aws.credential_provider(), aws.botocore_session, apart=run_apart)


def _s3_settings(bucket: S3Bucket, settings: Settings, aws: AwsSession, *, part_bytes: int = 0) -> S3Settings:
    from s3duct.adapters.object_store.s3 import S3Settings, parse_addressing_style

    return S3Settings(
        bucket=bucket.name,
        region=settings.region or aws.region() or _FALLBACK_REGION,
        endpoint_url=settings.endpoint_url or aws.endpoint_url(),
        addressing=parse_addressing_style(settings.addressing_style),
        part_bytes=part_bytes,
    )


def describe_destination(settings: Settings, aws: AwsSession) -> str:
    """Name the store for journals: the same text for the same store, on this machine."""
    bucket = parse_bucket(settings.bucket)
    if isinstance(bucket, LocalFolder):
        return f"file://{Path(bucket.path).resolve()}"
    endpoint = settings.endpoint_url or aws.endpoint_url()
    return f"s3://{bucket.name}" if endpoint is None else f"{endpoint.rstrip('/')}/{bucket.name}"
