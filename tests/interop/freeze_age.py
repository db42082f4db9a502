"""Makes the streams under `tests/vectors/v1/age`: sealed with age by 0.4.0, against a real server, copied object by object.

    python -m tests.interop.freeze_age .oracles

Frozen as those of `freeze.py` are. The identity beside them is for these tests alone.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.interop.freeze import PREFIX, VECTORS
from tests.interop.oracle import Oracle
from tests.servers import Rclone
from tests.support.age_keys import key_pair
from tests.support.buckets import ServerBucket
from tests.support.streams import Stream

AGE_VECTORS = VECTORS / "age"
IDENTITY = AGE_VECTORS / "identity.txt"
VERSION = "0.4.0"
VARIANTS = {"plain-manifest": ["--no-encrypt-manifest"], "sealed-manifest": []}


def freeze(oracles: Path) -> None:
    """Write the vectors anew."""
    AGE_VECTORS.mkdir(parents=True, exist_ok=True)
    IDENTITY.write_bytes(key_pair("x25519").file)
    content = (VECTORS / "content.bin").read_bytes()
    oracle = Oracle(VERSION, oracles / VERSION / "bin" / "s3duct")
    with Rclone() as server, closing(ServerBucket(server)) as bucket, tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home  # its resume logs
        for variant, flags in VARIANTS.items():
            stream = Stream(bucket, f"{VERSION}/{variant}", prefix=PREFIX, age_identity=IDENTITY)
            oracle.put(stream, content, "--chunk-size", "1K", *flags)
        for object_key, stored in bucket.contents("").items():
            path = AGE_VECTORS / "bucket" / object_key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stored)


if __name__ == "__main__":
    freeze(Path(sys.argv[1]).resolve())
