"""What `ports.key_maker` promises: keys that are new and usable, in files that are whole, private, and nobody else's."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.aesgcm import AesGcmCipher, new_key
from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.identities import parse_identities, read_identities
from s3duct.adapters.age.recipients import parse_recipient
from s3duct.adapters.key_files import PrivateKeyFiles
from s3duct.adapters.key_spec import read_key
from s3duct.app.container.key_maker import CipherKeyMaker
from s3duct.domain.errors import ExitCode, KeySpecError, LocalResourceError
from tests.fakes.key_files import FakeKeyFiles
from tests.support.age_keys import NOW, seal, unseal
from tests.unit.saying import assert_well_said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from s3duct.domain.ports.key_maker import KeyFiles

CONTENT = bytes(range(256)) * 8
every_method = pytest.mark.parametrize("post_quantum", [False, True], ids=["x25519", "post-quantum"])


# --- keys -----------------------------------------------------------------------------------------------------------


def test_aes_keys_are_32_bytes_and_never_the_same() -> None:
    keys = [CipherKeyMaker().aes_key() for _ in range(100)]
    assert {len(key.file_content) for key in keys} == {32}
    assert len({key.file_content for key in keys} | {new_key() for _ in range(100)}) == 200
    assert {key.recipient for key in keys} == {None}
    assert AesGcmCipher(keys[0].file_content).key_id != AesGcmCipher(keys[1].file_content).key_id


@every_method
def test_an_age_identity_opens_what_is_sealed_for_its_recipient(post_quantum: bool) -> None:
    key = CipherKeyMaker().age_identity(post_quantum=post_quantum, created=NOW)
    (identity,) = parse_identities(key.file_content)
    assert key.recipient is not None
    assert key.recipient == identity.recipient.text
    assert key.recipient.startswith("age1pq1" if post_quantum else "age1")
    assert key.recipient.startswith("age1pq1") is post_quantum
    sealed = seal(AgeCipher(recipients=[parse_recipient(key.recipient)]), b"hello")
    assert unseal(AgeCipher(identities=[identity]), sealed) == b"hello"


@every_method
def test_age_identities_are_never_the_same(post_quantum: bool) -> None:
    keys = [CipherKeyMaker().age_identity(post_quantum=post_quantum, created=NOW) for _ in range(20)]
    assert len({key.file_content for key in keys}) == len({key.recipient for key in keys}) == 20


@every_method
def test_an_age_identity_is_a_text_that_says_when_and_for_whom(post_quantum: bool) -> None:
    created = datetime(2026, 11, 24, 21, 30, 5, 123456, tzinfo=timezone(timedelta(hours=1)))
    key = CipherKeyMaker().age_identity(post_quantum=post_quantum, created=created)
    lines = key.file_content.decode("ascii").splitlines()
    moment = datetime.fromisoformat(lines[0].removeprefix("# created: "))
    assert moment == created.replace(microsecond=0)
    assert lines[1] == f"# public key: {key.recipient}"
    assert lines[2].startswith("AGE-SECRET-KEY-PQ-1" if post_quantum else "AGE-SECRET-KEY-1")
    assert len(lines) == 3


def test_a_key_is_not_shown() -> None:
    for key in (CipherKeyMaker().aes_key(), CipherKeyMaker().age_identity(post_quantum=False, created=NOW)):
        secret = key.file_content.splitlines()[-1]
        assert repr(secret)[2:-1] not in repr(key)
        assert "file_content" not in repr(key)


# --- every place for keys --------------------------------------------------------------------------------------------


@pytest.fixture(params=["disk", "fake"])
def files(request: pytest.FixtureRequest) -> KeyFiles:
    return PrivateKeyFiles() if request.param == "disk" else FakeKeyFiles()


def refusal(files: KeyFiles, path: str | Path, kind: type[KeySpecError | LocalResourceError]) -> str:
    with pytest.raises((KeySpecError, LocalResourceError)) as caught:
        files.create(str(path), CONTENT)
    assert type(caught.value) is kind
    assert caught.value.exit_code is (ExitCode.USAGE if kind is KeySpecError else ExitCode.LOCAL_RESOURCE)
    assert_well_said(caught.value)
    assert CONTENT[:8].hex() not in caught.value.message
    return caught.value.message


def test_a_file_is_written_once_and_never_again(files: KeyFiles, tmp_path: Path) -> None:
    path = tmp_path / "a key"
    files.create(str(path), CONTENT)
    assert repr(str(path)) in refusal(files, path, KeySpecError)
    files.create(str(tmp_path / "another"), b"")
    kept = files.contents[str(path)] if isinstance(files, FakeKeyFiles) else path.read_bytes()
    assert kept == CONTENT


def test_what_is_no_path_is_a_wrong_call(files: KeyFiles) -> None:
    assert "not a path" in refusal(files, "key\0", KeySpecError)


def test_a_full_disk_leaves_nothing(files: KeyFiles, tmp_path: Path) -> None:
    path = tmp_path / "key"
    with no_room_for_files(files):
        assert "cannot write the key file" in refusal(files, path, LocalResourceError)
    assert not path.exists()
    files.create(str(path), CONTENT)  # the way is free


@contextmanager
def no_room_for_files(files: KeyFiles) -> Iterator[None]:
    """No file of this process may grow beyond some bytes: as a quota, which is met in the middle of a write."""
    if isinstance(files, FakeKeyFiles):
        files.full = True
        yield
        files.full = False
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


# --- the disk --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177, 0o377, 0o777], ids=oct)
def test_a_key_is_for_this_user_only_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "key"
    before = os.umask(umask)
    try:
        PrivateKeyFiles().create(str(path), CONTENT)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == CONTENT


def test_a_key_is_for_this_user_only_from_the_first_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, modes, before = tmp_path / "key", [], os.umask(0)
    opened = os.open

    def watching(*args: object, **options: object) -> int:
        descriptor = opened(*args, **options)  # type: ignore[arg-type] # as they came
        modes.append((stat.S_IMODE(os.fstat(descriptor).st_mode), os.get_inheritable(descriptor)))
        return descriptor

    monkeypatch.setattr(os, "open", watching)
    try:
        PrivateKeyFiles().create(str(path), CONTENT)
    finally:
        os.umask(before)
    assert modes[0] == (0o600, False)


@pytest.mark.parametrize("kind", ["file", "folder", "symlink", "dangling symlink", "loop", "fifo", "device"])
def test_nothing_that_is_there_is_replaced_or_followed(tmp_path: Path, kind: str) -> None:
    path, target = tmp_path / "key", tmp_path / "target"
    match kind:
        case "file":
            path.write_bytes(b"")
        case "folder":
            path.mkdir()
        case "symlink":
            target.write_bytes(b"theirs")
            path.symlink_to(target)
        case "dangling symlink":
            path.symlink_to(target)
        case "loop":
            path.symlink_to(path)
        case "fifo":
            os.mkfifo(path)
        case _:
            path = Path("/dev/null")
    before = path.lstat()
    refusal(PrivateKeyFiles(), path, KeySpecError)
    assert path.lstat() == before
    assert not target.exists() or target.read_bytes() == b"theirs"


def test_an_empty_path_is_no_file_that_is_there(files: KeyFiles) -> None:
    assert "already" not in refusal(files, "", KeySpecError)


@pytest.mark.parametrize("where", ["missing/key", "file/key", "x" * 300])
def test_a_place_where_none_can_be_is_a_local_error(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    message = refusal(PrivateKeyFiles(), tmp_path / where, LocalResourceError)
    assert "cannot create the key file" in message
    assert not (tmp_path / "missing").exists()


def test_home_is_where_a_tilde_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    PrivateKeyFiles().create("~/key", CONTENT)
    assert (tmp_path / "key").read_bytes() == CONTENT
    assert "'~/key'" in refusal(PrivateKeyFiles(), "~/key", KeySpecError)
    refusal(PrivateKeyFiles(), "~no-such-user/key", KeySpecError)


def test_a_path_that_is_no_text_is_named_so_that_it_can_be_printed(tmp_path: Path) -> None:
    path = str(tmp_path / "k\udcffy\nx")
    PrivateKeyFiles().create(path, CONTENT)
    assert "\\udcff" in refusal(PrivateKeyFiles(), path, KeySpecError)
    refusal(PrivateKeyFiles(), "\ud800", KeySpecError)


@pytest.mark.parametrize("call", ["write", "fsync", "fchmod"])
def test_a_disk_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "key"

    def failing(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, failing)
        assert "Input/output error" in refusal(PrivateKeyFiles(), path, LocalResourceError)
    assert not path.exists()


def test_a_folder_that_cannot_be_synced_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of the file might not outlive a loss of power."""
    fsync = os.fsync

    def failing(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    refusal(PrivateKeyFiles(), tmp_path / "key", LocalResourceError)
    assert not (tmp_path / "key").exists()


def test_file_and_folder_are_synced_once_all_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, int]] = []
    fsync, write = os.fsync, os.write

    def recording(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path.name, path.stat().st_size if path.is_file() else 0))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:100]))
    PrivateKeyFiles().create(str(tmp_path / "key"), CONTENT)
    assert synced == [("key", len(CONTENT)), (tmp_path.name, 0)]
    assert (tmp_path / "key").read_bytes() == CONTENT


def test_no_descriptor_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened() -> list[str]:
        return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names of links, which need not lead anywhere

    before = opened()
    PrivateKeyFiles().create(str(tmp_path / "key"), CONTENT)
    refusal(PrivateKeyFiles(), tmp_path / "key", KeySpecError)
    with no_room_for_files(PrivateKeyFiles()):
        refusal(PrivateKeyFiles(), tmp_path / "another", LocalResourceError)
    assert opened() == before


def test_of_many_that_create_it_at_once_one_does(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from s3duct.adapters.key_files import PrivateKeyFiles\n"
        "from s3duct.domain.errors import KeySpecError\n"
        "sys.stdin.read()\n"
        "try:\n    PrivateKeyFiles().create(sys.argv[1], sys.argv[2].encode())\n"
        "except KeySpecError:\n    sys.exit(2)\n"
    )
    root, path = Path(__file__).resolve().parents[2], tmp_path / "key"
    children = [
        subprocess.Popen([sys.executable, "-c", script, path, str(number)], stdin=subprocess.PIPE, cwd=root)
        for number in range(3)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    codes = [child.wait(timeout=60) for child in children]
    assert sorted(codes) == [0, 2, 2]
    assert path.read_bytes() == str(codes.index(0)).encode()


# --- and back --------------------------------------------------------------------------------------------------------


def test_what_was_made_and_written_is_read_again(tmp_path: Path) -> None:
    aes, age = tmp_path / "aes", tmp_path / "age"
    key = CipherKeyMaker().aes_key()
    PrivateKeyFiles().create(str(aes), key.file_content)
    assert read_key(f"file:{aes}") == key.file_content
    made = CipherKeyMaker().age_identity(post_quantum=True, created=NOW)
    PrivateKeyFiles().create(str(age), made.file_content)
    assert [identity.recipient.text for identity in read_identities(str(age))] == [made.recipient]
