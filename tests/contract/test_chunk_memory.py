"""What `ports.chunk_memory` promises, over mmap and over the fake; and that scratch files are private and mortal."""

from __future__ import annotations

import errno
import mmap
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters import chunk_memory
from s3duct.adapters.chunk_memory import MmapChunkMemory
from s3duct.domain.errors import LocalResourceError
from s3duct.domain.ports.chunk_memory import Placement
from tests.fakes.chunk_memory import FakeChunkMemory
from tests.fakes.strict_memory import StrictChunkMemory
from tests.support.small_hosts import mounted_ext2, mounted_tmpfs

if TYPE_CHECKING:
    from pathlib import Path

    from s3duct.domain.ports.chunk_memory import ChunkMemory

MIB = 1 << 20
every_placement = pytest.mark.parametrize(
    "placement", list(Placement), ids=lambda placement: placement.name.lower()
)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "not yet" / "there"


@pytest.fixture(params=["mmap", "mmap without O_TMPFILE", "mmap without fallocate", "fake", "strict fake"])
def memory(request: pytest.FixtureRequest, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> ChunkMemory:
    if request.param == "fake":
        return FakeChunkMemory()
    if request.param == "strict fake":
        return StrictChunkMemory()
    if request.param == "mmap without O_TMPFILE":
        monkeypatch.delattr(os, "O_TMPFILE")
    if request.param == "mmap without fallocate":
        monkeypatch.delattr(os, "posix_fallocate")
    return MmapChunkMemory(scratch)


# --- every chunk memory --------------------------------------------------------------------------------------------


@every_placement
@pytest.mark.parametrize("size_bytes", [1, 1024, 4095, 4096, 4097, 3 * MIB + 5])
def test_a_region_is_as_large_as_asked_and_holds_what_is_written(
    memory: ChunkMemory, placement: Placement, size_bytes: int
) -> None:
    content = random.Random(size_bytes).randbytes(size_bytes)
    region = memory.allocate(size_bytes, placement)
    assert region.placement is placement
    assert len(region.view) == size_bytes
    assert not region.view.readonly
    assert (region.view.format, region.view.itemsize, region.view.contiguous) == ("B", 1, True)
    region.view[:] = content
    assert region.view == content
    region.release()


@every_placement
def test_regions_are_apart(memory: ChunkMemory, placement: Placement) -> None:
    regions = [memory.allocate(10_000, placement) for _ in range(5)]
    for number, region in enumerate(regions):
        region.view[:] = bytes([number]) * 10_000
    for number, region in enumerate(regions):
        assert region.view == bytes([number]) * 10_000
        region.release()


@every_placement
def test_content_survives_eviction(memory: ChunkMemory, placement: Placement) -> None:
    content = random.Random(1).randbytes(MIB + 77)
    region = memory.allocate(len(content), placement)
    region.view[:] = content
    for start, stop in ((0, len(content)), (5, 10), (4096, 8192), (100, 100), (MIB - 1, MIB + 77), (1, MIB)):
        region.evict(start, stop)
        assert region.view == content
    region.view[10:20] = b"0123456789"
    region.evict(0, len(content))
    assert bytes(region.view[10:20]) == b"0123456789"
    region.release()
    region.evict(0, len(content))  # a hint after the end is no error


@every_placement
def test_release_can_be_repeated(memory: ChunkMemory, placement: Placement) -> None:
    region = memory.allocate(5000, placement)
    for _ in range(3):
        region.release()
    # What was given back twice is not handed out twice.
    first, second = memory.allocate(5000, placement), memory.allocate(5000, placement)
    first.view[:] = b"1" * 5000
    second.view[:] = b"2" * 5000
    assert first.view == b"1" * 5000
    first.release()
    second.release()


@every_placement
def test_a_view_held_elsewhere_is_not_overwritten_by_the_next_user(
    memory: ChunkMemory, placement: Placement
) -> None:
    if isinstance(memory, FakeChunkMemory):
        return  # it never uses a region again
    region = memory.allocate(8192, placement)
    region.view[:] = b"a" * 8192
    held = region.view[100:200]
    region.release()
    others = [memory.allocate(8192, placement) for _ in range(4)]
    for other in others:
        other.view[:] = b"b" * 8192
    assert bytes(held) == b"a" * 100
    held.release()
    for other in others:
        other.release()


def test_what_does_not_fit_is_a_local_error(memory: ChunkMemory) -> None:
    if isinstance(memory, StrictChunkMemory):
        memory = StrictChunkMemory(refused=frozenset({1}))
    elif isinstance(memory, FakeChunkMemory):
        memory.full.add(Placement.MEMORY)
    with pytest.raises(LocalResourceError) as caught:
        memory.allocate(1 << 60, Placement.MEMORY)
    assert "\n" not in caught.value.message
    if isinstance(memory, FakeChunkMemory):
        memory.full.clear()
    memory.allocate(1000, Placement.MEMORY).release()


@every_placement
def test_memory_that_is_kept_can_be_given_back_and_nothing_that_is_in_use(
    memory: ChunkMemory, placement: Placement
) -> None:
    used, released = memory.allocate(5000, placement), memory.allocate(5000, placement)
    used.view[:] = b"u" * 5000
    assert memory.spare_bytes == 0
    released.release()
    assert memory.spare_bytes in ({0, 5000} if placement is Placement.MEMORY else {0})
    memory.trim()
    assert memory.spare_bytes == 0
    assert used.view == b"u" * 5000
    memory.allocate(5000, placement).release()
    used.release()


def test_a_lent_buffer_is_as_large_as_asked_and_not_lent_twice(memory: ChunkMemory) -> None:
    buffers = [memory.lend(size_bytes) for size_bytes in (1, 5000, 5000, 70_000, 3000)]
    for number, buffer in enumerate(buffers):
        buffer[:] = bytes([number]) * len(buffer)
    assert [len(buffer) for buffer in buffers] == [1, 5000, 5000, 70_000, 3000]
    for number, buffer in enumerate(buffers):
        assert buffer == bytes([number]) * len(buffer)


def test_a_lent_buffer_is_left_alone_while_a_slice_of_it_is_held(memory: ChunkMemory) -> None:
    held = memory.lend(8192)[100:200]
    held[:] = b"a" * 100
    for _ in range(4):
        memory.lend(8192)[:] = b"b" * 8192
        memory.trim()
    assert held == b"a" * 100


# --- mmap ----------------------------------------------------------------------------------------------------------


def test_a_buffer_that_came_back_is_lent_again(scratch: Path) -> None:
    memory = MmapChunkMemory(scratch)
    first, second = memory.lend(64 * MIB), memory.lend(64 * MIB)
    assert memory.spare_bytes == 0
    second[0] = 7
    del second
    assert memory.spare_bytes == 64 * MIB
    smaller = memory.lend(MIB)
    assert (len(smaller), smaller[0]) == (MIB, 7)
    del smaller
    before = _address_space()
    memory.trim()
    assert before - _address_space() >= 64 * MIB
    assert memory.spare_bytes == 0
    first[-1] = 1


class MeetingMemory(MmapChunkMemory):
    """Two threads that look for a buffer at the same time meet there, or give up waiting for each other."""

    def __init__(self, scratch_dir: Path) -> None:
        super().__init__(scratch_dir)
        self.meeting = threading.Barrier(2)

    def _returned(self) -> list[mmap.mmap]:
        returned = super()._returned()
        with suppress(threading.BrokenBarrierError):
            self.meeting.wait(timeout=0.2)
        return returned


def test_two_threads_never_get_the_same_buffer(scratch: Path) -> None:
    """One client may be used by event loops on several threads: two streams sealed into one buffer would both be lost."""
    memory = MeetingMemory(scratch)
    memory.lend(8192)  # alone: nobody was met
    memory.meeting.reset()
    lent: list[memoryview] = []
    threads = [threading.Thread(target=lambda: lent.append(memory.lend(8192))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = lent
    first[:], second[:] = b"a" * 8192, b"b" * 8192
    assert first == b"a" * 8192


def test_buffers_that_came_back_too_small_make_room_for_a_larger_one(scratch: Path) -> None:
    memory = MmapChunkMemory(scratch)
    del [memory.lend(MIB) for _ in range(3)][:]
    assert memory.spare_bytes == 3 * MIB
    memory.lend(2 * MIB)
    assert memory.spare_bytes == 2 * MIB


def test_where_it_cannot_be_told_whether_a_buffer_is_held_none_is_lent_twice(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_memory, "_is_held", lambda _: True)
    memory = MmapChunkMemory(scratch)
    memory.lend(MIB)[0] = 1
    assert memory.lend(MIB)[0] == 0
    assert memory.spare_bytes == 0


def test_memory_is_used_again(scratch: Path) -> None:
    memory = MmapChunkMemory(scratch)
    for _ in range(50):
        region = memory.allocate(64 * MIB, Placement.MEMORY)
        region.view[0] = 1
        region.release()
    assert not scratch.exists()  # no scratch folder where none is needed


def test_regions_of_a_size_that_is_not_asked_for_any_more_are_not_kept(scratch: Path) -> None:
    memory = MmapChunkMemory(scratch)
    old = memory.allocate(64 * MIB, Placement.MEMORY)
    new = memory.allocate(MIB, Placement.MEMORY)
    before = _address_space()
    old.release()
    assert before - _address_space() >= 64 * MIB
    new.release()
    assert memory.spare_bytes == MIB


def test_what_is_kept_is_counted_used_first_and_unmapped_when_it_is_given_back(scratch: Path) -> None:
    memory = MmapChunkMemory(scratch)
    regions = [memory.allocate(64 * MIB, Placement.MEMORY) for _ in range(2)]
    for region in regions:
        region.release()
    assert memory.spare_bytes == 128 * MIB
    again = memory.allocate(64 * MIB, Placement.MEMORY)
    assert memory.spare_bytes == 64 * MIB
    before = _address_space()
    memory.trim()
    assert before - _address_space() >= 64 * MIB
    again.release()


def _address_space() -> int:
    with open("/proc/self/statm", encoding="utf-8") as sizes:  # noqa: PTH123 - a file of the kernel
        return int(sizes.read().split()[0]) * resource.getpagesize()


def _mapped_files() -> list[str]:
    with open("/proc/self/maps", encoding="utf-8") as maps:  # noqa: PTH123 - a file of the kernel
        return [line for line in maps if "deleted" in line]


@pytest.mark.parametrize("unnamed", [True, False], ids=["O_TMPFILE", "unlinked"])
def test_scratch_files_are_private_and_have_no_name(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, unnamed: bool
) -> None:
    opened: list[tuple[int, int]] = []
    reserve = chunk_memory._reserve

    def looking(descriptor: int, size_bytes: int) -> None:
        status = os.fstat(descriptor)
        opened.append((stat.S_IMODE(status.st_mode), status.st_nlink))
        reserve(descriptor, size_bytes)
        assert os.fstat(descriptor).st_blocks * 512 >= size_bytes, "the space is not reserved"

    monkeypatch.setattr(chunk_memory, "_reserve", looking)
    if not unnamed:
        monkeypatch.delattr(os, "O_TMPFILE")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a folder of the kernel
    region = MmapChunkMemory(scratch).allocate(100_000, Placement.SCRATCH)
    region.view[:] = b"s" * 100_000
    assert opened == [(0o600, 0)]
    assert list(scratch.iterdir()) == []
    assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
    assert any(str(scratch) in line for line in _mapped_files())
    region.release()
    assert not any(str(scratch) in line for line in _mapped_files())
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


def test_scratch_stays_mapped_while_a_view_is_held_and_goes_with_it(scratch: Path) -> None:
    region = MmapChunkMemory(scratch).allocate(10_000, Placement.SCRATCH)
    held = region.view[:10]
    region.release()
    assert bytes(held) == bytes(10)
    held.release()
    del region, held
    assert not any(str(scratch) in line for line in _mapped_files())


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_where_space_cannot_be_reserved_it_is_written(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    blocks = []
    real = mmap.mmap

    def looking(descriptor: int, size_bytes: int) -> mmap.mmap:
        blocks.append(os.fstat(descriptor).st_blocks * 512)
        return real(descriptor, size_bytes)

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    monkeypatch.setattr(mmap, "mmap", looking)
    region = MmapChunkMemory(scratch).allocate(3 * MIB + 5, Placement.SCRATCH)
    assert blocks[0] >= 3 * MIB + 5
    assert region.view == bytes(3 * MIB + 5)
    region.release()


@pytest.mark.parametrize(
    "number",
    [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG, errno.ENOMEM],
    ids=lambda number: errno.errorcode[number],
)
@pytest.mark.parametrize("at", ["open", "posix_fallocate", "pwrite"])
def test_whatever_the_disk_answers_is_a_local_error(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, at: str, number: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    if at == "pwrite":
        monkeypatch.delattr(os, "posix_fallocate")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a folder of the kernel
    with monkeypatch.context() as patch:
        patch.setattr(os, at, fail)
        with pytest.raises(LocalResourceError) as caught:
            MmapChunkMemory(scratch).allocate(1000, Placement.SCRATCH)
    assert caught.value.message.endswith(os.strerror(number))
    assert caught.value.hint
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
    assert list(scratch.iterdir()) == []


@every_placement
def test_memory_that_python_cannot_get_is_a_local_error(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, placement: Placement
) -> None:
    def exhausted(*_: int, **__: int) -> None:
        raise MemoryError

    monkeypatch.setattr(mmap, "mmap", exhausted)
    with pytest.raises(LocalResourceError) as caught:
        MmapChunkMemory(scratch).allocate(1000, placement)
    assert "\n" not in caught.value.message
    with pytest.raises(LocalResourceError):
        MmapChunkMemory(scratch).lend(1000)


def test_a_scratch_folder_that_vanishes_is_made_again(scratch: Path) -> None:
    memory = MmapChunkMemory(scratch)
    first = memory.allocate(5000, Placement.SCRATCH)
    first.view[:] = b"f" * 5000
    scratch.rmdir()
    scratch.parent.rmdir()
    second = memory.allocate(5000, Placement.SCRATCH)
    assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
    assert first.view == b"f" * 5000
    first.release()
    second.release()


def test_a_name_that_a_killed_process_left_is_removed(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without O_TMPFILE there is a moment in which a scratch file has a name, and no content."""
    monkeypatch.delattr(os, "O_TMPFILE")
    scratch.mkdir(parents=True)
    for name, content in (
        ("s3duct-stale", b""),
        ("s3duct-young", b""),
        ("s3duct-full", b"x"),
        ("other", b""),
    ):
        (scratch / name).write_bytes(content)
        if name != "s3duct-young":
            os.utime(scratch / name, (0, 0))
    MmapChunkMemory(scratch).allocate(1000, Placement.SCRATCH).release()
    assert {path.name for path in scratch.iterdir()} == {"s3duct-young", "s3duct-full", "other"}


FILL = textwrap.dedent(
    """
    import errno, os, sys
    from pathlib import Path
    from s3duct.adapters.chunk_memory import MmapChunkMemory
    from s3duct.domain.errors import LocalResourceError
    from s3duct.domain.ports.chunk_memory import Placement
    folder, manner = sys.argv[1:]
    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, "not supported")
    if manner == "refused":
        os.posix_fallocate = refuse
    if manner == "holes":
        os.posix_fallocate = lambda descriptor, _, size_bytes: os.ftruncate(descriptor, size_bytes)
    memory, regions = MmapChunkMemory(Path(folder)), []
    try:
        while len(regions) < 100:
            regions.append(memory.allocate(1 << 20, Placement.SCRATCH))
    except LocalResourceError as error:
        print(len(regions), error.message)
    for region in regions:
        region.view[:] = b"x" * (1 << 20)
    regions.pop().release()
    memory.allocate(1 << 20, Placement.SCRATCH).view[:] = b"y" * (1 << 20)
    """
)


@pytest.mark.parametrize(
    ("kind", "manner"),
    [("tmpfs", "reserved"), ("tmpfs", "refused"), ("ext2", "reserved"), ("tmpfs", "holes")],
)
def test_every_byte_of_a_region_can_be_written_on_a_disk_that_is_full(
    tmp_path: Path, kind: str, manner: str
) -> None:
    """A hole in a mapped file would be a SIGBUS then, as the last case shows: it makes holes. ext2 has no fallocate."""
    disk = tmp_path / "disk"
    small = mounted_tmpfs(disk, "size=10m") if kind == "tmpfs" else mounted_ext2(disk, 10 * MIB)
    with small as point:
        ended = subprocess.run(
            [sys.executable, "-c", FILL, str(point / "scratch"), manner],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert list((point / "scratch").iterdir()) == []
    if manner == "holes":
        assert ended.returncode == -signal.SIGBUS
        return
    assert ended.returncode == 0, ended.stderr
    assert 5 < int(ended.stdout.split()[0]) <= 10
    assert "No space left on device" in ended.stdout


def test_a_disk_without_inodes_and_one_that_is_read_only_are_local_errors(tmp_path: Path) -> None:
    for name, options, reason in (("few", "nr_inodes=2", "No space left"), ("ro", "ro", "Read-only")):
        with mounted_tmpfs(tmp_path / name, options) as point:
            memory = MmapChunkMemory(point / "scratch")
            with pytest.raises(LocalResourceError, match=reason):
                memory.allocate(1000, Placement.SCRATCH)


def test_a_full_disk_is_an_error_at_once(scratch: Path) -> None:
    memory = MmapChunkMemory(scratch)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(LocalResourceError) as caught:
            memory.allocate(100_000, Placement.SCRATCH)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(scratch) in caught.value.message
    assert "--scratch-dir" in caught.value.hint
    assert list(scratch.iterdir()) == []
    memory.allocate(100_000, Placement.SCRATCH).release()


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_scratch_folder_that_cannot_be_made_is_a_local_error(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalResourceError, match="scratch"):
        MmapChunkMemory(tmp_path / "file" / below).allocate(1000, Placement.SCRATCH)


def test_a_killed_process_leaves_nothing_on_scratch(scratch: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from s3duct.adapters.chunk_memory import MmapChunkMemory
        from s3duct.domain.ports.chunk_memory import Placement
        region = MmapChunkMemory(Path(sys.argv[1])).allocate(1 << 20, Placement.SCRATCH)
        region.view[:] = b"x" * (1 << 20)
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script, str(scratch)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        assert list(scratch.iterdir()) == []
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=10)
    assert list(scratch.iterdir()) == []
