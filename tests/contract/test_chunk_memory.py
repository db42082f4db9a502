"""What `ports.chunk_memory` promises, over mmap and over the fake; and that scratch files are private and mortal."""

from __future__ import annotations

import os
import random
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters import chunk_memory
from s3duct.adapters.chunk_memory import MmapChunkMemory
from s3duct.domain.errors import LocalResourceError
from s3duct.domain.ports.chunk_memory import Placement
from tests.fakes.chunk_memory import FakeChunkMemory
from tests.fakes.strict_memory import StrictChunkMemory

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


@pytest.fixture(params=["mmap", "mmap without O_TMPFILE", "fake", "strict fake"])
def memory(request: pytest.FixtureRequest, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> ChunkMemory:
    if request.param == "fake":
        return FakeChunkMemory()
    if request.param == "strict fake":
        return StrictChunkMemory()
    if request.param == "mmap without O_TMPFILE":
        monkeypatch.delattr(os, "O_TMPFILE")
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


# --- mmap ----------------------------------------------------------------------------------------------------------


def test_memory_is_used_again(scratch: Path) -> None:
    memory = MmapChunkMemory(scratch)
    for _ in range(50):
        region = memory.allocate(64 * MIB, Placement.MEMORY)
        region.view[0] = 1
        region.release()
    assert not scratch.exists()  # no scratch folder where none is needed


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
