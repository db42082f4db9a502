"""A scratch disk that fills up, vanishes or comes back in the middle of real runs of the command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.buckets import FolderBucket
from tests.support.command import until
from tests.support.data import MIB, random_bytes
from tests.support.journals import read_journal
from tests.support.small_hosts import mounted_tmpfs
from tests.support.streams import Stream

BLOCK = random_bytes(MIB, "scratch")
MEMORY = ("--memory-limit", "64M")


def content(blocks: int) -> bytes:
    return b"".join(index.to_bytes(8, "big") + BLOCK[8:] for index in range(blocks))


def fed(data: bytes, events: dict[int, Callable[[], object]]) -> Iterator[bytes]:
    """The data in blocks; before the block of a number, something happens."""
    for number in range(len(data) // MIB):
        if number in events:
            events[number]()
        yield data[number * MIB : (number + 1) * MIB]


class Disk:
    """A file system in memory with a scratch folder, and somebody else who uses it too."""

    def __init__(self, point: Path) -> None:
        self.scratch = point / "scratch"
        self._point = point
        self._foreign = point / "foreign"

    def fill(self) -> None:
        """Somebody else takes all but 30 MiB."""
        with self._foreign.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self._free() - 30 * MIB)

    def free(self) -> None:
        """Somebody else is done."""
        self._foreign.unlink()

    def replace(self) -> None:
        """Somebody puts a file where the folder was: no scratch file can be made, though there is room."""
        self.scratch.rmdir()
        self.scratch.touch()

    def used_bytes(self) -> int:
        """How much scratch files take."""
        foreign = self._foreign.stat().st_blocks * 512 if self._foreign.exists() else 0
        status = os.statvfs(self._point)
        return (status.f_blocks - status.f_bfree) * status.f_frsize - foreign

    def _free(self) -> int:
        status = os.statvfs(self._point)
        return status.f_bavail * status.f_frsize


@pytest.mark.parametrize("trouble", ["full", "a file in its place"])
def test_a_disk_that_others_fill_is_done_without_and_used_again_once_it_is_free(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path, trouble: str
) -> None:
    """Chunks of 40 MiB, of which memory holds one. The next one asks for its buffer before that is stored."""
    stream = Stream(folder_bucket, unique_name)
    data = content(6 * 40)
    used_bytes = []
    with mounted_tmpfs(tmp_path / "disk", "size=400m") as point:
        disk = Disk(point)
        events: dict[int, Callable[[], object]] = {
            60: lambda: used_bytes.append(disk.used_bytes()),
            70: disk.fill if trouble == "full" else disk.replace,
            # Two chunks later, which have had to go to memory both.
            165: lambda: until(lambda: disk.used_bytes() < 30 * MIB, "no scratch is used"),
            166: disk.free if trouble == "full" else disk.scratch.unlink,
            210: lambda: used_bytes.append(disk.used_bytes()),
        }
        flags = ("--chunk-size", "40M", *MEMORY, "--scratch-dir", str(disk.scratch))
        outcome = stream.put(fed(data, events), *flags)
        assert list(disk.scratch.iterdir()) == []
    assert len(used_bytes) == 2
    assert min(used_bytes) >= 40 * MIB
    told = [line for line in outcome.lines if "going on without it" in line]
    assert len(told) == (trouble != "full"), outcome.stderr
    stream.restores_digest_of(data)


def test_a_scratch_folder_that_vanishes_is_made_again(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path
) -> None:
    stream = Stream(folder_bucket, unique_name)
    data = content(2 * 65)
    scratch = tmp_path / "above" / "scratch"

    def vanish() -> None:
        shutil.rmtree(tmp_path / "above")

    flags = ("--chunk-size", "65M", *MEMORY, "--scratch-dir", str(scratch))
    stream.put(fed(data, {30: vanish}), *flags)
    assert list(scratch.iterdir()) == []
    stream.restores_digest_of(data)


@pytest.mark.parametrize("trouble", ["full", "a file in its place"])
def test_a_scratch_folder_that_stays_unusable_ends_the_run_and_the_next_one_resumes(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path, trouble: str
) -> None:
    """Chunks that no memory holds: those in flight are stored, then it says what is missing."""
    stream = Stream(folder_bucket, unique_name)
    data = content(2 * 65)

    def attempts(scratch: Path, spoil: Callable[[], object], mend: Callable[[], object]) -> None:
        flags = ("--chunk-size", "65M", *MEMORY, "--scratch-dir", str(scratch))
        outcome = stream.put(fed(data, {30: spoil}), *flags, code=10)
        warning, error, hint = outcome.lines[-3:]
        assert "waiting up to" in warning
        assert error.startswith("s3duct: error: ")
        assert ("no room for a chunk of 65 MiB" in error) == (trouble == "full")
        assert hint.startswith("s3duct: hint: free some")
        assert stream.manifest_key not in stream.bucket.keys(stream.folder)
        journal = read_journal(stream.name)
        assert journal is not None
        assert len(journal.keys) == 1
        mend()
        assert "1 of them stored before" in stream.put(data, *flags).stderr

    if trouble == "full":
        with mounted_tmpfs(tmp_path / "disk", "size=400m") as point:
            disk = Disk(point)
            attempts(disk.scratch, disk.fill, disk.free)
    else:
        disk = Disk(tmp_path)
        attempts(disk.scratch, disk.replace, disk.scratch.unlink)
    stream.restores_digest_of(data)
