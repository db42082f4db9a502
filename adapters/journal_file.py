"""Adapter of `ports.journal`: one JSONL file a stream and destination in the user's state folder.

Every record is written and fsynced before it counts; those that come together share one fsync. The file is locked (flock)
while its run lasts. A torn last line, the trace of a crash in the middle of a write, is cut off when the next run starts to
append. A journal that begins anew takes the place of the old one when it is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from s3duct.domain.errors import LocalResourceError, RunInProgress, S3ductError
from s3duct.domain.journal_codec import decode_journal, encode_header, encode_record_line
from s3duct.domain.ports.journal import JournalFile, JournalStore
from s3duct.domain.resume import Journal, JournalHeader, ManifestRecord, ResumeRecord, RunBinding

_SUFFIX = ".jsonl"
_NEW_SUFFIX = ".new"
_HEADER_BYTES = 1 << 16


class FileJournalStore(JournalStore):
    """Journals under one folder, which is made for this user only."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; it is made when first needed."""
        self._folder = folder

    def open(self, binding: RunBinding) -> JournalFile:
        """Open or create and lock the journal file."""
        path = self._folder / (_identity(binding) + _SUFFIX)
        with _as_local_error(f"cannot use the state folder {str(self._folder)!r}"):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return _LockedJournalFile(path, _open_locked(path, binding.name))

    def unfinished_elsewhere(self, binding: RunBinding) -> list[str]:
        """Look at the first line of every journal."""
        own = _identity(binding) + _SUFFIX
        destinations = []
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            header = _peek_header(path) if path.name != own else None
            if header is not None and header.binding.name == binding.name:
                destinations.append(header.binding.destination + "/" + header.binding.prefix)
        return destinations


class _LockedJournalFile(JournalFile):
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._end = 0

    def read(self) -> Journal | None:
        with _as_local_error(f"cannot read the journal {str(self._path)!r}"):
            data = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        journal, self._end = decode_journal(data)
        return journal

    def start(self, header: JournalHeader, records: Sequence[ResumeRecord | ManifestRecord] = ()) -> None:
        content = encode_header(header) + b"".join(map(encode_record_line, records))
        with _as_local_error(f"cannot write the journal {str(self._path)!r}"):
            # Beside the old one, and then in its place: whoever dies meanwhile leaves one of the two whole.
            new = self._path.with_suffix(_NEW_SUFFIX)
            descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _write_all(descriptor, content, 0)
                os.fsync(descriptor)
                new.replace(self._path)
            except BaseException:
                os.close(descriptor)
                raise
            # The lock has gone over to the new file; who waits for the old one finds that it is not the journal any more.
            os.close(self._descriptor)
            self._descriptor, self._end = descriptor, len(content)
            _sync_folder(self._path.parent)

    def append(self, *records: ResumeRecord | ManifestRecord) -> None:
        lines = b"".join(map(encode_record_line, records))
        with _as_local_error(f"cannot write the journal {str(self._path)!r}"):
            self._write(lines)

    def discard(self) -> None:
        with _as_local_error(f"cannot remove the journal {str(self._path)!r}"):
            self._path.with_suffix(_NEW_SUFFIX).unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)
            _sync_folder(self._path.parent)
        self.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            self._leave_nothing_empty()
            os.close(self._descriptor)
            self._descriptor = -1

    def _leave_nothing_empty(self) -> None:
        """A run that was refused before it had begun leaves no file behind."""
        with contextlib.suppress(OSError):
            if not os.fstat(self._descriptor).st_size and _is_same_file(self._path, self._descriptor):
                self._path.unlink()

    def _write(self, lines: bytes) -> None:
        os.ftruncate(self._descriptor, self._end)
        _write_all(self._descriptor, lines, self._end)
        os.fsync(self._descriptor)
        self._end += len(lines)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], offset + written)


def _identity(binding: RunBinding) -> str:
    """File name of a journal: what and where, but not how, so that a change of settings is noticed, not missed."""
    text = f"{binding.destination}\0{binding.prefix}\0{binding.name}"
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


def _open_locked(path: Path, name: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us may have removed the file between our open and our lock.
            if _is_same_file(path, descriptor):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise RunInProgress(
                f"another put of {name!r} is running on this machine",
                hint="wait for it to end, or use another name",
            ) from None
        os.close(descriptor)


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _peek_header(path: Path) -> JournalHeader | None:
    try:
        with path.open("rb") as file:
            journal, _ = decode_journal(file.readline(_HEADER_BYTES))
    except (OSError, S3ductError):
        return None
    return journal.header if journal is not None else None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _as_local_error(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LocalResourceError(
            f"{what}: {error.strerror or error}", hint="S3DUCT_STATE_DIR chooses another state folder"
        ) from error
