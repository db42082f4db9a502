"""What the hardware allows a put and a get of AES chunks: the kernels, measured now, and the model over them.

A kernel is one piece of work that every byte needs, done with buffers that are used over and over:

- put: read it into a buffer, SHA-256 and SHA3-256 of the plain bytes, AES-256-GCM, SHA-256 of the sealed bytes, and what the
  store in memory takes for itself (`put_parts`);
- get: what the store takes for itself, a copy into the chunk's buffer, AES-256-GCM, SHA-256 and SHA3-256.

Chunks are independent of each other, so that their work spreads over all cores; what one chunk needs of one digest does not,
and neither does reading the input. So no run can be faster than

    roofline = max(longest serial stage, sum of the CPU costs / cores)

The costs are processor time with all cores busy with the same kernel, which counts what cores share (memory, the parts of a
core behind two hardware threads). The serial stages: reading all of the input, and each digest over one chunk, alone.
Starting up, the first chunk that nothing else overlaps with, and the last one are not in the model.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.domain.sizes import GIB, MIB
from tests.bench.native import Batch
from tests.bench.results import Kernel

_PIECE_BYTES = 4 * MIB
_PART_BYTES = 8 * MIB
_OBJECT_BYTES = 64 * MIB
_EACH_S, _TIMES = 0.1, 3
_MEMORY = Path("/dev/shm")  # noqa: S108 - the file has no name there

READ, SHA256, SHA3, AES, COPY = "read", "SHA-256", "SHA3-256", "AES-256-GCM", "copy"
STORE_PUT, STORE_GET = "store in memory, put", "store in memory, get"
PUT_WORK = (READ, SHA256, SHA3, AES, SHA256, STORE_PUT)
GET_WORK = (STORE_GET, COPY, AES, SHA256, SHA3)
# Of one chunk, that is, all alone; reading is of the whole stream.
SHA256_SERIAL, SHA3_SERIAL = "SHA-256 of one chunk", "SHA3-256 of one chunk"
_SERIAL_IN_A_CHUNK = (SHA256_SERIAL, SHA3_SERIAL)

# Does some of the work of a kernel; returns how many bytes it was.
Step = Callable[[], int]


def measure(seconds: float = _EACH_S) -> list[Kernel]:
    """Measure all kernels, each three times for that long on one core and on all; the best of them counts."""
    with tempfile.TemporaryFile(dir=_MEMORY if _MEMORY.is_dir() else None) as file:
        file.write(os.urandom(_OBJECT_BYTES))
        file.flush()
        makers: dict[str, Callable[[], Step]] = {
            READ: lambda: _read(file.fileno()),
            SHA256: lambda: _hash("sha256"),
            SHA3: lambda: _hash("sha3_256"),
            AES: _seal,
            SHA256_SERIAL: lambda: _hash("sha256", width=1),
            SHA3_SERIAL: lambda: _hash("sha3_256", width=1),
            COPY: _copy,
            STORE_PUT: _store_put,
            STORE_GET: _store_get,
        }
        return [_kernel(name, make, seconds) for name, make in makers.items()]


def _kernel(name: str, make: Callable[[], Step], seconds: float) -> Kernel:
    cores = os.cpu_count() or 1
    alone = min(_cost(make, 1, seconds) for _ in range(_TIMES))
    return Kernel(
        name, min(_cost(make, cores, seconds) for _ in range(_TIMES)) if cores > 1 else alone, alone
    )


def bound(
    kernels: Sequence[Kernel], work: Sequence[str], *, size_bytes: int, chunk_bytes: int, cores: int
) -> tuple[float, str]:
    """Return the shortest time that the model allows for a stream, in seconds, and what it is bound by."""
    by_name = {kernel.name: kernel for kernel in kernels}
    stages = {f"{cores} cores": cpu_s(kernels, work, size_bytes) / cores}
    if READ in work:
        stages[READ] = by_name[READ].alone_s_per_gib * size_bytes / GIB
    for name in _SERIAL_IN_A_CHUNK:
        stages[name] = by_name[name].alone_s_per_gib * min(chunk_bytes, size_bytes) / GIB
    longest = max(stages, key=lambda stage: stages[stage])
    return stages[longest], longest


def cpu_s(kernels: Sequence[Kernel], work: Sequence[str], size_bytes: int) -> float:
    """Return the processor time that the kernels take for a stream, all cores being busy."""
    costs = {kernel.name: kernel.cpu_s_per_gib for kernel in kernels}
    return sum(costs[name] for name in work) * size_bytes / GIB


def _cost(make: Callable[[], Step], threads: int, seconds: float) -> float:
    """Processor seconds for a GiB with so many threads at it; those of the store's own threads are counted as well."""
    steps = [make() for _ in range(threads)]
    for step in steps:
        step()  # fills the buffers' pages
    done = [0] * threads
    deadline = time.perf_counter() + seconds
    before = time.process_time()

    def work(position: int) -> None:
        while not done[position] or time.perf_counter() < deadline:
            done[position] += steps[position]()

    workers = [threading.Thread(target=work, args=(position,)) for position in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return (time.process_time() - before) * GIB / sum(done)


def _read(descriptor: int) -> Step:
    buffer = memoryview(bytearray(_PIECE_BYTES))
    position = 0

    def step() -> int:
        nonlocal position
        size = os.preadv(descriptor, [buffer], position)
        position = (position + size) % _OBJECT_BYTES
        return size

    return step


def _hash(algorithm: str, *, width: int | None = None) -> Step:
    batch = Batch(algorithm, width=width)
    pieces = [memoryview(bytearray(_PIECE_BYTES)) for _ in range(batch.width)]

    def step() -> int:
        batch.update(pieces)
        return _PIECE_BYTES * batch.width

    return step


def _seal() -> Step:
    # Opening is the same work: counter mode and GHASH. A message ends at 64 GiB; this one is far from it.
    encryptor = Cipher(algorithms.AES(bytes(32)), modes.GCM(bytes(12))).encryptor()
    plain, sealed = bytearray(_PIECE_BYTES), bytearray(_PIECE_BYTES)
    return lambda: encryptor.update_into(plain, sealed)


def _copy() -> Step:
    source, target = memoryview(bytearray(_PIECE_BYTES)), memoryview(bytearray(_PIECE_BYTES))

    def step() -> int:
        target[:] = source
        return _PIECE_BYTES

    return step


def _store_put() -> Step:
    store, part = MemoryObjectStore(), bytes(_PIECE_BYTES)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(_OBJECT_BYTES // _PIECE_BYTES):
            yield part

    def step() -> int:
        asyncio.run(store.put_parts("one", parts(), part_bytes=_PART_BYTES))
        return _OBJECT_BYTES

    return step


def _store_get() -> Step:
    store = MemoryObjectStore()
    asyncio.run(store.put("one", bytes(_OBJECT_BYTES)))

    async def drain() -> int:
        return sum([len(piece) async for piece in store.get("one")])

    return lambda: asyncio.run(drain())
