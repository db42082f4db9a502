"""Folders are brought to the disk after what was made in them, by as few calls as that takes."""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.object_store import durable_folders
from s3duct.adapters.object_store.durable_folders import DurableFolders, make_durably
from tests.support.command import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONG_S = 30


class Disk:
    """Stands in for fsync: notes what was there each time, and waits at a gate if there is one."""

    def __init__(self) -> None:
        self.synced: list[tuple[Path, frozenset[str]]] = []
        self.begun = threading.Event()
        self.gate: threading.Event | None = None
        self.error: OSError | None = None
        self.lost: set[Path] = set()
        self.unforeseen_at: Path | None = None

    def fsync(self, path: Path) -> None:
        self.synced.append((path, frozenset(child.name for child in path.iterdir())))
        gate, self.gate = self.gate, None
        self.begun.set()
        if gate is not None:
            assert gate.wait(LONG_S)
        if path == self.unforeseen_at:
            self.unforeseen_at = None
            raise MemoryError
        if path in self.lost:
            self.lost.remove(path)
            raise OSError(errno.EIO, "lost")
        if self.error is not None:
            raise self.error


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(durable_folders, "fsync", made.fsync)
    return made


def start(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_folder_and_all_above_it_up_to_the_top_are_settled(tmp_path: Path, disk: Disk) -> None:
    lowest = tmp_path / "bucket" / "a" / "b"
    lowest.mkdir(parents=True)
    DurableFolders(tmp_path / "bucket").settle(lowest)
    assert [path for path, _ in disk.synced] == [lowest, lowest.parent, lowest.parent.parent]


def test_who_comes_meanwhile_is_served_together_and_after_it_came(tmp_path: Path, disk: Disk) -> None:
    folders = DurableFolders(tmp_path)
    gate = disk.gate = threading.Event()
    threads = [start(lambda: folders.settle(tmp_path))]
    assert disk.begun.wait(LONG_S)
    came = threading.Barrier(5)

    def make(name: str) -> None:
        (tmp_path / name).touch()
        came.wait(LONG_S)
        folders.settle(tmp_path)
        assert any(name in there for _, there in disk.synced)

    threads += [start(lambda name=name: make(name)) for name in "abcd"]  # type: ignore[misc]  # mypy: lambda's default
    came.wait(LONG_S)
    gate.set()
    for thread in threads:
        thread.join(LONG_S)
    assert 2 <= len(disk.synced) <= 5
    assert {"a", "b", "c", "d"} <= disk.synced[-1][1]


def test_what_fails_fails_for_all_that_it_was_done_for_and_for_nobody_else(
    tmp_path: Path, disk: Disk
) -> None:
    folders = DurableFolders(tmp_path)
    disk.error = OSError(errno.EIO, "broken")
    with pytest.raises(OSError, match="broken"):
        folders.settle(tmp_path)
    disk.error = None
    folders.settle(tmp_path)


def test_an_error_that_the_system_tells_of_once_is_everybodys_that_it_concerns(
    tmp_path: Path, disk: Disk
) -> None:
    """After a write that was lost the next fsync succeeds, and says nothing of it."""
    folders, gate = DurableFolders(tmp_path), threading.Event()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    disk.gate = gate
    first = start(lambda: folders.settle(tmp_path))
    assert disk.begun.wait(LONG_S)
    outcomes: dict[str, str] = {}

    def settle(name: str) -> None:
        try:
            folders.settle(tmp_path / name)
        except OSError as error:
            outcomes[name] = str(error.strerror)

    sharing = folders._next
    threads = [start(lambda name=name: settle(name)) for name in "ab"]  # type: ignore[misc]  # mypy: lambda's default
    until(lambda: len(sharing.folders) == 2, "both share it")
    disk.lost = {tmp_path / "a"}
    gate.set()
    for thread in (first, *threads):
        thread.join(LONG_S)
    assert outcomes == {"a": "lost"}
    disk.lost = {tmp_path}
    with pytest.raises(OSError, match="lost"):
        folders.settle(tmp_path / "b")


def test_a_folder_that_was_removed_fails_for_who_asked_for_it_alone(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    folders = DurableFolders(tmp_path)
    folders._next.folders.add(tmp_path / "gone")
    folders.settle(tmp_path / "there")
    with pytest.raises(FileNotFoundError):
        folders.settle(tmp_path / "gone")


def test_an_error_that_was_met_is_not_forgotten_over_something_unforeseen(tmp_path: Path, disk: Disk) -> None:
    folders = DurableFolders(tmp_path)
    (tmp_path / "a").mkdir()
    shared = folders._next
    disk.lost = {tmp_path / "a"}
    disk.unforeseen_at = tmp_path
    with pytest.raises(MemoryError):
        folders.settle(tmp_path / "a")
    folders._next = shared
    with pytest.raises(OSError, match="lost"):
        folders.settle(tmp_path / "a")


def test_what_ends_unforeseen_is_not_taken_for_done(tmp_path: Path, disk: Disk) -> None:
    """By those who share it: each then does it alone."""
    folders = DurableFolders(tmp_path)
    shared = folders._next
    disk.unforeseen_at = tmp_path
    with pytest.raises(MemoryError):
        folders.settle(tmp_path)
    assert shared.is_settled
    assert not shared.is_known
    folders._next = shared
    folders.settle(tmp_path)
    assert len(disk.synced) == 2


def test_folders_are_made_down_to_the_one_that_is_wanted_and_brought_to_the_disk(
    tmp_path: Path, disk: Disk
) -> None:
    top = tmp_path / "top"
    top.mkdir()
    make_durably(top / "a" / "b" / "c")
    assert (top / "a" / "b" / "c").is_dir()
    assert dict(disk.synced) == {
        top: frozenset("a"),
        top / "a": frozenset("b"),
        top / "a" / "b": frozenset("c"),
    }
    disk.synced.clear()
    make_durably(top / "a" / "b")
    assert [path for path, _ in disk.synced] == [top / "a"]
    disk.error = PermissionError(errno.EACCES, "may not look")
    make_durably(top / "a" / "d")
    disk.error = OSError(errno.EIO, "broken")
    with pytest.raises(OSError, match="broken"):
        make_durably(top / "a" / "e")
