"""A bucket as tests see it from the other side: what lies in it, changed behind the command's back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from tests.servers import S3Server


class Bucket(ABC):
    """One bucket: the flags that name it, and its objects by full key."""

    name: str

    @property
    @abstractmethod
    def flags(self) -> list[str]:
        """Flags of `s3duct` that choose this bucket."""

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Credentials."""

    @abstractmethod
    def listing(self, prefix: str) -> dict[str, tuple[object, ...]]:
        """Keys under `prefix`, each with what changes when the object is written again."""

    @abstractmethod
    def read(self, key: str) -> bytes:
        """Content of one object."""

    @abstractmethod
    def write(self, key: str, content: bytes) -> None:
        """Replace or create one object."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete one object."""

    @abstractmethod
    def unfinished_uploads(self, prefix: str) -> list[str]:
        """Keys of multipart uploads that were neither completed nor aborted, or traces of half-written files."""

    def keys(self, prefix: str) -> list[str]:
        """Keys under `prefix`, sorted; those of journals are left aside."""
        return sorted(self.stored(prefix))

    def stored(self, prefix: str) -> dict[str, tuple[object, ...]]:
        """As `listing`, without what journals have in the bucket."""
        return {key: entry for key, entry in self.listing(prefix).items() if "/.resume/" not in key}

    def contents(self, prefix: str) -> dict[str, bytes]:
        """All objects under `prefix`."""
        return {key: self.read(key) for key in self.keys(prefix)}


class FolderBucket(Bucket):
    """`file:///path`."""

    name = "file"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def flags(self) -> list[str]:
        return ["--bucket", f"file://{self.folder}"]

    @property
    def environment(self) -> dict[str, str]:
        return {}

    def listing(self, prefix: str) -> dict[str, tuple[object, ...]]:
        found: dict[str, tuple[object, ...]] = {}
        for path in self.folder.rglob("*"):
            key = str(path.relative_to(self.folder))
            if path.is_file() and key.startswith(prefix):
                status = path.stat()
                found[key] = (status.st_size, status.st_mtime_ns, status.st_ino)
        return found

    def read(self, key: str) -> bytes:
        return (self.folder / key).read_bytes()

    def write(self, key: str, content: bytes) -> None:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def delete(self, key: str) -> None:
        (self.folder / key).unlink()

    def unfinished_uploads(self, prefix: str) -> list[str]:
        return [key for key in self.keys(prefix) if "#" in key]


class ServerBucket(Bucket):
    """The bucket of a server; `endpoint_url` may be that of a proxy in front of it."""

    def __init__(self, server: S3Server, *, endpoint_url: str | None = None) -> None:
        self.server = server
        self.name = server.name
        self._endpoint_url = endpoint_url or server.endpoint_url
        self._client: Any = server.client()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @property
    def flags(self) -> list[str]:
        return ["--bucket", self.server.bucket, "--endpoint-url", self._endpoint_url]

    @property
    def environment(self) -> dict[str, str]:
        return self.server.environment()

    def listing(self, prefix: str) -> dict[str, tuple[object, ...]]:
        found: dict[str, tuple[object, ...]] = {}
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.server.bucket, Prefix=prefix
        )
        for page in pages:
            for entry in page.get("Contents", ()):
                found[entry["Key"]] = (entry["Size"], entry["ETag"], entry["LastModified"])
        return found

    def read(self, key: str) -> bytes:
        with self._client.get_object(Bucket=self.server.bucket, Key=key)["Body"] as body:
            content = body.read()
        assert isinstance(content, bytes)
        return content

    def write(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=self.server.bucket, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.server.bucket, Key=key)

    def unfinished_uploads(self, prefix: str) -> list[str]:
        try:
            answer = self._client.list_multipart_uploads(Bucket=self.server.bucket)
        except self._client.exceptions.NoSuchUpload:
            return []  # rclone's answer as long as its bucket has never seen any
        return [upload["Key"] for upload in answer.get("Uploads", ()) if upload["Key"].startswith(prefix)]

    def storage_class(self, key: str) -> str:
        """Storage class of one object (S3 leaves STANDARD out)."""
        answer = self._client.head_object(Bucket=self.server.bucket, Key=key)
        return str(answer.get("StorageClass", "STANDARD"))
