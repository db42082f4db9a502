"""The storage classes that `--storage-class` accepts; they apply to chunks, the manifest is always STANDARD."""

from __future__ import annotations

from enum import Enum

from s3duct.domain.errors import UsageError


class StorageClass(Enum):
    """S3 storage classes (values of the `x-amz-storage-class` header)."""

    STANDARD = "STANDARD"
    REDUCED_REDUNDANCY = "REDUCED_REDUNDANCY"
    STANDARD_IA = "STANDARD_IA"
    ONEZONE_IA = "ONEZONE_IA"
    INTELLIGENT_TIERING = "INTELLIGENT_TIERING"
    GLACIER = "GLACIER"
    DEEP_ARCHIVE = "DEEP_ARCHIVE"
    GLACIER_IR = "GLACIER_IR"


def parse_storage_class(text: str) -> StorageClass:
    """Parse a storage class, in any case. Raises `UsageError` naming the accepted values."""
    try:
        return StorageClass(text.upper())
    except ValueError:
        accepted = ", ".join(member.value for member in StorageClass)
        raise UsageError(f"unknown storage class {text!r}", hint=f"use one of {accepted}") from None
