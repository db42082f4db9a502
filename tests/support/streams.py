"""One stream in one bucket, and the four commands over it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from tests.support.buckets import Bucket
from tests.support.command import Input, Outcome, Running, run

QUIET = ("--progress", "none")


class KeyFields(TypedDict, total=False):
    """The key of a `Stream`, by the name of its field."""

    key_file: Path
    age_identity: Path


@dataclass(frozen=True, slots=True)
class Stream:
    """Name, bucket and key of a stream (AES or age). Every method runs the command and expects an exit code."""

    bucket: Bucket
    name: str
    key_file: Path | None = None
    prefix: str = ""
    age_identity: Path | None = None

    @property
    def encrypts(self) -> bool:
        """Whether there is a key."""
        return self.key_file is not None or self.age_identity is not None

    @property
    def flags(self) -> list[str]:
        """Flags that choose the stream."""
        flags = [*self.bucket.flags, "--name", self.name]
        if self.prefix:
            flags += ["--prefix", self.prefix]
        if self.key_file is not None:
            flags += ["--key", f"file:{self.key_file}"]
        if self.age_identity is not None:
            flags += ["--age-identity", str(self.age_identity)]
        return flags

    @property
    def folder(self) -> str:
        """Full key under which everything of the stream lies."""
        return f"{self.prefix.rstrip('/')}/{self.name}/".lstrip("/")

    @property
    def manifest_key(self) -> str:
        """Full key of the manifest."""
        return self.folder + ".manifest.json"

    def put(self, stdin: Input, *flags: str | Path, code: int = 0) -> Outcome:
        """Store `stdin`."""
        return run(
            "put", *self.flags, *QUIET, *flags, stdin=stdin, environment=self.bucket.environment
        ).expect(code)

    def get(self, *flags: str | Path, code: int = 0) -> Outcome:
        """Restore."""
        return run("get", *self.flags, *QUIET, *flags, environment=self.bucket.environment).expect(code)

    def verify(self, *flags: str | Path, code: int = 0) -> Outcome:
        """Verify."""
        return run("verify", *self.flags, *QUIET, *flags, environment=self.bucket.environment).expect(code)

    def start(self, verb: str, *flags: str | Path, **options: Any) -> Running:
        """Start a command and leave it running."""
        arguments = (verb, *self.flags, *QUIET, *flags)
        return Running(arguments, environment=self.bucket.environment, **options)

    def restores(self, content: bytes, *flags: str | Path) -> None:
        """See that the stream is `content`, byte by byte."""
        restored = self.get(*flags)
        assert restored.stdout_bytes == len(content)
        assert restored.stdout == content

    def restores_digest_of(self, content: bytes) -> None:
        """See that the stream is `content`, which may be large."""
        restored = self.get()
        assert (restored.stdout_bytes, restored.stdout_sha256) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )

    def manifest(self) -> dict[str, Any]:
        """The plain manifest as it lies in the bucket."""
        manifest = json.loads(self.bucket.read(self.manifest_key))
        assert isinstance(manifest, dict)
        return manifest

    def chunk_keys(self) -> list[str]:
        """Full keys of all objects that are not the manifest."""
        return [key for key in self.bucket.keys(self.folder) if key != self.manifest_key]
