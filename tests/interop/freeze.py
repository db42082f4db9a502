"""Makes the streams under `tests/vectors/v1`: by released versions, against a real server, copied object by object.

    python -m tests.interop.freeze .oracles

They are frozen: made once for format version 1, and never again for the same version.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.interop.oracle import Oracle
from tests.servers import Rclone
from tests.support.buckets import ServerBucket
from tests.support.data import random_bytes
from tests.support.streams import Stream

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "v1"
PREFIX = "pre/fix"
CONTENT_BYTES = 2 * 1024 + 345
VARIANTS = {
    "plain": ["--tag", "env=prod"],
    "aes-plain-manifest": ["--no-encrypt-manifest"],
    "aes-sealed-manifest": [],
}


def freeze(oracles: Path) -> None:
    """Write the vectors anew."""
    VECTORS.mkdir(parents=True, exist_ok=True)
    key_file = VECTORS / "aes.key"
    key_file.write_bytes(random_bytes(32, "frozen key"))
    content = random_bytes(CONTENT_BYTES, "frozen content")
    (VECTORS / "content.bin").write_bytes(content)
    with Rclone() as server, closing(ServerBucket(server)) as bucket, tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home  # their resume logs
        for version in ("0.3.0", "0.4.0"):
            for variant, flags in VARIANTS.items():
                key = None if variant == "plain" else key_file
                stream = Stream(bucket, f"{version}/{variant}", key, PREFIX)
                oracle = Oracle(version, oracles / version / "bin" / "s3duct")
                oracle.put(stream, content, "--chunk-size", "1K", *flags)
        for object_key, stored in bucket.contents("").items():
            path = VECTORS / "bucket" / object_key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stored)


if __name__ == "__main__":
    freeze(Path(sys.argv[1]).resolve())
