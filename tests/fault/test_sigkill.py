"""Real processes kill themselves (SIGKILL) at the n-th crash point of small runs against a real server, for every n.

Crash points (`../support/crash_points.py`) lie before every request, after every one that changes the bucket, before every
system call that writes the journal or the output, and in the middle of every write. The first sweep takes every point; the
others every tenth or so, and all with KILL_EVERY_POINT=1 (`make kills`).
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from s3duct.app.api import PutOptions, S3duct
from s3duct.domain.errors import ExitCode
from s3duct.domain.sizes import KIB, MIB
from tests.servers import S3Server
from tests.support.api import connect, get_outcome
from tests.support.buckets import ServerBucket
from tests.support.data import random_bytes
from tests.support.forked_command import Forked, ForkedCommand
from tests.support.journals import read_bucket_journal, read_journal

EVERY_POINT = bool(os.environ.get("KILL_EVERY_POINT"))
COUNTS: Counter[str] = Counter()
KILLED = -9
CHUNK = 64 * KIB
OLD, NEW = random_bytes(CHUNK + 3, "old"), random_bytes(CHUNK + 22_222, "new")
IN_PARTS = random_bytes(9 * MIB, "in parts")
# A run that is to be resumed dies here: the second chunk is on record by then, or the first.
FIRST_DEATH = 36


@dataclass(frozen=True, slots=True)
class Scene:
    """A put, and where it is run again. `stride` is from one crash point to the next."""

    name: str
    stride: int
    data: bytes = NEW
    chunk_bytes: int = CHUNK
    encrypted: bool = False
    sealed: bool = False
    over_old: bool = False
    resumed: bool = False
    elsewhere: bool = False

    @property
    def points(self) -> Iterator[int]:
        """Numbers of the crash points, without an end."""
        number = 1 if EVERY_POINT or self.stride == 1 else self.stride // 2
        while True:
            yield number
            number += 1 if EVERY_POINT else self.stride


SCENES = [
    Scene("plain", 1),
    Scene("aes", 10, encrypted=True),
    Scene("in parts", 8, data=IN_PARTS, chunk_bytes=len(IN_PARTS)),
    Scene("over an old stream", 13, over_old=True),
    Scene("aes, sealed, over an old stream", 14, encrypted=True, sealed=True, over_old=True),
    Scene("resumed", 11, resumed=True),
    Scene("elsewhere", 5, elsewhere=True),
    Scene("elsewhere, aes, sealed", 9, encrypted=True, sealed=True, elsewhere=True),
    Scene("elsewhere, over an old stream", 13, over_old=True, elsewhere=True),
    Scene("elsewhere, in parts", 12, data=IN_PARTS, chunk_bytes=len(IN_PARTS), elsewhere=True),
    Scene("elsewhere, resumed", 13, resumed=True, elsewhere=True),
]


class Stage:
    """One stream of one scene, its machine, and the server's side of it."""

    def __init__(self, bucket: ServerBucket, command: ForkedCommand, name: str, key_file: Path) -> None:
        self.bucket = bucket
        self.command = command
        self.name = name
        self.key_file = key_file

    def flags(self, scene: Scene) -> list[str]:
        """Flags of the put, and of its repetition."""
        flags = [*self.bucket.flags, "--name", self.name, "--progress", "none"]
        flags += ["--chunk-size", str(scene.chunk_bytes)]
        flags += ["--key", f"file:{self.key_file}"] if scene.encrypted else ["--no-encrypt"]
        flags += ["--encrypt-manifest"] if scene.sealed else []
        return flags + (["--clobber"] if scene.over_old else [])

    def put(self, scene: Scene, *more: str, die_at: int = 0) -> Forked:
        return self.command.run(
            "put",
            *self.flags(scene),
            *more,
            stdin=scene.data,
            environment=self.bucket.environment,
            die_at=die_at,
        )

    def has_journal_in_bucket(self) -> bool:
        return any(key.endswith(".jsonl") for key in self.bucket.listing(f"{self.name}/.resume/"))


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedCommand]:
    with ForkedCommand(tmp_path_factory.mktemp("forked")) as forked:
        yield forked


@pytest.fixture
def bucket(seaweedfs: S3Server) -> Iterator[ServerBucket]:
    with closing(ServerBucket(seaweedfs)) as over:
        yield over


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_put_that_is_killed_at_any_point_goes_on(
    scene: Scene,
    bucket: ServerBucket,
    command: ForkedCommand,
    unique_name: str,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Old or new is visible meanwhile; run again, it is new, and what was on record was not sent again."""
    s3duct = connect(bucket, monkeypatch, key_file=key_file if scene.encrypted else None)
    for number in scene.points:
        stage = Stage(bucket, command, f"{unique_name}-{number}", key_file)
        monkeypatch.setenv("S3DUCT_STATE_DIR", str(tmp_path / f"state-{number}"))
        if scene.over_old:
            s3duct.put(
                stage.name, io.BytesIO(OLD), PutOptions(chunk_size_bytes=CHUNK, seal_manifest=scene.sealed)
            )
        if scene.resumed:
            stage.put(scene, die_at=FIRST_DEATH).expect(KILLED)
        put = stage.put(scene, die_at=number)
        if put.code != KILLED:
            put.expect(ExitCode.OK)
            assert number > 20, "hardly a point was reached"
            return
        COUNTS["killed puts"] += 1
        try:
            goes_on(scene, stage, s3duct, monkeypatch, tmp_path / f"elsewhere-{number}")
        except AssertionError as error:
            raise AssertionError(f"killed at point {number}: {put.points[-1]}") from error


def goes_on(
    scene: Scene, stage: Stage, s3duct: S3duct, monkeypatch: pytest.MonkeyPatch, other_state: Path
) -> None:
    """Run it again, here or elsewhere."""
    was_there = is_there(scene, stage, s3duct)
    if scene.elsewhere:
        journal = None if scene.sealed else read_bucket_journal(stage.bucket, f"{stage.name}/")
        monkeypatch.setenv("S3DUCT_STATE_DIR", str(other_state))
        more = ["--takeover"]
        # Both ways lead to the same: the one that says where, and the one that finds it.
        if scene.resumed and stage.has_journal_in_bucket():
            more += ["--resume-from", "bucket"]
        again = stage.put(scene, *more)
    else:
        journal = read_journal(stage.name)
        again = stage.put(scene)
    if was_there and not scene.over_old and (scene.elsewhere or journal is None):
        again.expect(ExitCode.EXISTS)
    else:
        again.expect(ExitCode.OK)
        assert not stage.bucket.listing(f"{stage.name}/.resume/")
        assert read_journal(stage.name) is None
        COUNTS["resumed"] += 1
    recorded = journal.indices if journal is not None else set()
    if not (was_there and scene.over_old):  # a clobber that had ended begins anew
        COUNTS["chunks on record"] += len(recorded)
        assert not again.chunks_sent & recorded, "sent again although on record"
    assert get_outcome(s3duct, stage.name) == (ExitCode.OK, scene.data)
    COUNTS["bytes compared"] += len(scene.data)


def is_there(scene: Scene, stage: Stage, s3duct: S3duct) -> bool:
    """Whether the new stream is visible; if not, the old one is, or none."""
    if not scene.over_old and f"{stage.name}/.manifest.json" not in stage.bucket.listing(f"{stage.name}/"):
        return False
    code, visible = get_outcome(s3duct, stage.name)
    assert code == ExitCode.OK
    assert visible == scene.data or (scene.over_old and visible == OLD)
    return visible == scene.data


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "aes"])
def test_a_get_that_is_killed_at_any_point_goes_on(
    encrypted: bool,
    bucket: ServerBucket,
    command: ForkedCommand,
    unique_name: str,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The file is whole or not there; run again, it is whole, and what lay there whole was not fetched again."""
    connect(bucket, monkeypatch, key_file=key_file if encrypted else None).put(
        unique_name, io.BytesIO(NEW), PutOptions(chunk_size_bytes=CHUNK)
    )
    flags = [*bucket.flags, "--name", unique_name, "--progress", "none"]
    flags += ["--key", f"file:{key_file}"] if encrypted else []
    number = 0
    while True:
        number += 1 if EVERY_POINT or not encrypted else 4
        target = tmp_path / f"restored-{number}"
        arguments = ["get", *flags, "--output", str(target)]
        get = command.run(*arguments, environment=bucket.environment, die_at=number)
        if get.code != KILLED:
            get.expect(ExitCode.OK)
            assert number > 12, "hardly a point was reached"
            return
        COUNTS["killed gets"] += 1
        is_there = target.exists()
        whole = 0
        for part in tmp_path.glob(f".{target.name}.*"):
            content = part.read_bytes()
            assert NEW.startswith(content), get.points[-1]
            whole = len(content) // CHUNK
        if not is_there:
            again = command.run(*arguments, environment=bucket.environment).expect(ExitCode.OK)
            assert not again.chunks_fetched & set(range(whole)), get.points[-1]
            assert not list(tmp_path.glob(f".{target.name}.*"))
        assert target.read_bytes() == NEW, get.points[-1]
        COUNTS["bytes compared"] += len(NEW)


def test_how_often() -> None:
    """What the sweeps of this process have done (`pytest -rP` shows it)."""
    if not COUNTS:
        pytest.skip("the sweeps of this file did not run")
    for name, count in sorted(COUNTS.items()):
        print(f"{count:>12,}  {name}")
