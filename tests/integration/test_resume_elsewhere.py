"""SIGKILL of a real put, and another machine (another state folder) that goes on from the journal in the bucket."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.integration.test_kill import without_an_end
from tests.servers import S3Server
from tests.support.buckets import ServerBucket
from tests.support.command import until
from tests.support.data import MIB, random_bytes
from tests.support.journals import journal_files
from tests.support.proxy import RecordingProxy
from tests.support.streams import Stream

CHUNK = MIB
CHUNKS = 12
BUSY = 14
FLAGS = ("--chunk-size", str(CHUNK))


def recorded_in_bucket(bucket: ServerBucket, stream: Stream) -> set[str]:
    """Relative keys of the chunks that the journal in the bucket names, read with no code of the product."""
    keys = [key for key in bucket.listing(stream.folder) if key.endswith(".jsonl")]
    lines = [json.loads(line) for key in sorted(keys) for line in bucket.read(key).splitlines()]
    return {line["s3_key"] for line in lines if "s3_key" in line}


def recorded_so_far(bucket: ServerBucket, stream: Stream) -> set[str]:
    """The same while it is written: `rclone serve s3` cannot read a file that is being replaced."""
    try:
        return recorded_in_bucket(bucket, stream)
    except ClientError:
        return set()


@pytest.mark.parametrize("server_fixture", ["seaweedfs", "rclone_s3"])
@pytest.mark.timeout(180)
def test_another_machine_goes_on_after_a_kill(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    unique_name: str,
    key_file: Path,
    server_fixture: str,
) -> None:
    """Byte-identical, and nothing that the bucket's journal has on record is sent again."""
    server = request.getfixturevalue(server_fixture)
    assert isinstance(server, S3Server)
    content = random_bytes(CHUNKS * CHUNK + 4321, "elsewhere")
    with (
        RecordingProxy(server.endpoint_url) as proxy,
        closing(ServerBucket(server, endpoint_url=proxy.endpoint_url)) as bucket,
    ):
        stream = Stream(bucket, unique_name, key_file)
        over = threading.Event()
        with stream.start("put", *FLAGS, stdin=without_an_end(content, over)) as running:
            until(
                lambda: len(recorded_so_far(bucket, stream)) >= CHUNKS // 2,
                "half of the chunks are on record in the bucket",
            )
            running.process.kill()
            over.set()
            running.wait()
        proxy.wait_until_idle()
        recorded = recorded_in_bucket(bucket, stream)
        before = len(proxy.exchanges)

        monkeypatch.setenv("S3DUCT_STATE_DIR", str(tmp_path / "another-machine"))
        assert journal_files() == {}
        refused = stream.put(content, *FLAGS, code=BUSY)
        assert "--takeover" in refused.stderr
        resumed = stream.put(content, *FLAGS, "--takeover")

        assert f"{len(recorded)} of them stored before" in resumed.stderr
        written = {
            exchange.path.rpartition("/chunk-")[2]
            for exchange in proxy.exchanges[before:]
            if exchange.writes_object and "/chunk-" in exchange.path
        }
        assert not written & {key.rpartition("/chunk-")[2] for key in recorded}
        assert len(written) == CHUNKS + 1 - len(recorded)
        stream.restores_digest_of(content)
        stream.verify("--deep")
        assert not [key for key in bucket.listing(stream.folder) if "/.resume/" in key]


@pytest.mark.timeout(120)
def test_two_machines_at_once_never_mix(
    s3_bucket: ServerBucket, unique_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second one is refused while the first one lives, and the first one ends well."""
    stream = Stream(s3_bucket, unique_name)
    content = random_bytes(3 * CHUNK, "first")
    over = threading.Event()
    with stream.start("put", *FLAGS, stdin=without_an_end(content, over)) as running:
        until(lambda: bool(recorded_in_bucket(s3_bucket, stream)), "a chunk is on record in the bucket")
        monkeypatch.setenv("S3DUCT_STATE_DIR", str(tmp_path / "another-machine"))
        refused = stream.put(random_bytes(CHUNK, "second"), *FLAGS, code=BUSY)
        assert "another put of" in refused.stderr
        over.set()
        running.wait().expect(0)
    stream.restores(content)
