"""Adapter of `ports.chunk_memory` over mmap: anonymous memory, or files that have no name.

A scratch file is unlinked before it is written (O_TMPFILE where there is one), so it vanishes with the process, however
that ends, and nobody else can open it. Its space is allocated before it is mapped: a full disk is an error here, not a
SIGBUS later, which would end the process.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from s3duct.domain.errors import LocalResourceError
from s3duct.domain.ports.chunk_memory import ChunkMemory, Placement, Region

_PREFIX = "s3duct-"
# A name that is older than this was left by a process that died before it could take the name away.
_STALE_S = 60.0
_NO_FALLOCATE = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_ZEROS = bytes(1 << 20)


class MmapChunkMemory(ChunkMemory):
    """Regions over mmap. Released memory is kept and handed out again: fresh pages cost more than AES."""

    def __init__(self, scratch_dir: Path) -> None:
        """Remember where scratch files go; the folder is made when first needed, for this user only."""
        self._scratch_dir = scratch_dir
        self._spare: list[mmap.mmap] = []
        self._spare_bytes = 0
        self._lent: list[mmap.mmap] = []
        # Event loops on several threads may share this, and threads switch between the look at a buffer and its hand-out.
        self._sharing = threading.Lock()

    def allocate(self, size_bytes: int, placement: Placement) -> Region:
        """Return a region. Raises `LocalResourceError`."""
        if placement is Placement.SCRATCH:
            return _MmapRegion(self._map_scratch(size_bytes), placement, None)
        with self._sharing:
            if size_bytes != self._spare_bytes:
                # Nearly all chunks of a stream have one size; spares of another would only take memory.
                self._spare, self._spare_bytes = [], size_bytes
            mapping = self._spare.pop() if self._spare else _map_memory(size_bytes)
            return _MmapRegion(mapping, placement, self._keep)

    def lend(self, size_bytes: int) -> memoryview:
        """Return a buffer that came back, or a new one. Raises `LocalResourceError`."""
        with self._sharing:
            back = self._returned()
            for mapping in back:
                if len(mapping) >= size_bytes:
                    return memoryview(mapping)[:size_bytes]
            self._unmap(back)  # too small: others of that size will not be asked for soon
            mapping = _map_memory(size_bytes)
            if not _is_held(mapping):  # else it cannot be told when it comes back
                self._lent.append(mapping)
            return memoryview(mapping)

    @property
    def spare_bytes(self) -> int:
        """What released memory regions and returned buffers hold."""
        with self._sharing:
            return len(self._spare) * self._spare_bytes + sum(map(len, self._returned()))

    def trim(self) -> None:
        """Unmap them."""
        with self._sharing:
            while self._spare:
                self._spare.pop().close()
            self._unmap(self._returned())

    def _keep(self, mapping: mmap.mmap) -> bool:
        with self._sharing:
            is_of_use = len(mapping) == self._spare_bytes
            if is_of_use:
                self._spare.append(mapping)
            return is_of_use

    def _returned(self) -> list[mmap.mmap]:
        return [mapping for mapping in self._lent if not _is_held(mapping)]

    def _unmap(self, returned: list[mmap.mmap]) -> None:
        for mapping in returned:
            self._lent.remove(mapping)
            mapping.close()

    def _map_scratch(self, size_bytes: int) -> mmap.mmap:
        try:
            self._scratch_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = _open_unnamed(self._scratch_dir)
            try:
                _reserve(descriptor, size_bytes)
                return mmap.mmap(descriptor, size_bytes)
            finally:
                os.close(descriptor)
        except (OSError, MemoryError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error) or "no memory"
            raise LocalResourceError(
                f"cannot make a scratch file of {size_bytes} bytes in {str(self._scratch_dir)!r}: {reason}",
                hint="free some space, choose another --scratch-dir, or lower --chunk-size",
            ) from error


class _MmapRegion(Region):
    def __init__(
        self, mapping: mmap.mmap, placement: Placement, keep: Callable[[mmap.mmap], bool] | None
    ) -> None:
        self._mapping: mmap.mmap | None = mapping
        self._placement = placement
        self._keep = keep
        self._view = memoryview(mapping)

    @property
    def placement(self) -> Placement:
        return self._placement

    @property
    def view(self) -> memoryview:
        return self._view

    def evict(self, start: int, stop: int) -> None:
        if (
            self._placement is Placement.SCRATCH
            and self._mapping is not None
            and hasattr(mmap, "MADV_DONTNEED")
        ):
            first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
            last = stop // mmap.PAGESIZE * mmap.PAGESIZE
            if last > first:
                # A shared file mapping keeps its bytes in the page cache: only our claim on them goes.
                self._mapping.madvise(mmap.MADV_DONTNEED, first, last - first)

    def release(self) -> None:
        mapping, self._mapping = self._mapping, None
        if mapping is None:
            return
        self._view.release()
        if self._keep is not None and not _is_held(mapping) and self._keep(mapping):
            return
        # A slice that somebody still holds keeps the mapping alive; it goes with that slice.
        with contextlib.suppress(BufferError):
            mapping.close()


def _is_held(mapping: mmap.mmap) -> bool:
    """Whether a slice of the mapping is still in somebody's hands: Python refuses to resize it then.

    To resize it to the size it has changes nothing otherwise. Where mappings cannot be resized at all, the answer is yes.
    """
    try:
        mapping.resize(len(mapping))
    except (BufferError, OSError, SystemError, ValueError):
        return True
    return False


def _map_memory(size_bytes: int) -> mmap.mmap:
    """Map pages of our own, of the usual size: huge ones are not at hand on a machine that gives memory back (ADR 0026)."""
    try:
        return mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, MemoryError, ValueError, OverflowError) as error:
        raise LocalResourceError(
            f"cannot allocate {size_bytes} bytes of memory", hint="lower --chunk-size or --memory-limit"
        ) from error


def _open_unnamed(folder: Path) -> int:
    if hasattr(os, "O_TMPFILE"):
        # Not every file system has it (NFS, some overlays): then the portable way below.
        with contextlib.suppress(OSError):
            return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_EXCL | os.O_CLOEXEC, 0o600)
    _remove_stale_names(folder)
    import tempfile  # slow to import, and seldom needed

    descriptor, path = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
    Path(path).unlink(missing_ok=True)
    return descriptor


def _remove_stale_names(folder: Path) -> None:
    """Remove what a process left that was killed between the making of a file and the removal of its name: empty files."""
    for path in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if (
                status.st_uid == os.geteuid()
                and not status.st_size
                and time.time() - status.st_mtime > _STALE_S
            ):
                path.unlink()


def _reserve(descriptor: int, size_bytes: int) -> None:
    """Give the file all its blocks. Where the file system cannot reserve them, writing does: a hole would be a promise."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
        except OSError as error:
            if error.errno not in _NO_FALLOCATE:
                raise
        else:
            return
    position = 0
    while position < size_bytes:
        position += os.pwrite(descriptor, _ZEROS[: size_bytes - position], position)
