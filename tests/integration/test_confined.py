"""More data than the memory that the system allows: a control group, and limits of the process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.buckets import FolderBucket
from tests.support.command import COMMAND
from tests.support.data import MIB, random_bytes
from tests.support.small_hosts import control_group
from tests.support.streams import Stream

ALLOWED = 256 * MIB
BLOCK = random_bytes(MIB, "confined")
# More than in the group: address space that was only set aside counts as well, some 25 MB for each download.
ALLOWED_DATA = 2 * ALLOWED
# More than there is: without a look at the system, chunks would take all of it.
FLAGS = ("--memory-limit", "1G", "--buffer-chunks")


@contextmanager
def in_a_control_group(tmp_path: Path) -> Iterator[Path]:
    with control_group(ALLOWED) as group:
        yield wrapper(tmp_path, f"echo $$ > {group}/cgroup.procs")


@contextmanager
def under_a_limit_of_data(tmp_path: Path) -> Iterator[Path]:
    yield wrapper(tmp_path, f"ulimit -d {ALLOWED_DATA // 1024}")


def wrapper(folder: Path, first: str) -> Path:
    """A command that does something to itself before it becomes s3duct."""
    script = folder / "confined"
    script.write_text(f'#!/bin/sh\nset -e\n{first}\nexec {COMMAND} "$@"\n')
    script.chmod(0o700)
    return script


class Anonymous:
    """The most memory that a run was seen to take, without pages of files."""

    def __init__(self) -> None:
        self.bytes = 0
        self.pid = 0

    def look(self, _: int) -> None:
        if self.pid:
            try:
                lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
            except (FileNotFoundError, ProcessLookupError):
                return
            for line in lines:
                if line.startswith("RssAnon:"):
                    self.bytes = max(self.bytes, int(line.split()[1]) * 1024)


def blocks(count: int) -> Iterator[bytes]:
    for index in range(count):
        yield index.to_bytes(8, "big") + BLOCK[8:]


@pytest.mark.parametrize(
    ("confined", "allowed", "size_mib", "chunks"),
    [
        (in_a_control_group, ALLOWED, 600, "10"),
        # Stacks of threads count in full there, and each download takes some.
        (under_a_limit_of_data, ALLOWED_DATA, 300, "3"),
    ],
    ids=["control group", "rlimit"],
)
def test_more_than_the_memory_that_is_allowed_goes_through(
    folder_bucket: FolderBucket,
    unique_name: str,
    tmp_path: Path,
    confined: Callable[[Path], AbstractContextManager[Path]],
    allowed: int,
    size_mib: int,
    chunks: str,
) -> None:
    stream = Stream(folder_bucket, unique_name)
    sent = hashlib.sha256()
    for block in blocks(size_mib):
        sent.update(block)
    put, get = Anonymous(), Anonymous()
    with confined(tmp_path) as command:
        options = {"command": command}
        with stream.start(
            "put",
            "--chunk-size",
            "64M",
            *FLAGS,
            chunks,
            stdin=blocks(size_mib),
            on_offered=put.look,
            **options,
        ) as running:
            put.pid = running.pid
            running.wait().expect(0)
        with stream.start("get", *FLAGS, chunks, on_output=get.look, **options) as running:
            get.pid = running.pid
            restored = running.wait().expect(0)
    assert (restored.stdout_bytes, restored.stdout_sha256) == (size_mib * MIB, sent.hexdigest())
    assert 0 < put.bytes < allowed
    assert 0 < get.bytes < allowed
