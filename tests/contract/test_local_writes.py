"""An object of a local folder is there whole, or not at all, whatever happens to the write."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.object_store.local_writes import write_object

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "bucket"
    made.mkdir()
    return made


def test_the_folders_are_made_and_nothing_else_is_left(folder: Path) -> None:
    path = folder / "a" / "b" / "object"
    write_object(path, b"first", create_only=True)
    write_object(path, memoryview(b"second"), create_only=False)
    assert path.read_bytes() == b"second"
    assert [child.name for child in path.parent.iterdir()] == ["object"]


def test_what_is_there_stays_when_it_is_to_be_new(folder: Path) -> None:
    path = folder / "object"
    write_object(path, b"first", create_only=False)
    with pytest.raises(FileExistsError):
        write_object(path, b"second", create_only=True)
    assert path.read_bytes() == b"first"
    assert [child.name for child in folder.iterdir()] == ["object"]


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_of_a_write_that_fails_nothing_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = folder / "object"
    write_object(path, b"before", create_only=False)

    def fail(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        write_object(path, b"after", create_only=False)
    assert path.read_bytes() == b"before"
    assert [child.name for child in folder.iterdir()] == ["object"]


def test_short_writes_are_gone_on_with(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    write_object(folder / "object", bytes(range(100)), create_only=False)
    assert (folder / "object").read_bytes() == bytes(range(100))


def test_of_those_who_make_it_at_the_same_time_one_does(folder: Path) -> None:
    path, outcomes = folder / "object", list[str]()
    ready = threading.Barrier(8)

    def make(number: int) -> None:
        ready.wait(20)
        try:
            write_object(path, bytes([number]) * 1000, create_only=True)
            outcomes.append(f"made {number}")
        except FileExistsError:
            outcomes.append("refused")

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (made,) = (outcome for outcome in outcomes if outcome != "refused")
    assert path.read_bytes() == bytes([int(made.split()[1])]) * 1000
    assert [child.name for child in folder.iterdir()] == ["object"]


def test_a_folder_that_cannot_be_made_is_not_taken_for_the_object(folder: Path) -> None:
    (folder / "a").symlink_to(folder / "nowhere")
    with pytest.raises(NotADirectoryError):
        write_object(folder / "a" / "object", b"", create_only=True)
