"""This machine as chunk buffers see it, and how long a look at it may be believed (ADR 0019, 0023)."""

from __future__ import annotations

from s3duct.domain.backpressure import MEMORY_RESERVE_BYTES, HostRoom
from s3duct.domain.ports.chunk_memory import ChunkMemory
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.disk_probe import DiskProbe, MemoryProbe, ProcessorProbe

# A look costs about 1.5 ms of CPU: /proc, every control group, statvfs.
_BELIEVED_FOR_S = 0.05
# All that is granted on one look, were it wrong by now, still leaves most of what is always left alone.
_GRANTED_BY_ONE_LOOK_BYTES = MEMORY_RESERVE_BYTES // 8


class Host:
    """Where chunk buffers come from, and what is left."""

    def __init__(
        self, memory: ChunkMemory, disk: DiskProbe, memory_probe: MemoryProbe, processors: ProcessorProbe
    ) -> None:
        """Take the ports."""
        self.memory = memory
        self._disk = disk
        self._memory_probe = memory_probe
        self._processors = processors

    def room(self) -> HostRoom:
        """What is left now. What released regions still hold is ours to use."""
        return HostRoom(
            memory_bytes=self._memory_probe.available_bytes() + self.memory.spare_bytes,
            disk_bytes=self._disk.free_bytes(),
            idle_processors=self._processors.idle_share(),
        )

    def count_idle_time(self) -> None:
        """Count the time that processors are idle from now on."""
        self._processors.begin()


class RecentRoom:
    """What the last look at the machine still leaves for buffers that are small beside the memory left alone."""

    def __init__(self, host: Host, clock: Clock) -> None:
        """Look at nothing yet."""
        self._host = host
        self._clock = clock
        self._room = HostRoom(0, 0)
        self._granted_bytes = 0
        self._looked_at_s = float("-inf")

    def look(self, *, promised_bytes: int) -> HostRoom:
        """Look now; `promised_bytes` are granted already and show in no figure yet."""
        room = self._host.room()
        self._room = HostRoom(room.memory_bytes - promised_bytes, room.disk_bytes)
        self._granted_bytes = 0
        self._looked_at_s = self._clock.monotonic_s()
        return room

    def left(self, needed_bytes: int) -> HostRoom | None:
        """What is left by the last look, all that was granted since taken off; None if it is not to be believed any more.

        Whether that has come back meanwhile is not asked: the figure may be too low, and only others can make it too high.
        """
        granted_bytes = self._granted_bytes + needed_bytes
        is_old = self._clock.monotonic_s() >= self._looked_at_s + _BELIEVED_FOR_S
        if is_old or granted_bytes > _GRANTED_BY_ONE_LOOK_BYTES:
            return None
        return HostRoom(self._room.memory_bytes - self._granted_bytes, self._room.disk_bytes)

    def granted(self, size_bytes: int) -> None:
        """Note what was granted since."""
        self._granted_bytes += size_bytes
