"""Adapter of `ports.output`: a file that takes its name only when it is complete.

Until then its content lies beside it in `.NAME.<digest>.s3duct-part`, mode 0600, locked (flock) while its run lasts. The
digest is of the content's identity, so an interrupted run is found again and two contents never mix (ADR 0015).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from s3duct.domain.errors import OutputExists, RunInProgress, SinkError
from s3duct.domain.ports.output import Output, OutputPart

_SUFFIX = ".s3duct-part"
_PRIVATE = 0o600
_LONGEST_NAME = 255
_DIGEST_DIGITS = 16
# The part may vanish between open and lock, but not often; some file systems give a file another number each time.
_ATTEMPTS = 100
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileOutput(Output):
    """A file by its path; a symbolic link stands for what it points to. `replace` allows to take the place of a file."""

    def __init__(self, path: Path, *, replace: bool = False) -> None:
        """Remember it; nothing is looked at yet."""
        self._path = path
        self._replace = replace

    def check(self) -> None:
        """Look at what is there, and at the folder."""
        with _as_sink_error(self._path):
            target = self._target()
            if not os.access(target.parent, os.W_OK | os.X_OK):
                target.parent.stat()  # says so if it is missing
                raise PermissionError(errno.EACCES, f"no permission to make files in {str(target.parent)!r}")

    def begin(self, identity: str) -> OutputPart:
        """Find or create the part, lock it, and see that it is nobody else's."""
        with _as_sink_error(self._path):
            target = self._target()
            part = target.with_name(_part_name(target.name, identity))
            descriptor = _open_locked(part, self._path)
            return _FilePart(self._path, target, part, descriptor, replace=self._replace)

    def _target(self) -> Path:
        """The file itself, behind symbolic links, if it may be written."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return self._path.resolve()
        if stat.S_ISDIR(found.st_mode):
            raise SinkError(f"{str(self._path)!r} is a folder", hint="name a file in it")
        if not stat.S_ISREG(found.st_mode):
            raise SinkError(f"{str(self._path)!r} is not a regular file")
        if not self._replace:
            _remove_second_names(self._path.resolve(), found)
            raise _exists(self._path)
        return self._path.resolve()


class _FilePart(OutputPart):
    def __init__(self, path: Path, target: Path, part: Path, descriptor: int, *, replace: bool) -> None:
        self._path = path
        self._target = target
        self._part = part
        self._descriptor = descriptor
        self._replace = replace
        self._position = 0

    @property
    def name(self) -> str:
        return str(self._part)

    @property
    def others(self) -> Sequence[str]:
        try:
            names = sorted(path.name for path in self._target.parent.iterdir())
        except OSError:
            return ()
        pattern = _part_pattern(self._target.name)
        others = [name for name in names if _is_part(name, pattern) and name != self._part.name]
        return tuple(str(self._target.with_name(name)) for name in others)

    def read_into(self, view: memoryview, *, offset_bytes: int) -> int:
        filled = 0
        with _as_sink_error(self._part, "read"):
            while filled < len(view):
                size = os.preadv(self._descriptor, [view[filled:]], offset_bytes + filled)
                if not size:
                    break
                filled += size
        return filled

    def go_on_at(self, offset_bytes: int) -> None:
        self._position = offset_bytes

    def write_all(self, view: memoryview) -> None:
        with _as_sink_error(self._path):
            while view:
                written = os.pwrite(self._descriptor, view, self._position)
                self._position += written
                view = view[written:]

    def commit(self, size_bytes: int) -> None:
        with _as_sink_error(self._path):
            os.ftruncate(self._descriptor, size_bytes)
            os.fchmod(self._descriptor, self._final_mode())
            os.fsync(self._descriptor)
            self._take_place()
            _sync_folder(self._target.parent)
        self._let_go()

    def close(self) -> None:
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            if os.fstat(self._descriptor).st_size == 0:
                self._part.unlink()
        self._let_go()

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def _final_mode(self) -> int:
        """What `> FILE` would give: a file that is replaced keeps its mode, a new one gets what the umask leaves."""
        if self._replace:
            with contextlib.suppress(FileNotFoundError):
                return stat.S_IMODE(self._target.stat().st_mode) & 0o777
        return 0o666 & ~_umask()

    def _take_place(self) -> None:
        if self._replace:
            self._part.replace(self._target)
            return
        # A rename would replace whatever came there meanwhile; a second link cannot.
        try:
            self._target.hardlink_to(self._part)
        except FileExistsError:
            raise _exists(self._path, kept=self._part) from None
        except OSError:  # no hard links on this file system
            if os.path.lexists(self._target):
                raise _exists(self._path, kept=self._part) from None
            self._part.rename(self._target)
        else:
            self._part.unlink()


def _open_locked(part: Path, path: Path) -> int:
    for _ in range(_ATTEMPTS):
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(part, flags, _PRIVATE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us may have renamed or removed it between our open and our lock.
            if _is_ready(part, descriptor):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise RunInProgress(
                f"another get writes {str(path)!r} right now", hint="wait for it to end, or name another file"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise SinkError(f"cannot lock {str(part)!r}: it is another file each time", hint="try another folder")


def _is_ready(part: Path, descriptor: int) -> bool:
    """Whether the open file is the part and this user's alone; False: look again."""
    found = os.fstat(descriptor)
    try:
        if not os.path.samestat(part.lstat(), found):
            return False
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise SinkError(
            f"{str(part)!r} is not a file of this user: it may have been put there to get at what is restored",
            hint="remove it, or restore into a folder that nobody else can write to",
        )
    if found.st_nlink != 1:
        # A crash between link and unlink: it is a complete output by now, and must not be written to.
        part.unlink()
        return False
    os.fchmod(descriptor, _PRIVATE)
    # What is read back to be verified comes from the disk: after a failed fsync, memory may hold what the disk does not.
    with contextlib.suppress(OSError):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def _remove_second_names(target: Path, found: os.stat_result) -> None:
    """Remove the names as a part that a complete output still has, where a get died between giving it its own and that."""
    if found.st_nlink == 1:
        return
    pattern = _part_pattern(target.name)
    with contextlib.suppress(OSError):
        for path in target.parent.iterdir():
            if _is_part(path.name, pattern) and os.path.samestat(path.lstat(), found):
                path.unlink()


def _part_name(name: str, identity: str) -> str:
    digest = hashlib.sha256(f"{name}\0{identity}".encode("utf-8", "surrogateescape")).hexdigest()
    return f"{_part_pattern(name)}{digest[:_DIGEST_DIGITS]}{_SUFFIX}"


def _part_pattern(name: str) -> str:
    """What the names of all parts of one file begin with; of long names only as much as there is room for."""
    room = _LONGEST_NAME - len(_SUFFIX) - _DIGEST_DIGITS - 2
    return f".{os.fsdecode(os.fsencode(name)[:room])}."


def _is_part(name: str, pattern: str) -> bool:
    digest = name.removeprefix(pattern).removesuffix(_SUFFIX)
    return name == f"{pattern}{digest}{_SUFFIX}" and len(digest) == _DIGEST_DIGITS


def _umask() -> int:
    """From the kernel where it says: setting it to learn it would be seen by other threads for a moment."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        return  # it may be written to, but not opened: nothing more can be done
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exists(path: Path, *, kept: Path | None = None) -> OutputExists:
    if kept is None:
        return OutputExists(
            f"there is a file {str(path)!r} already", hint="--force replaces it once the new one is complete"
        )
    return OutputExists(
        f"a file {str(path)!r} has come into being meanwhile",
        hint=f"the restored one is complete in {str(kept)!r}; the same command with --force replaces the other",
    )


@contextlib.contextmanager
def _as_sink_error(path: Path, verb: str = "write") -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # a NUL in the path
        raise SinkError(f"not a path of a file: {str(path)!r}") from error
    except (
        OSError,
        RuntimeError,
    ) as error:  # RuntimeError: links that point to each other, before Python 3.13
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        hint = ""
        if isinstance(error, OSError) and error.errno in _FULL:
            hint = "make room and run the same command again: it goes on from what is there"
        raise SinkError(f"cannot {verb} {str(path)!r}: {reason}", hint=hint) from error
