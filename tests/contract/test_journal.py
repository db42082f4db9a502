"""What `ports.journal` promises, over the files of this machine and the fake; and what makes the files durable."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.journal_file import FileJournalStore
from s3duct.domain.chain import ChainLink
from s3duct.domain.chunk import ChunkRecord
from s3duct.domain.digest import dual_digest
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import JournalDamaged, LocalResourceError, RunInProgress, UnsupportedFormat
from s3duct.domain.journal_codec import encode_header, encode_record_line
from s3duct.domain.resume import JournalHeader, ManifestRecord, ResumeRecord, RunBinding
from tests.fakes.journal import FakeJournalStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3duct.domain.ports.journal import JournalStore

BINDING = RunBinding(
    destination="s3://bucket",
    prefix="pre/",
    name="a/stream with ü",
    chunk_size_bytes=1 << 20,
    method=EncryptionMethod.AES_256_GCM,
    key_id="0123456789abcdef",
    sealed_manifest=True,
    storage_class="GLACIER",
)
HEADER = JournalHeader(BINDING, "00ff00ff", "0a1b2c3d", "2026-01-01T00:00:00+00:00")
MANIFEST = ManifestRecord("ab" * 32)


def record(index: int) -> ResumeRecord:
    digest = dual_digest(b"chunk %d" % index)
    sealed = (1028, digest.sha256) if index % 2 else (None, None)
    chunk = ChunkRecord(index, f"{BINDING.name}/chunk-{index:06d}", 1000, digest, f'"e{index}"', *sealed)
    return ResumeRecord(chunk, ChainLink().extend(digest), f"2026-01-01T00:00:{index:02d}+00:00")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "of s3duct"


@pytest.fixture(params=["file", "fake"])
def store(request: pytest.FixtureRequest, folder: Path) -> JournalStore:
    return FileJournalStore(folder) if request.param == "file" else FakeJournalStore()


# --- every journal store -------------------------------------------------------------------------------------------


def test_there_is_nothing_at_first(store: JournalStore) -> None:
    journal = store.open(BINDING)
    assert journal.read() is None
    journal.close()
    again = store.open(BINDING)  # to have looked is not to have begun
    assert again.read() is None
    assert store.unfinished_elsewhere(replace(BINDING, destination="s3://other")) == []
    again.close()


def test_records_are_read_back_in_the_order_of_writing(store: JournalStore) -> None:
    journal = store.open(BINDING)
    assert journal.read() is None
    journal.start(HEADER)
    for index in (2, 0, 1):
        journal.append(record(index))
    found = journal.read()
    assert found is not None
    assert found.header == HEADER
    assert found.records == (record(2), record(0), record(1))
    journal.close()
    again = store.open(BINDING)
    assert again.read() == found
    again.append(record(3))
    continued = again.read()
    assert continued is not None
    assert continued.records == (*found.records, record(3))
    again.close()


def test_records_that_are_added_together_are_read_back_in_their_order(store: JournalStore) -> None:
    journal = store.open(BINDING)
    journal.start(HEADER)
    journal.append(record(1), record(0))
    journal.append(record(2), MANIFEST)
    found = journal.read()
    assert found is not None
    assert found.records == (record(1), record(0), record(2))
    assert found.manifests == {MANIFEST.sha256}
    journal.close()


def test_digests_of_manifests_are_kept_beside_the_records(store: JournalStore) -> None:
    first, second = MANIFEST, ManifestRecord("cd" * 32)
    journal = store.open(BINDING)
    journal.start(HEADER)
    for line in (record(0), first, record(1), first, second):
        journal.append(line)
    found = journal.read()
    assert found is not None
    assert found.records == (record(0), record(1))
    assert found.manifests == {first.sha256, second.sha256}
    journal.close()
    again = store.open(BINDING)
    assert again.read() == found
    again.start(HEADER)
    anew = again.read()
    assert anew is not None
    assert anew.manifests == frozenset()
    again.discard()


def test_start_drops_what_was_on_record(store: JournalStore) -> None:
    journal = store.open(BINDING)
    journal.start(HEADER)
    for index in range(5):
        journal.append(record(index))
    other = replace(HEADER, run_id="00112233", generation="")
    journal.start(other)
    journal.append(record(7))
    journal.close()
    again = store.open(BINDING)
    found = again.read()
    assert found is not None
    assert (found.header, found.records) == (other, (record(7),))
    again.close()


def test_discard_removes_it_and_can_be_repeated(store: JournalStore) -> None:
    journal = store.open(BINDING)
    journal.start(HEADER)
    journal.append(record(0))
    journal.discard()
    journal.discard()
    journal.close()
    assert store.unfinished_elsewhere(replace(BINDING, destination="s3://other")) == []
    again = store.open(BINDING)
    assert again.read() is None
    again.close()


def test_one_holder_at_a_time(store: JournalStore) -> None:
    first = store.open(BINDING)
    # The same stream at the same place, whatever the settings: they share the objects.
    for binding in (BINDING, replace(BINDING, chunk_size_bytes=1, key_id="ff", storage_class="")):
        with pytest.raises(RunInProgress) as caught:
            store.open(binding)
        assert BINDING.name in caught.value.message
    elsewhere = [
        replace(BINDING, destination="other"),
        replace(BINDING, prefix="other"),
        replace(BINDING, name="other"),
    ]
    for other in [store.open(binding) for binding in elsewhere]:
        assert other.read() is None
        other.close()
    first.close()
    first.close()
    store.open(BINDING).close()


def test_discard_lets_go_as_well(store: JournalStore) -> None:
    journal = store.open(BINDING)
    journal.start(HEADER)
    journal.discard()
    store.open(BINDING).close()


def test_settings_do_not_hide_a_journal(store: JournalStore) -> None:
    journal = store.open(BINDING)
    journal.start(HEADER)
    journal.close()
    again = store.open(replace(BINDING, chunk_size_bytes=5, method=EncryptionMethod.NONE, key_id=""))
    found = again.read()
    assert found is not None
    assert found.header == HEADER
    again.close()


def test_unfinished_runs_of_the_name_are_found_at_other_destinations(store: JournalStore) -> None:
    held = []
    places = [
        ("s3://one", "pre/", BINDING.name),
        ("s3://two", "", BINDING.name),
        ("s3://three", "", "another name"),
    ]
    for destination, prefix, name in places:
        binding = replace(BINDING, destination=destination, prefix=prefix, name=name)
        journal = store.open(binding)
        journal.start(replace(HEADER, binding=binding))
        held.append(journal)
    held[0].close()  # whether it is held does not matter
    assert sorted(store.unfinished_elsewhere(BINDING)) == ["s3://one/pre/", "s3://two/"]
    assert store.unfinished_elsewhere(replace(BINDING, destination="s3://one")) == ["s3://two/"]
    assert store.unfinished_elsewhere(replace(BINDING, name="unknown")) == []
    for journal in held[1:]:
        journal.close()


# --- files ---------------------------------------------------------------------------------------------------------


def the_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def begin_one(store: JournalStore) -> None:
    """Leave a file behind, whose content is to be replaced."""
    journal = store.open(BINDING)
    journal.start(HEADER)
    journal.close()


def test_a_torn_last_record_is_dropped_and_overwritten_wherever_it_was_torn(folder: Path) -> None:
    store = FileJournalStore(folder)
    whole = encode_header(HEADER) + encode_record_line(record(0))
    torn = encode_record_line(record(1))
    begin_one(store)
    # Also longer than what replaces it, and with bytes that a crash may leave: zeros of a block never written.
    for tail in [*(torn[:length] for length in range(len(torn))), b"\0" * 5000, b"x" * 5000]:
        the_file(folder).write_bytes(whole + tail)
        journal = store.open(BINDING)
        found = journal.read()
        assert found is not None
        assert found.records == (record(0),), tail
        journal.append(record(2))
        journal.close()
        assert the_file(folder).read_bytes() == whole + encode_record_line(record(2)), tail


def test_a_torn_digest_of_a_manifest_is_dropped_and_overwritten(folder: Path) -> None:
    store = FileJournalStore(folder)
    whole, torn = encode_header(HEADER) + encode_record_line(record(0)), encode_record_line(MANIFEST)
    begin_one(store)
    for length in range(len(torn)):
        the_file(folder).write_bytes(whole + torn[:length])
        journal = store.open(BINDING)
        found = journal.read()
        assert found is not None
        assert found.manifests == frozenset()
        journal.append(MANIFEST)
        journal.close()
        assert the_file(folder).read_bytes() == whole + torn


def test_a_malformed_digest_of_a_manifest_is_damage(folder: Path) -> None:
    journal = FileJournalStore(folder).open(BINDING)
    journal.start(HEADER)
    journal.append(MANIFEST)
    journal.append(record(0))
    path = the_file(folder)
    path.write_bytes(path.read_bytes().replace(b"abab", b"AB", 1))
    with pytest.raises(JournalDamaged):
        journal.read()
    journal.close()


def test_a_torn_header_is_nothing(folder: Path) -> None:
    store = FileJournalStore(folder)
    begin_one(store)
    header = encode_header(HEADER)
    for length in range(len(header)):
        the_file(folder).write_bytes(header[:length])
        journal = store.open(BINDING)
        assert journal.read() is None
        journal.start(HEADER)
        journal.close()
        assert the_file(folder).read_bytes() == header


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda data: data.replace(b'"index":0', b'"index":"0"'), JournalDamaged),
        (lambda data: data[:10] + b"\n" + data[10:], JournalDamaged),
        (lambda data: data.replace(b"\n", b"\n\xff\xfe\n", 1), JournalDamaged),
        (lambda data: b"[]\n" + data, JournalDamaged),
        (lambda data: data.replace(b'"s3duct_journal":1', b'"s3duct_journal":2'), UnsupportedFormat),
    ],
)
def test_damage_elsewhere_is_told(
    folder: Path, damage: Callable[[bytes], bytes], error: type[Exception]
) -> None:
    store = FileJournalStore(folder)
    journal = store.open(BINDING)
    journal.start(HEADER)
    journal.append(record(0))
    journal.append(record(1))
    journal.close()
    data = the_file(folder).read_bytes()
    assert damage(data) != data
    the_file(folder).write_bytes(damage(data))
    again = store.open(BINDING)
    with pytest.raises(error):
        again.read()
    again.start(HEADER)  # a new start is always possible
    assert again.read() is not None
    again.close()
    store.unfinished_elsewhere(replace(BINDING, destination="s3://other"))


def test_a_run_that_has_not_begun_leaves_no_file(folder: Path) -> None:
    journals = FileJournalStore(folder)
    for _ in range(2):
        file = journals.open(BINDING)
        assert file.read() is None
        file.close()
        assert list(folder.iterdir()) == []


def test_what_was_discarded_takes_no_successor_with_it(folder: Path) -> None:
    file = FileJournalStore(folder).open(BINDING)
    (path,) = folder.iterdir()
    path.unlink()
    path.touch()
    file.close()
    assert list(folder.iterdir()) == [path]


def test_journals_are_for_this_user_only(folder: Path) -> None:
    old = os.umask(0)
    try:
        journal = FileJournalStore(folder).open(BINDING)
        journal.start(HEADER)
        journal.close()
    finally:
        os.umask(old)
    assert stat.S_IMODE(the_file(folder).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert BINDING.name not in the_file(folder).name
    assert the_file(folder).name.isascii()


def test_each_record_is_synced_before_the_call_returns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, int]] = []
    fsync = os.fsync

    def recording(descriptor: int) -> None:
        synced.append(file_and_size(os.fstat(descriptor)))
        fsync(descriptor)

    def file_and_size(status: os.stat_result) -> tuple[int, int]:
        return status.st_ino, status.st_size

    monkeypatch.setattr(os, "fsync", recording)
    journal = FileJournalStore(folder).open(BINDING)
    journal.start(HEADER)
    path, folder_file = the_file(folder), folder.stat().st_ino
    assert file_and_size(path.stat()) in synced
    assert synced[-1][0] == folder_file  # the file's name as well, when it has got it
    for index in range(3):
        synced.clear()
        journal.append(record(index))
        assert synced == [file_and_size(path.stat())]  # after the last byte, and once
    synced.clear()
    journal.append(record(3), record(4), record(5))
    assert synced == [file_and_size(path.stat())]
    synced.clear()
    journal.discard()
    assert synced[-1][0] == folder_file
    assert not path.exists()


@pytest.mark.parametrize("call", ["open", "pwrite", "fsync", "replace"])
def test_a_start_that_fails_leaves_what_was_on_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Whatever was written by then: a crash is a failure that nobody hears of."""
    journal = FileJournalStore(folder).open(BINDING)
    journal.start(HEADER)
    journal.append(record(0))

    def failing(*arguments: object, **options: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, failing)
        with pytest.raises(LocalResourceError, match="No space left"):
            journal.start(HEADER, (record(1), record(2)))
    found = journal.read()
    assert found is not None
    assert found.records == (record(0),)
    with pytest.raises(RunInProgress):
        FileJournalStore(folder).open(BINDING)
    journal.discard()
    assert not list(folder.iterdir())


def test_whoever_starts_anew_still_holds_it(folder: Path) -> None:
    journal = FileJournalStore(folder).open(BINDING)
    for _ in range(2):
        journal.start(HEADER)
        with pytest.raises(RunInProgress):
            FileJournalStore(folder).open(BINDING)
    journal.close()
    FileJournalStore(folder).open(BINDING).close()


def test_writes_that_the_system_cuts_short_are_finished(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:7], offset))
    journal = FileJournalStore(folder).open(BINDING)
    journal.start(HEADER)
    journal.append(record(0))
    journal.close()
    assert the_file(folder).read_bytes() == encode_header(HEADER) + encode_record_line(record(0))


@pytest.mark.parametrize("call", ["pwrite", "fsync", "ftruncate"])
def test_a_disk_that_fails_is_a_local_error_and_the_next_append_is_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    journal = FileJournalStore(folder).open(BINDING)
    journal.start(HEADER)
    journal.append(record(0))

    def failing(descriptor: int, data: bytes = b"", offset: int = 0) -> int:
        if call == "pwrite":  # half a record is on the disk already
            real_pwrite(descriptor, data[:20], offset)
        raise OSError(28, "No space left on device")

    real_pwrite = os.pwrite
    with monkeypatch.context() as patched:
        patched.setattr(os, call, failing)
        with pytest.raises(LocalResourceError, match="No space left") as caught:
            journal.append(record(1))
        assert caught.value.hint
    journal.append(record(2))
    found = journal.read()
    assert found is not None
    assert found.records == (record(0), record(2))
    journal.close()


def test_a_state_folder_that_cannot_be_used_is_a_local_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        store = FileJournalStore(folder)
        with pytest.raises(LocalResourceError) as caught:
            store.open(BINDING)
        assert str(folder) in caught.value.message
        assert "S3DUCT_STATE_DIR" in caught.value.hint
        assert store.unfinished_elsewhere(BINDING) == []


def test_a_missing_state_folder_holds_no_unfinished_runs(folder: Path) -> None:
    assert FileJournalStore(folder).unfinished_elsewhere(BINDING) == []
    assert not folder.exists()


def test_foreign_files_in_the_state_folder_are_passed_over(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, data in {
        "a.jsonl": b"",
        "b.jsonl": b"\xff\n",
        "c.jsonl": b"{}\n",
        "d.txt": b"x",
        "e.jsonl": b"[" * 70_000,
    }.items():
        (folder / name).write_bytes(data)
    (folder / "f.jsonl").mkdir()
    assert FileJournalStore(folder).unfinished_elsewhere(BINDING) == []


def test_another_process_is_kept_out_and_its_death_lets_go(folder: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from tests.contract.test_journal import BINDING, HEADER, record
        from s3duct.adapters.journal_file import FileJournalStore
        journal = FileJournalStore(Path(sys.argv[1])).open(BINDING)
        journal.start(HEADER)
        journal.append(record(0))
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, cwd=root
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        store = FileJournalStore(folder)
        with pytest.raises(RunInProgress):
            store.open(BINDING)
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=10)
    journal = store.open(BINDING)
    found = journal.read()
    assert found is not None
    assert found.records == (record(0),)
    journal.close()


def test_a_journal_discarded_between_open_and_lock_is_opened_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileJournalStore(folder)
    holder = store.open(BINDING)
    holder.start(HEADER)
    flock = fcntl.flock
    waited: list[int] = []

    def slow_flock(descriptor: int, operation: int) -> None:
        if not waited:
            waited.append(descriptor)
            holder.discard()  # the file in hand has no name any more
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", slow_flock)
    journal = store.open(BINDING)
    journal.start(HEADER)
    with pytest.raises(RunInProgress):
        store.open(BINDING)
    journal.close()
    assert the_file(folder).read_bytes() == encode_header(HEADER)


def test_a_child_process_does_not_inherit_the_hold(folder: Path) -> None:
    store = FileJournalStore(folder)
    journal = store.open(BINDING)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False) as child:
        try:
            journal.close()
            _soon(lambda: store.open(BINDING).close())  # the kernel closes files a moment after exec
        finally:
            child.kill()


def _soon(attempt: Callable[[], None]) -> None:
    deadline = time.monotonic() + 5
    while True:
        try:
            return attempt()
        except RunInProgress:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
