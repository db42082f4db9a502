"""What `ports.output` promises: of files, of the fake, and of what takes bytes as they come."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.output_file import FileOutput
from s3duct.adapters.output_straight import DeviceOutput, SinkOutput
from s3duct.adapters.pipe_ends import DescriptorSink
from s3duct.app.container.outputs import make_output
from s3duct.domain.errors import ExitCode, OutputExists, RunInProgress, SinkClosed, SinkError
from s3duct.domain.ports.output import Output, OutputPart
from tests.fakes.output import FakeOutput
from tests.fakes.pipe import FakeSink

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = bytes(range(256)) * 40


class Place(ABC):
    """Somewhere an output is, seen from the other side."""

    @abstractmethod
    def output(self, *, replace: bool = False) -> Output:
        """A new output over it, as another process would make one."""

    @abstractmethod
    def content(self) -> bytes | None:
        """What is there under the output's name."""

    @abstractmethod
    def put(self, content: bytes) -> None:
        """Let something be there."""

    @abstractmethod
    def unfinished(self) -> int:
        """How many parts lie there."""


class FilePlace(Place):
    def __init__(self, path: Path) -> None:
        self.path = path

    def output(self, *, replace: bool = False) -> Output:
        return FileOutput(self.path, replace=replace)

    def content(self) -> bytes | None:
        return self.path.read_bytes() if self.path.exists() else None

    def put(self, content: bytes) -> None:
        self.path.write_bytes(content)

    def unfinished(self) -> int:
        return len(parts_in(self.path.parent))


class FakePlace(Place):
    def __init__(self) -> None:
        self._fake = FakeOutput()

    def output(self, *, replace: bool = False) -> Output:
        other = FakeOutput(self._fake.content, replace=replace)
        other.parts, other.held = self._fake.parts, self._fake.held
        self._fake = other
        return other

    def content(self) -> bytes | None:
        return self._fake.content

    def put(self, content: bytes) -> None:
        self._fake.content = content

    def unfinished(self) -> int:
        return len(self._fake.parts)


def parts_in(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*.s3duct-part"))


@pytest.fixture(params=["file", "symbolic link", "fake"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "fake":
        return FakePlace()
    folder = tmp_path / "folder"
    folder.mkdir()
    if request.param == "file":
        return FilePlace(folder / "out")
    (tmp_path / "link").symlink_to("folder/out")
    place = FilePlace(tmp_path / "link")
    place.unfinished = lambda: len(parts_in(folder))  # type: ignore[method-assign]  # beside the file, not the link
    return place


def write(part: OutputPart, content: bytes) -> None:
    part.write_all(memoryview(content))


def read(part: OutputPart, size: int, offset: int = 0) -> bytes:
    buffer = bytearray(size)
    filled = part.read_into(memoryview(buffer), offset_bytes=offset)
    return bytes(buffer[:filled])


# --- what can be gone on from ------------------------------------------------------------------------------------------


def test_content_has_its_name_when_it_is_complete_and_not_before(place: Place) -> None:
    output = place.output()
    assert isinstance(output, Output)
    output.check()
    assert place.unfinished() == 0

    part = output.begin("a")
    assert part.name
    for start in range(0, len(CONTENT), 1000):
        write(part, CONTENT[start : start + 1000])
        assert place.content() is None
    part.commit(len(CONTENT))
    part.close()
    part.close()

    assert place.content() == CONTENT
    assert place.unfinished() == 0


def test_an_unfinished_part_is_found_again_as_it_was_left(place: Place) -> None:
    part = place.output().begin("a")
    write(part, CONTENT[:5000])
    part.close()
    assert place.content() is None

    again = place.output().begin("a")
    assert read(again, 6000) == CONTENT[:5000]
    assert read(again, 100, offset=4990) == CONTENT[4990:5000]
    assert read(again, 100, offset=5000) == b""
    assert read(again, 100, offset=9000) == b""
    assert read(again, 0) == b""
    again.go_on_at(3000)
    write(again, CONTENT[3000:4000])
    write(again, CONTENT[4000:])
    again.commit(len(CONTENT))

    assert place.content() == CONTENT


def test_what_lies_behind_the_end_is_cut_off(place: Place) -> None:
    part = place.output().begin("a")
    write(part, CONTENT)
    part.go_on_at(0)
    write(part, b"abc")
    part.go_on_at(5)
    part.commit(5)

    assert place.content() == b"abc" + CONTENT[3:5]


def test_another_content_begins_a_part_of_its_own(place: Place) -> None:
    old = place.output().begin("old")
    write(old, b"old" * 100)
    assert list(old.others) == []
    old.close()

    new = place.output().begin("new")
    assert read(new, 10) == b""
    assert list(new.others) == [old.name]
    write(new, b"new")
    new.commit(3)

    assert place.content() == b"new"
    assert place.unfinished() == 1


def test_two_at_once_do_not_mix(place: Place) -> None:
    part = place.output().begin("a")
    write(part, CONTENT)
    with pytest.raises(RunInProgress) as caught:
        place.output().begin("a")
    assert caught.value.exit_code is ExitCode.BUSY
    part.close()

    again = place.output().begin("a")
    assert read(again, len(CONTENT)) == CONTENT
    again.close()


def test_an_empty_part_leaves_nothing(place: Place) -> None:
    part = place.output().begin("a")
    part.close()
    part.close()

    assert place.unfinished() == 0


def test_an_empty_content_is_a_content(place: Place) -> None:
    part = place.output().begin("a")
    part.commit(0)
    part.close()

    assert place.content() == b""
    assert place.unfinished() == 0


def test_what_is_there_is_not_replaced_unless_that_is_allowed(place: Place) -> None:
    place.put(b"precious")
    for refuse in (lambda: place.output().check(), lambda: place.output().begin("a")):
        with pytest.raises(OutputExists) as caught:
            refuse()
        assert caught.value.exit_code is ExitCode.EXISTS
    assert place.unfinished() == 0

    output = place.output(replace=True)
    output.check()
    part = output.begin("a")
    write(part, CONTENT)
    assert place.content() == b"precious"
    part.close()
    assert place.content() == b"precious"
    part = place.output(replace=True).begin("a")
    part.commit(len(CONTENT))

    assert place.content() == CONTENT


def test_what_comes_into_being_meanwhile_is_not_replaced(place: Place) -> None:
    part = place.output().begin("a")
    write(part, CONTENT)
    place.put(b"precious")
    with pytest.raises(OutputExists):
        part.commit(len(CONTENT))
    part.close()
    assert place.content() == b"precious"

    part = place.output(replace=True).begin("a")
    assert read(part, len(CONTENT)) == CONTENT
    part.commit(len(CONTENT))
    assert place.content() == CONTENT


# --- files ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def umask() -> Iterator[int]:
    old = os.umask(0o027)
    yield 0o027
    os.umask(old)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_a_part_is_private_and_the_file_is_as_a_redirection_would_make_it(tmp_path: Path) -> None:
    part = FileOutput(tmp_path / "out").begin("a")
    write(part, CONTENT)
    assert mode_of(Path(part.name)) == 0o600
    part.commit(len(CONTENT))

    assert mode_of(tmp_path / "out") == 0o640


@pytest.mark.usefixtures("umask")
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    (tmp_path / "out").chmod(0o604)
    part = FileOutput(tmp_path / "out", replace=True).begin("a")
    part.commit(0)

    assert mode_of(tmp_path / "out") == 0o604


def test_a_part_that_was_opened_to_others_is_private_again(tmp_path: Path) -> None:
    part = FileOutput(tmp_path / "out").begin("a")
    write(part, CONTENT)
    part.close()
    Path(part.name).chmod(0o644)

    FileOutput(tmp_path / "out").begin("a").close()

    assert mode_of(Path(part.name)) == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    (tmp_path / "link").symlink_to("out")
    part = FileOutput(tmp_path / "link", replace=True).begin("a")
    write(part, CONTENT)
    part.commit(len(CONTENT))

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "out").read_bytes() == CONTENT


def test_a_crash_between_link_and_unlink_leaves_no_second_name(tmp_path: Path) -> None:
    """The next get is told that the file is there, and takes the name of the part away; others keep theirs."""
    part = FileOutput(tmp_path / "out").begin("a")
    part.write_all(memoryview(b"whole"))
    (tmp_path / "out").hardlink_to(part.name)
    part.close()
    other = FileOutput(tmp_path / "out2").begin("a")
    other.write_all(memoryview(b"part"))
    other.close()
    (tmp_path / "mine").hardlink_to(tmp_path / "out")
    with pytest.raises(OutputExists):
        FileOutput(tmp_path / "out").check()
    assert not Path(part.name).exists()
    assert (tmp_path / "mine").exists()
    assert Path(other.name).exists()
    assert (tmp_path / "out").read_bytes() == b"whole"


def test_a_crash_between_link_and_unlink_never_lets_the_file_be_written_to(tmp_path: Path) -> None:
    part = FileOutput(tmp_path / "out").begin("a")
    write(part, CONTENT)
    part.close()
    (tmp_path / "out").hardlink_to(part.name)

    again = FileOutput(tmp_path / "out", replace=True).begin("a")
    assert read(again, 10) == b""
    write(again, b"x")

    assert (tmp_path / "out").read_bytes() == CONTENT
    again.close()


def test_a_link_in_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    part = FileOutput(tmp_path / "out").begin("a")
    part.close()
    Path(part.name).symlink_to("elsewhere")

    with pytest.raises(SinkError):
        FileOutput(tmp_path / "out").begin("a")
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / "elsewhere").write_bytes(b"precious")
    with pytest.raises(SinkError):
        FileOutput(tmp_path / "out").begin("a")
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_part_of_another_user_is_not_used(tmp_path: Path) -> None:
    part = FileOutput(tmp_path / "out").begin("a")
    part.close()
    Path(part.name).write_bytes(b"")
    os.chown(part.name, 12345, 12345)

    with pytest.raises(SinkError, match="not a file of this user") as caught:
        FileOutput(tmp_path / "out").begin("a")
    assert "remove it" in caught.value.hint


def test_a_pipe_in_place_of_the_part_is_not_used(tmp_path: Path) -> None:
    part = FileOutput(tmp_path / "out").begin("a")
    part.close()
    os.mkfifo(part.name)

    with pytest.raises(SinkError):
        FileOutput(tmp_path / "out").begin("a")


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "-", "a b\nc", "\udcff\udcfe"])
def test_any_name_that_a_file_can_have(tmp_path: Path, name: str) -> None:
    part = FileOutput(tmp_path / name).begin("a")
    write(part, CONTENT)
    part.close()
    again = FileOutput(tmp_path / name).begin("a")
    assert read(again, len(CONTENT)) == CONTENT
    again.commit(len(CONTENT))

    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == [name]


def test_two_long_names_with_one_beginning_do_not_share_a_part(tmp_path: Path) -> None:
    first = FileOutput(tmp_path / ("x" * 254 + "1")).begin("a")
    second = FileOutput(tmp_path / ("x" * 254 + "2")).begin("a")
    assert first.name != second.name
    first.close()
    second.close()


def refusal_of(path: Path, *, replace: bool = True) -> SinkError:
    """The error that both `check` and `begin` raise."""
    messages = []
    for call in (
        lambda: make_output(path, replace=replace).check(),
        lambda: make_output(path, replace=replace).begin("a"),
    ):
        with pytest.raises(SinkError) as caught:
            call()
        messages.append(caught.value.message)
    assert "None" not in messages[0]
    assert str(path)[:50].replace("\0", "\\x00") in messages[0]
    return caught.value


def test_what_cannot_be_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "around").symlink_to("around")
    assert "is a folder" in refusal_of(tmp_path).message
    assert "No such file" in refusal_of(tmp_path / "missing" / "out").message
    assert "Not a directory" in refusal_of(tmp_path / "file" / "out").message
    assert "around" in refusal_of(tmp_path / "around").message
    assert "name too long" in refusal_of(tmp_path / ("x" * 256)).message
    assert "not a path" in refusal_of(tmp_path / "a\0b").message
    assert parts_in(tmp_path) == []


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # their names are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert "not a regular file" in refusal_of(Path("socket")).message


def test_a_folder_without_write_permission_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        folder = Path("/sys/kernel")  # root may make files nearly everywhere else
    else:
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o500)
    with pytest.raises(SinkError, match=r"cannot write .*out"):
        FileOutput(folder / "out").begin("a")


def test_a_file_that_became_a_folder_is_not_replaced(tmp_path: Path) -> None:
    part = FileOutput(tmp_path / "out", replace=True).begin("a")
    write(part, CONTENT)
    (tmp_path / "out").mkdir()
    with pytest.raises(SinkError):
        part.commit(len(CONTENT))
    part.close()
    assert parts_in(tmp_path) == [Path(part.name)]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_a_sink_error_with_a_hint_and_the_part_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The real call, short at first and then refused, as a disk that fills up behaves."""
    part = FileOutput(tmp_path / "out").begin("a")
    room = [700]
    pwrite = os.pwrite

    def short(descriptor: int, view: memoryview, offset: int) -> int:
        if not room[0]:
            raise OSError(number, os.strerror(number))
        size = min(len(view), room[0])
        room[0] -= size
        return pwrite(descriptor, view[:size], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", short)
        with pytest.raises(SinkError, match=os.strerror(number)) as caught:
            write(part, CONTENT)
    assert "make room and run the same command again" in caught.value.hint
    assert not isinstance(caught.value, SinkClosed)
    part.close()
    assert Path(part.name).read_bytes() == CONTENT[:700]


@pytest.mark.parametrize("replace", [False, True])
def test_the_file_is_on_the_disk_before_it_has_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    steps: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        named = (tmp_path / "out").exists()
        steps.append(f"{'folder' if is_folder else 'file'}, {'named' if named else 'not named'}")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    part = FileOutput(tmp_path / "out", replace=replace).begin("a")
    write(part, CONTENT)
    part.commit(len(CONTENT))

    assert steps == ["file, not named", "folder, named"]


def test_a_disk_that_fails_at_the_end_keeps_the_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    part = FileOutput(tmp_path / "out").begin("a")
    write(part, CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(SinkError, match="Input/output error"):
            part.commit(len(CONTENT))
    part.close()

    assert not (tmp_path / "out").exists()
    assert parts_in(tmp_path) == [Path(part.name)]


def test_a_file_system_without_hard_links_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    part = FileOutput(tmp_path / "out").begin("a")
    write(part, CONTENT)
    part.commit(len(CONTENT))
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert parts_in(tmp_path) == []

    part = FileOutput(tmp_path / "other").begin("a")
    (tmp_path / "other").write_bytes(b"precious")
    with pytest.raises(OutputExists):
        part.commit(0)
    part.close()
    assert (tmp_path / "other").read_bytes() == b"precious"


# --- what takes bytes as they come ---------------------------------------------------------------------------------


def test_a_sink_takes_the_bytes_as_they_come_and_keeps_nothing() -> None:
    sink = FakeSink()
    output = SinkOutput(sink)
    output.check()
    part = output.begin("a")
    assert part.name == ""
    assert list(part.others) == []
    assert read(part, 10) == b""
    part.go_on_at(0)
    write(part, CONTENT)
    write(part, b"x")
    part.commit(len(CONTENT) + 1)
    part.close()
    part.close()

    assert sink.data == CONTENT + b"x"


def test_what_is_written_straight_is_not_written_again() -> None:
    part = SinkOutput(FakeSink()).begin("a")
    write(part, CONTENT)
    with pytest.raises(ValueError, match="straight"):
        part.go_on_at(0)


def test_devices_and_named_pipes_are_written_straight_and_stay(tmp_path: Path) -> None:
    output = make_output(Path("/dev/null"), replace=False)
    assert isinstance(output, DeviceOutput)
    output.check()
    part = output.begin("a")
    write(part, CONTENT)
    part.commit(len(CONTENT))
    part.close()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    part = make_output(pipe, replace=False).begin("a")
    write(part, CONTENT)
    part.commit(len(CONTENT))
    reader.join()
    assert found == [CONTENT]
    assert pipe.is_fifo()
    assert parts_in(tmp_path) == []


def test_a_reader_that_leaves_a_named_pipe_is_a_closed_sink(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    part = make_output(pipe, replace=False).begin("a")
    os.close(reader)
    with pytest.raises(SinkClosed):
        write(part, CONTENT)
    part.close()


def test_a_device_that_is_full_or_gone_is_a_sink_error(tmp_path: Path) -> None:
    part = make_output(Path("/dev/full"), replace=False).begin("a")
    with pytest.raises(SinkError, match="No space left"):
        write(part, CONTENT)
    part.close()
    with pytest.raises(SinkError, match="cannot write"):
        DeviceOutput(tmp_path / "gone", DescriptorSink).begin("a")


def test_a_descriptor_by_its_path_is_what_it_is(tmp_path: Path) -> None:
    """`--output /dev/fd/3`, or /dev/stdout in a pipe."""
    read_end, write_end = os.pipe()
    part = make_output(Path(f"/dev/fd/{write_end}"), replace=False).begin("a")
    write(part, b"abc")
    part.commit(3)
    assert os.read(read_end, 10) == b"abc"
    for end in (read_end, write_end):
        with suppress(OSError):
            os.close(end)
