"""Backpressure: may the next chunk be read from the source, and where do its bytes go?

Memory first, scratch behind it, then wait until a chunk in flight is done. Asked before every chunk, with fresh figures:
others on the machine take and free memory and disk while a run goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from s3duct.domain.errors import UsageError
from s3duct.domain.sizes import GIB, MIB, format_size

_MIN_AUTO_CHUNKS = 2
_MAX_AUTO_CHUNKS = 10
_MEMORY_SHARE = 4
_MAX_AUTO_MEMORY_BYTES = 2 * GIB
# So much is in flight at any time. More serves to keep a slow network busy: where the processors are what is short, it would
# only take fresh memory, and to get that from the system costs as much as to hash it.
_SURE_CHUNKS = 3
_SURE_BYTES = 384 * MIB
# Chunks that end together leave a tenth or two idle on processors that are short.
_IDLE_SHARE = 0.3
MIN_MEMORY_BYTES = 64 * MIB
# Never take the last of a disk: the database next door needs some.
DISK_RESERVE_BYTES = 256 * MIB
# Nor of memory: connections, threads and the client of the store take some beside the chunks, after the first look too.
MEMORY_RESERVE_BYTES = 64 * MIB


class Admission(Enum):
    """Answer of the policy."""

    MEMORY = auto()
    SCRATCH = auto()
    WAIT = auto()
    ENOUGH = auto()
    ABORT = auto()


@dataclass(frozen=True, slots=True)
class BufferLimits:
    """What chunk buffers may take: bytes of memory, bytes of scratch, and how many there may be at once.

    `insists`: the user asked for so many, be the processors as busy as they are.
    """

    memory_bytes: int
    scratch_bytes: int
    max_chunks: int
    insists: bool = False


@dataclass(frozen=True, slots=True)
class BufferUsage:
    """What chunk buffers take now. `promised_bytes`: how much of the memory is not filled yet, so that no probe sees it."""

    memory_bytes: int = 0
    scratch_bytes: int = 0
    chunks: int = 0
    promised_bytes: int = 0


@dataclass(frozen=True, slots=True)
class HostRoom:
    """What the machine has left, now: memory for this process, and disk where scratch files lie.

    `idle_processors` is the share of their time that nobody used lately.
    """

    memory_bytes: int
    disk_bytes: int
    idle_processors: float = 1.0

    @property
    def is_busy(self) -> bool:
        """Whether the processors are what is short."""
        return self.idle_processors < _IDLE_SHARE


def admit(
    size_bytes: int,
    overhead_bytes: int,
    *,
    limits: BufferLimits,
    usage: BufferUsage,
    room: HostRoom,
    refused: frozenset[Admission] = frozenset(),
) -> Admission:
    """Decide over one more buffer.

    Args:
        size_bytes: size of the buffer.
        overhead_bytes: what the chunk takes in memory besides, wherever its buffer lies.
        limits: the limits in force.
        usage: what all buffers in use take.
        room: what the machine has left.
        refused: where the system has just refused to make this buffer, whatever the figures say.

    Returns:
        Where it may go; `ENOUGH` if as many are in use as may be, whatever room there is; `WAIT` for room, while buffers in
        use will come back; `ABORT` if none is in use and it fits nowhere.
    """
    if usage.chunks >= limits.max_chunks:
        return Admission.ENOUGH
    if room.is_busy and not limits.insists and keeps_busy(usage):
        return Admission.ENOUGH
    limit_left = limits.memory_bytes - usage.memory_bytes
    host_left = room.memory_bytes - usage.promised_bytes
    needed = size_bytes + overhead_bytes
    in_memory = Admission.MEMORY not in refused and needed <= min(limit_left, host_left)
    if in_memory and needed <= host_left - MEMORY_RESERVE_BYTES:
        return Admission.MEMORY
    scratch_left = min(limits.scratch_bytes - usage.scratch_bytes, room.disk_bytes - DISK_RESERVE_BYTES)
    if (
        Admission.SCRATCH not in refused
        and size_bytes <= scratch_left
        and overhead_bytes <= min(limit_left, host_left)
    ):
        return Admission.SCRATCH
    if usage.chunks:
        return Admission.WAIT
    # Nothing will come back: rather with the last of the memory than not at all.
    return Admission.MEMORY if in_memory else Admission.ABORT


def keeps_busy(usage: BufferUsage) -> bool:
    """Whether as much is in use as keeps processors busy, if anything does."""
    return usage.chunks >= _SURE_CHUNKS and usage.memory_bytes >= _SURE_BYTES


@dataclass(frozen=True, slots=True)
class BufferWishes:
    """What the user asked for; None leaves it to the machine: `--memory-limit`, `--diskspace-limit`, `--buffer-chunks`."""

    memory_bytes: int | None = None
    scratch_bytes: int | None = None
    max_chunks: int | None = None

    def resolve(self, cost_bytes: int, *, memory_available_bytes: int, disk_free_bytes: int) -> BufferLimits:
        """Return the limits for chunks that take `cost_bytes` each, given what the machine has now.

        Memory: a quarter of what is available, between 64 MiB and 2 GiB. Scratch: half of what is free. Chunks: what memory
        holds, but 2 at least and 10 at most.

        Raises:
            UsageError: a wish cannot be met by anything.
        """
        if self.memory_bytes is not None and self.memory_bytes < MIN_MEMORY_BYTES:
            raise UsageError(
                f"the memory limit is below {format_size(MIN_MEMORY_BYTES)}",
                hint="larger chunks than that go through scratch files (--scratch-dir)",
            )
        if self.max_chunks is not None and self.max_chunks < 1:
            raise UsageError(
                "at least one chunk has to be buffered", hint="leave --buffer-chunks away, or give 1 or more"
            )
        memory = self.memory_bytes
        if memory is None:
            memory = min(
                max(memory_available_bytes // _MEMORY_SHARE, MIN_MEMORY_BYTES), _MAX_AUTO_MEMORY_BYTES
            )
        scratch = disk_free_bytes // 2 if self.scratch_bytes is None else self.scratch_bytes
        chunks = self.max_chunks
        if chunks is None:
            chunks = min(max(memory // max(cost_bytes, 1), _MIN_AUTO_CHUNKS), _MAX_AUTO_CHUNKS)
        return BufferLimits(
            memory_bytes=memory,
            scratch_bytes=scratch,
            max_chunks=chunks,
            insists=self.max_chunks is not None,
        )
