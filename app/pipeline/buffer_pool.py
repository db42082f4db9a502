"""Hands out regions for chunks in flight as the domain's backpressure policy admits them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from s3duct.app.pipeline.host import Host, RecentRoom
from s3duct.domain.backpressure import (
    Admission,
    BufferLimits,
    BufferUsage,
    BufferWishes,
    HostRoom,
    admit,
    keeps_busy,
)
from s3duct.domain.errors import LocalResourceError
from s3duct.domain.events import BackpressureStarted, Listener, Notice
from s3duct.domain.ports.chunk_memory import Placement, Region
from s3duct.domain.ports.clock import Clock
from s3duct.domain.sizes import format_size

# How often the machine is asked again while a chunk waits: others may have freed something.
_LOOK_EVERY_S = 1.0
# How long a run under way, with nothing in flight, waits for others to free something. A run of many hours should not end
# because of a moment's shortage; one that is short for longer should say so while somebody may still look.
_PATIENCE_S = 5.0

_PLACEMENTS = {Admission.MEMORY: Placement.MEMORY, Admission.SCRATCH: Placement.SCRATCH}


@dataclass(frozen=True, slots=True)
class Lease:
    """A region in use, and what it counts for beside its own size (sealed parts on their way, in memory)."""

    region: Region
    size_bytes: int
    overhead_bytes: int

    @property
    def memory_bytes(self) -> int:
        """What it takes of memory."""
        return self.overhead_bytes + (self.size_bytes if self.region.placement is Placement.MEMORY else 0)

    @property
    def scratch_bytes(self) -> int:
        """What it takes of scratch."""
        return self.size_bytes if self.region.placement is Placement.SCRATCH else 0


class BufferPool:
    """Regions for chunks in flight, within limits. Used from one event loop.

    Before every region the machine is asked what it has left, and limits that follow the machine follow it anew. Small
    regions that follow one another closely share one look (`RecentRoom`) for as long as that leaves room.
    """

    def __init__(
        self, host: Host, wishes: BufferWishes, *, cost_bytes: int, clock: Clock, listener: Listener
    ) -> None:
        """Take where regions come from and what they may take; a chunk costs about `cost_bytes`."""
        self._host = host
        self._recent = RecentRoom(host, clock)
        self._wishes = wishes
        self._cost_bytes = cost_bytes
        self._clock = clock
        self._listener = listener
        self._leases: set[Lease] = set()
        self._unfilled: set[Lease] = set()
        self._changed = asyncio.Event()
        self._has_served = False
        self._most_at_once = 0
        self._are_enough = False
        # What the user was told of, and has not worked since: a long run must not say it before every chunk. `ABORT` stands
        # for a wait with nothing in flight.
        self._told: set[Admission] = set()

    @property
    def in_use(self) -> int:
        """How many regions are in use."""
        return len(self._leases)

    def limits(self) -> BufferLimits:
        """The limits in force now. Raises `UsageError`: a wish cannot be met by anything."""
        return self._limits_within(self._host.room(), self._usage())

    async def acquire(self, size_bytes: int, *, overhead_bytes: int = 0) -> Lease:
        """Wait until a region is admitted and return it.

        Raises:
            LocalResourceError: it fits nowhere, not even alone.
        """
        waited = False
        give_up_s: float | None = None
        while True:
            try:
                lease = self.try_acquire(size_bytes, overhead_bytes=overhead_bytes)
            except LocalResourceError as error:
                now_s = self._clock.monotonic_s()
                give_up_s = now_s + _PATIENCE_S if give_up_s is None else give_up_s
                if not self._has_served or now_s >= give_up_s:
                    raise
                self._tell_once(
                    Admission.ABORT, error, f"waiting up to {_PATIENCE_S:.0f} s for others to free some"
                )
                await self._clock.sleep(_LOOK_EVERY_S)
                continue
            if lease is not None:
                return lease
            give_up_s = None
            if not waited:
                self._listener(BackpressureStarted("waiting for chunks in flight"))
                waited = True
            await self._until_something_may_have_changed()

    def try_acquire(self, size_bytes: int, *, overhead_bytes: int = 0) -> Lease | None:
        """Return a region if one is admitted now, None if one will be once others come back.

        Raises:
            LocalResourceError: it fits nowhere, not even alone.
        """
        usage = self._usage()
        room = self._room_for(size_bytes, overhead_bytes, usage)
        limits = self._limits_within(room, usage)
        failures: dict[Admission, LocalResourceError] = {}
        while True:
            decision = admit(
                size_bytes,
                overhead_bytes,
                limits=limits,
                usage=usage,
                room=room,
                refused=frozenset(failures),
            )
            self._are_enough = decision is Admission.ENOUGH
            if decision not in (Admission.MEMORY, Admission.ENOUGH):
                self._host.memory.trim()  # what is kept does not help: there is no room
            if decision is Admission.ABORT:
                raise next(iter(failures.values()), _no_room(size_bytes, limits, room))
            lease = None
            if decision in _PLACEMENTS:
                try:
                    region = self._host.memory.allocate(size_bytes, _PLACEMENTS[decision])
                except LocalResourceError as error:
                    failures[decision] = error
                    continue
                lease = Lease(region, size_bytes, overhead_bytes)
                self._take(lease, decision)
            for placement, failure in failures.items():
                self._tell_once(placement, failure, "going on without it as long as that is possible")
            return lease

    def filled(self, lease: Lease) -> None:
        """Note that a region holds all it will hold: from now on the machine's own figures show what it takes."""
        self._unfilled.discard(lease)
        if not self._are_enough:
            self._changed.set()

    def release(self, lease: Lease) -> None:
        """Take a region back. Nothing may use its view any more."""
        lease.region.release()
        self._leases.discard(lease)
        self._unfilled.discard(lease)
        self._changed.set()

    def _take(self, lease: Lease, placement: Admission) -> None:
        self._leases.add(lease)
        if len(self._leases) > self._most_at_once:
            self._most_at_once = len(self._leases)
            if keeps_busy(self._usage()):
                # Whether more would be of use shows only now: before, the processors may have had less to do.
                self._host.count_idle_time()
        self._unfilled.add(lease)
        self._recent.granted(lease.memory_bytes)
        self._has_served = True
        self._told -= {placement, Admission.ABORT}

    def _room_for(self, size_bytes: int, overhead_bytes: int, usage: BufferUsage) -> HostRoom:
        recent = self._recent.left(size_bytes + overhead_bytes)
        if recent is not None:
            limits = self._limits_within(recent, usage)
            decision = admit(size_bytes, overhead_bytes, limits=limits, usage=usage, room=recent)
            # No other answer may come of figures that are too low: neither scratch, nor a wait for room, nor the end.
            if decision in (Admission.MEMORY, Admission.ENOUGH):
                return recent
        return self._recent.look(promised_bytes=usage.promised_bytes)

    def _limits_within(self, room: HostRoom, usage: BufferUsage) -> BufferLimits:
        """What is in use counts as room: the limits say what all buffers together may take."""
        return self._wishes.resolve(
            self._cost_bytes,
            memory_available_bytes=room.memory_bytes + usage.memory_bytes,
            disk_free_bytes=room.disk_bytes + usage.scratch_bytes,
        )

    def _usage(self) -> BufferUsage:
        return BufferUsage(
            memory_bytes=sum(lease.memory_bytes for lease in self._leases),
            scratch_bytes=sum(lease.scratch_bytes for lease in self._leases),
            chunks=len(self._leases),
            # Sealed parts come and go as long as the chunk is in flight.
            promised_bytes=sum(
                lease.memory_bytes if lease in self._unfilled else lease.overhead_bytes
                for lease in self._leases
            ),
        )

    def _tell_once(self, what: Admission, error: LocalResourceError, what_now: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._listener(Notice(f"{error.message}: {what_now}"))

    async def _until_something_may_have_changed(self) -> None:
        """A region has come back or arrived, or it is time to look at the machine again."""
        self._changed.clear()
        looking = asyncio.ensure_future(self._look_again())
        try:
            await self._changed.wait()
        finally:
            looking.cancel()

    async def _look_again(self) -> None:
        await self._clock.until(self._clock.monotonic_s() + _LOOK_EVERY_S)
        self._changed.set()


def _no_room(size_bytes: int, limits: BufferLimits, room: HostRoom) -> LocalResourceError:
    return LocalResourceError(
        f"no room for a chunk of {format_size(size_bytes)}: "
        f"memory limit {format_size(limits.memory_bytes)}, {format_size(room.memory_bytes)} available, "
        f"scratch limit {format_size(limits.scratch_bytes)}, {format_size(room.disk_bytes)} free on the scratch disk",
        hint="free some, raise --memory-limit or --diskspace-limit, choose another --scratch-dir, or lower --chunk-size",
    )
