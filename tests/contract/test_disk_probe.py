"""What `ports.disk_probe` promises of disks and memory, over the system, made-up systems, and the fakes."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from s3duct.adapters.host_probe.disk import StatvfsDiskProbe
from s3duct.adapters.host_probe.memory import LinuxMemoryProbe
from s3duct.adapters.host_probe.processors import LinuxProcessorProbe
from tests.fakes.probes import FakeDisk, FakeMemory, FakeProcessors

GIB = 1 << 30
MIB = 1 << 20
PLENTY = FakeMemory(1 << 50)


# --- disks ---------------------------------------------------------------------------------------------------------


def test_free_space_is_what_an_unprivileged_user_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def statvfs(path: object) -> os.statvfs_result:
        asked.append(str(path))
        return os.statvfs_result((4096, 512, 1000, 90, 70, 1, 1, 1, 0, 255))

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert StatvfsDiskProbe(tmp_path, PLENTY).free_bytes() == 70 * 512  # f_bavail * f_frsize
    assert asked == [str(tmp_path)]


def test_the_real_disk_answers(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    free = StatvfsDiskProbe(tmp_path, PLENTY).free_bytes()
    assert 0 < free <= status.f_blocks * status.f_frsize
    assert abs(free - status.f_bavail * status.f_frsize) < 4 * GIB  # others write as well


def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert StatvfsDiskProbe(tmp_path / "not" / "yet", PLENTY).free_bytes() > 0
    monkeypatch.chdir(tmp_path)
    assert StatvfsDiskProbe(Path("relative/not yet"), PLENTY).free_bytes() > 0


def test_it_is_asked_anew_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter([10, 20])
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((1, 1, 9, 9, next(free), 1, 1, 1, 0, 255)))
    probe = StatvfsDiskProbe(tmp_path, PLENTY)
    assert [probe.free_bytes(), probe.free_bytes()] == [10, 20]


@pytest.mark.parametrize(
    "error", [OSError(5, "I/O error"), PermissionError(13, "no"), NotADirectoryError(20, "no")]
)
def test_a_disk_that_says_nothing_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def failing(_: object) -> os.statvfs_result:
        raise error

    monkeypatch.setattr(os, "statvfs", failing)
    assert StatvfsDiskProbe(tmp_path, PLENTY).free_bytes() == 0


@pytest.mark.parametrize(
    ("kind", "device", "free"),
    [("tmpfs", "own", 5), ("ramfs", "own", 5), ("ext4", "own", 70 * 512), ("tmpfs", "another", 70 * 512)],
)
def test_where_files_lie_in_memory_both_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, device: str, free: int
) -> None:
    number = tmp_path.stat().st_dev
    own = f"{os.major(number)}:{os.minor(number)}"
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(
        f"odd\n36 35 {own if device == 'own' else '9:99'} / /some\\040where rw - {kind} none rw,size=1k\n"
    )
    monkeypatch.setattr(
        os, "statvfs", lambda _: os.statvfs_result((4096, 512, 1000, 90, 70, 1, 1, 1, 0, 255))
    )
    assert StatvfsDiskProbe(tmp_path, FakeMemory(5), proc=tmp_path).free_bytes() == free
    assert StatvfsDiskProbe(tmp_path, PLENTY, proc=tmp_path).free_bytes() == 70 * 512


def test_fakes_say_what_they_are_told() -> None:
    disk, memory = FakeDisk(5), FakeMemory(6)
    assert (disk.free_bytes(), memory.available_bytes()) == (5, 6)
    disk.free, memory.available = 0, 1
    assert (disk.free_bytes(), memory.available_bytes()) == (0, 1)


# --- memory --------------------------------------------------------------------------------------------------------


class Machine:
    """A made-up `/proc` and control group tree."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.groups = root / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        self.groups.mkdir()

    def meminfo(self, available_kib: int | str) -> None:
        (self.proc / "meminfo").write_text(
            f"MemTotal:       99999999 kB\nMemFree:         1 kB\nMemAvailable:   {available_kib} kB\nBuffers: 5 kB\n"
        )

    def member_of(self, *lines: str) -> None:
        (self.proc / "self" / "cgroup").write_text("".join(line + "\n" for line in lines))

    def group(self, path: str, **values: int | str) -> None:
        folder = self.groups / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (folder / f"memory.{name}").write_text(f"{value}\n")

    def mounted(self, *lines: str) -> None:
        """Lines of mountinfo from the fourth field on; `{}` stands for the folder of groups."""
        (self.proc / "self" / "mountinfo").write_text(
            "".join(
                f"40 31 0:{30 + number} {line.format(self.groups)}\n" for number, line in enumerate(lines)
            )
        )

    def takes(self, **sizes: int) -> None:
        """What this process takes, in KiB."""
        (self.proc / "self" / "status").write_text(
            "Name:\tpython\n" + "".join(f"{name}:\t{size} kB\n" for name, size in sizes.items())
        )

    def stat(self, path: str, **values: int) -> None:
        (self.groups / path / "memory.stat").write_text(
            "".join(f"{name} {value}\n" for name, value in values.items())
        )

    def available(self, **rlimits: int) -> int:
        numbers = {getattr(resource, f"RLIMIT_{name}"): size for name, size in rlimits.items()}
        none = resource.RLIM_INFINITY
        return LinuxMemoryProbe(
            proc=self.proc, cgroup_root=self.groups, rlimit=lambda number: (numbers.get(number, none), none)
        ).available_bytes()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.meminfo(8 * GIB // 1024)
    return machine


def test_without_control_groups_the_machine_counts(machine: Machine) -> None:
    assert machine.available() == 8 * GIB


@pytest.mark.parametrize("path", ["/", "/docker/abc", "/user.slice/a b:c"])
def test_a_limit_of_version_2_counts(machine: Machine, path: str) -> None:
    machine.member_of(f"0::{path}")
    machine.group(path.lstrip("/"), max=GIB, current=300 * MIB)
    assert machine.available() == GIB - 300 * MIB


def test_a_limit_of_version_1_counts(machine: Machine) -> None:
    machine.member_of("5:cpu,cpuacct:/docker/abc", "4:memory:/docker/abc", "1:name=systemd:/x")
    machine.group("memory/docker/abc", limit_in_bytes=GIB, usage_in_bytes=1)
    assert machine.available() == GIB - 1


def test_no_limit_is_no_limit(machine: Machine) -> None:
    machine.member_of("0::/a", "4:memory:/b")
    machine.group("a", max="max", current=5 * GIB)
    machine.group("memory/b", limit_in_bytes=9223372036854771712, usage_in_bytes=5)
    assert machine.available() == 8 * GIB


@pytest.mark.parametrize("limited", ["a", "a/b", "a/b/c"])
def test_the_tightest_of_nested_limits_counts(machine: Machine, limited: str) -> None:
    machine.member_of("0::/a/b/c")
    for path in ("a", "a/b", "a/b/c"):
        machine.group(path, max=2 * GIB, current=MIB)
    machine.group(limited, max=GIB, current=MIB)
    machine.group("", max="max", current=7 * GIB)
    assert machine.available() == GIB - MIB


def test_the_tightest_of_nested_limits_of_version_1_counts(machine: Machine) -> None:
    machine.member_of("4:memory:/a/b")
    machine.group("memory/a/b", limit_in_bytes=4 * GIB, usage_in_bytes=0)
    machine.group("memory/a", limit_in_bytes=3 * GIB, usage_in_bytes=GIB)
    machine.group("memory", limit_in_bytes=9223372036854771712, usage_in_bytes=6 * GIB)
    assert machine.available() == 2 * GIB


def test_inside_a_container_the_root_of_the_mount_is_the_own_group(machine: Machine) -> None:
    # The path is that of the host, and is not there; the mount's root is the container's group.
    machine.member_of("4:memory:/docker/0123", "0::/docker/0123")
    machine.group("memory", limit_in_bytes=GIB, usage_in_bytes=MIB)
    machine.group("", max=2 * GIB, current=0)
    assert machine.available() == GIB - MIB


def test_the_memory_controller_may_share_its_hierarchy(machine: Machine) -> None:
    machine.member_of("4:cpu,memory:/a")
    machine.group("memory/a", limit_in_bytes=GIB, usage_in_bytes=MIB)
    assert machine.available() == GIB - MIB


def test_groups_beside_and_below_do_not_count(machine: Machine) -> None:
    machine.member_of("0::/a")
    machine.group("a", max=2 * GIB, current=0)
    machine.group("a/below", max=MIB, current=0)
    machine.group("beside", max=MIB, current=0)
    assert machine.available() == 2 * GIB


def test_beyond_the_high_mark_of_version_2_a_group_only_stalls(machine: Machine) -> None:
    machine.member_of("0::/a/b")
    machine.group("a/b", max=2 * GIB, high=GIB, current=MIB)
    machine.group("a", max="max", high="max", current=MIB)
    assert machine.available() == GIB - MIB
    machine.group("a", max="max", high=GIB // 2, current=MIB)
    assert machine.available() == GIB // 2 - MIB


def test_pages_of_files_are_given_back_before_anybody_is_killed(machine: Machine) -> None:
    machine.member_of("0::/a")
    machine.group("a", max=GIB, current=GIB)
    assert machine.available() == 0
    machine.stat("a", anon=300 * MIB, inactive_file=100 * MIB, active_file=50 * MIB, slab_reclaimable=MIB)
    assert machine.available() == 151 * MIB
    # A file in memory is none of those.
    machine.stat("a", anon=0, file=500 * MIB, shmem=500 * MIB, inactive_file=0)
    assert machine.available() == 0


def test_pages_of_files_of_version_1_are_those_of_the_whole_tree(machine: Machine) -> None:
    machine.member_of("4:memory:/a")
    machine.group("memory/a", limit_in_bytes=GIB, usage_in_bytes=GIB)
    machine.stat("memory/a", inactive_file=MIB, total_inactive_file=5 * MIB, total_active_file=6 * MIB)
    assert machine.available() == 11 * MIB


@pytest.mark.parametrize("odd", ["", "inactive_file\n", "inactive_file x\n"])
def test_odd_statistics_give_nothing_back(machine: Machine, odd: str) -> None:
    machine.member_of("0::/a")
    machine.group("a", max=GIB, current=MIB)
    (machine.groups / "a" / "memory.stat").write_text(odd)
    assert machine.available() == GIB - MIB


def test_groups_are_found_where_they_are_mounted(machine: Machine) -> None:
    """Version 2 beside version 1, as systemd mounted it for years; another controller; a path with a space."""
    machine.member_of("4:memory:/a", "1:name=systemd:/x", "0::/b")
    machine.mounted(
        "/ {}/cpu rw - cgroup cgroup rw,cpu",
        "/ {}/some\\040where rw shared:9 - cgroup cgroup rw,memory",
        "/ {}/unified rw - cgroup2 cgroup2 rw",
    )
    machine.group("unified/b", max=2 * GIB, current=0)
    assert machine.available() == 2 * GIB
    machine.group("some where/a", limit_in_bytes=GIB, usage_in_bytes=0)
    assert machine.available() == GIB


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ("/docker/abc", "/docker/abc"),  # the host's path is known, the mount shows the group alone
        ("/docker/abc", "/docker/abc/in/it"),
        ("/", "/../outside"),  # a process that was moved out of the namespace
    ],
)
def test_inside_a_container_the_mount_may_be_the_own_group(machine: Machine, root: str, path: str) -> None:
    machine.member_of(f"0::{path}")
    machine.mounted(f"{root} {{}} rw - cgroup2 cgroup2 rw")
    machine.group("", max=GIB, current=0)
    machine.group("in/it", max=2 * GIB, current=0)
    assert machine.available() == GIB
    if path.endswith("in/it"):
        machine.group("in/it", max=MIB, current=0)
        assert machine.available() == MIB


def test_limits_of_the_process_count(machine: Machine) -> None:
    machine.takes(VmSize=3 << 20, VmData=1 << 20)
    threads_to_come = 64 * MIB
    assert machine.available() == 8 * GIB
    assert machine.available(AS=4 * GIB) == GIB - threads_to_come
    assert machine.available(DATA=4 * GIB) == 3 * GIB - threads_to_come
    assert machine.available(AS=4 * GIB, DATA=GIB + threads_to_come + 5) == 5
    assert machine.available(AS=MIB) == 0
    machine.takes()
    assert machine.available(AS=MIB) == 8 * GIB


def test_a_group_above_its_limit_leaves_nothing(machine: Machine) -> None:
    machine.member_of("0::/a")
    machine.group("a", max=GIB, current=GIB + 5)
    assert machine.available() == 0


@pytest.mark.parametrize(
    "values", [{}, {"max": GIB}, {"current": 5}, {"max": "?", "current": 5}, {"max": GIB, "current": ""}]
)
def test_files_that_are_missing_or_odd_do_not_count(machine: Machine, values: dict[str, int | str]) -> None:
    machine.member_of("0::/a", "", "odd", "1:2", "::")
    machine.group("a", **values)
    assert machine.available() == 8 * GIB


def test_a_machine_that_says_nothing_is_taken_for_a_small_one(tmp_path: Path, machine: Machine) -> None:
    assert LinuxMemoryProbe(proc=tmp_path / "no", cgroup_root=tmp_path / "no").available_bytes() == GIB
    machine.meminfo("lots")
    assert machine.available() == GIB


def test_the_real_machine_answers() -> None:
    assert 0 < LinuxMemoryProbe().available_bytes() < 1 << 50


# --- processors ----------------------------------------------------------------------------------------------------


def test_what_nobody_used_is_counted_since_an_earlier_look(tmp_path: Path) -> None:
    def passes(user: int, idle: int, iowait: int, steal: int) -> None:
        line = f"cpu  {user} 0 0 {idle} {iowait} 0 0 {steal} 77 88"
        (tmp_path / "stat").write_text(line + "\ncpu0 1 2 3 4 5 6 7 8 9 10\n")

    passes(1000, 5000, 100, 0)
    probe = LinuxProcessorProbe(proc=tmp_path)
    assert probe.idle_share() == 0  # nothing is known yet
    passes(1010, 5000, 100, 0)
    assert probe.idle_share() == 0  # too short a while
    passes(1060, 5030, 110, 0)
    assert probe.idle_share() == pytest.approx(0.4)
    passes(1065, 5030, 110, 0)
    assert probe.idle_share() == pytest.approx(0.4)
    passes(1100, 5030, 110, 60)
    assert probe.idle_share() == 0


def test_idle_time_before_the_beginning_does_not_count(tmp_path: Path) -> None:
    def passes(user: int, idle: int) -> None:
        (tmp_path / "stat").write_text(f"cpu  {user} 0 0 {idle} 0 0 0 0 0 0\n")

    passes(1000, 5000)
    probe = LinuxProcessorProbe(proc=tmp_path)
    passes(1010, 5090)
    assert probe.idle_share() == pytest.approx(0.9)
    passes(1010, 5190)
    probe.begin()
    assert probe.idle_share() == 0  # nothing is known of what is to come
    passes(1050, 5200)
    assert probe.idle_share() == pytest.approx(0.2)


@pytest.mark.parametrize("content", [None, "", "cpu", "cpu a b c d", "intr 1 2"])
def test_where_the_system_does_not_count_all_are_idle(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "stat").write_text(content)
    assert LinuxProcessorProbe(proc=tmp_path).idle_share() == 1


def test_real_and_fake_processors_have_a_share_of_idle_time() -> None:
    for probe in (LinuxProcessorProbe(), FakeProcessors(), FakeProcessors(0.3)):
        assert 0 <= probe.idle_share() <= 1
