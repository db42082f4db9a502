"""Hands out regions for chunks in flight as the domain's backpressure policy admits them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from s3duct.domain.backpressure import Admission, BufferLimits, BufferUsage, admit
from s3duct.domain.errors import LocalResourceError
from s3duct.domain.events import BackpressureStarted, Listener
from s3duct.domain.ports.chunk_memory import ChunkMemory, Placement, Region
from s3duct.domain.ports.disk_probe import DiskProbe
from s3duct.domain.sizes import format_size


@dataclass(frozen=True, slots=True)
class Lease:
    """A region in use, and what it counts for beside its own size (sealed parts on their way, in memory)."""

    region: Region
    size_bytes: int
    overhead_bytes: int


class BufferPool:
    """Regions for chunks in flight, within limits. Used from one event loop."""

    def __init__(
        self, memory: ChunkMemory, disk: DiskProbe, limits: BufferLimits, listener: Listener
    ) -> None:
        """Take where regions come from and what they may take."""
        self._memory = memory
        self._disk = disk
        self._limits = limits
        self._listener = listener
        self._usage = BufferUsage()
        self._returned = asyncio.Event()

    @property
    def in_use(self) -> int:
        """How many regions are in use."""
        return self._usage.chunks

    async def acquire(self, size_bytes: int, *, overhead_bytes: int = 0) -> Lease:
        """Wait until a region is admitted and return it.

        Raises:
            LocalResourceError: it fits nowhere, not even alone.
        """
        waited = False
        while (lease := self.try_acquire(size_bytes, overhead_bytes=overhead_bytes)) is None:
            if not waited:
                self._listener(BackpressureStarted("waiting for chunks in flight"))
                waited = True
            self._returned.clear()
            await self._returned.wait()
        return lease

    def try_acquire(self, size_bytes: int, *, overhead_bytes: int = 0) -> Lease | None:
        """Return a region if one is admitted now, None if one will be once others come back.

        Raises:
            LocalResourceError: it fits nowhere, not even alone.
        """
        free = self._disk.free_bytes()
        decision = admit(
            size_bytes, overhead_bytes, limits=self._limits, usage=self._usage, disk_free_bytes=free
        )
        if decision is Admission.WAIT:
            return None
        if decision is Admission.ABORT:
            raise LocalResourceError(
                f"no room for a chunk of {format_size(size_bytes)}: memory limit {format_size(self._limits.memory_bytes)}, "
                f"scratch limit {format_size(self._limits.scratch_bytes)}, {format_size(free)} free on the scratch disk",
                hint="raise --memory-limit or --diskspace-limit, choose another --scratch-dir, or lower --chunk-size",
            )
        placement = Placement.MEMORY if decision is Admission.MEMORY else Placement.SCRATCH
        try:
            region = self._memory.allocate(size_bytes, placement)
        except LocalResourceError:
            if self._usage.chunks:
                return None  # the disk or memory filled up meanwhile; chunks in flight will give some back
            raise
        lease = Lease(region, size_bytes, overhead_bytes)
        self._count(lease, 1)
        return lease

    def release(self, lease: Lease) -> None:
        """Take a region back. Nothing may use its view any more."""
        lease.region.release()
        self._count(lease, -1)
        self._returned.set()

    def _count(self, lease: Lease, sign: int) -> None:
        on_scratch = lease.region.placement is Placement.SCRATCH
        memory = lease.overhead_bytes + (0 if on_scratch else lease.size_bytes)
        self._usage = BufferUsage(
            memory_bytes=self._usage.memory_bytes + sign * memory,
            scratch_bytes=self._usage.scratch_bytes + sign * (lease.size_bytes if on_scratch else 0),
            chunks=self._usage.chunks + sign,
        )
