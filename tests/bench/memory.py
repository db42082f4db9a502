"""The pipeline alone: a put and a get of AES chunks through a store in memory, beside what the kernels allow.

It runs in a process of its own, `python -m tests.bench.memory PAYLOAD KEY CHUNK_SIZE ROUNDS FOLDER`, which holds the stored
bytes as well and writes what it measured to stdout, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median

from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.app.api import (
    BufferWishes,
    PutOptions,
    S3duct,
    Settings,
    sink_of_descriptor,
    source_of_descriptor,
)
from s3duct.domain.sizes import GIB, MIB, parse_size
from tests.bench import roofline
from tests.bench.contestants import MEMORY_LIMIT, Keys, environment
from tests.bench.measure import CommandFailed
from tests.bench.race import GET, PUT, make_payload
from tests.bench.results import InMemory, Kernel, Results
from tests.support.released import ROOT

# glibc: what the store lets go of stays with the process, so that its fresh pages are not taken for the pipeline's.
_KEEP_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(8 * GIB),
    "MALLOC_MMAP_THRESHOLD_": str(32 * MIB),
    "MALLOC_ARENA_MAX": "1",
}


def measure_into(
    results: Results,
    home: Path,
    keys: Keys,
    *,
    size_bytes: int,
    chunk_size: str,
    rounds: int,
    say: Callable[[str], object],
) -> None:
    """Run the process, and take over its figures."""
    payload = make_payload(home / "payload", size_bytes)
    arguments = [payload.path, keys.aes, chunk_size, rounds, home / "state"]
    process = subprocess.run(
        [sys.executable, "-m", "tests.bench.memory", *map(str, arguments)],
        cwd=ROOT,
        env=environment(home) | _KEEP_MEMORY,
        capture_output=True,
        text=True,
        check=False,
    )
    payload.path.unlink()
    if process.returncode:
        raise CommandFailed(f"the run in memory failed\n{process.stderr[-4000:]}")
    said = json.loads(process.stdout)
    results.kernels += [Kernel(**one) for one in said["kernels"]]
    results.in_memory += [InMemory(**one) for one in said["in_memory"]]
    for one in results.in_memory:
        say(f"in memory: {one.direction} {one.wall_s:.2f} s, {one.efficiency:.2f} of the roofline")


def main(payload: Path, key: Path, chunk_size: str, rounds: int, folder: Path) -> None:
    """Measure kernels and runs within the same minute."""
    store = MemoryObjectStore()
    s3duct = S3duct(
        Settings(bucket="memory", key=f"file:{key}", state_dir=folder),
        store=store,
        buffers=BufferWishes(memory_bytes=parse_size(MEMORY_LIMIT)),
    )
    chunk_bytes, size_bytes = parse_size(chunk_size), payload.stat().st_size
    kernels = roofline.measure()
    options = PutOptions(chunk_size_bytes=chunk_bytes, clobber=True)
    took: dict[str, list[tuple[float, float]]] = {PUT: [], GET: []}
    for _ in range(rounds + 1):
        with payload.open("rb") as source, Path(os.devnull).open("wb") as sink:
            took[PUT].append(
                _timed(lambda: s3duct.put("one", source_of_descriptor(source.fileno()), options))
            )
            took[GET].append(_timed(lambda: s3duct.get("one", sink_of_descriptor(sink.fileno()))))
    cores = os.cpu_count() or 1
    figures = []
    for direction, work in ((PUT, roofline.PUT_WORK), (GET, roofline.GET_WORK)):
        least_s, bound_by = roofline.bound(
            kernels, work, size_bytes=size_bytes, chunk_bytes=chunk_bytes, cores=cores
        )
        walls, cpus = zip(*took[direction][1:], strict=True)  # the first one filled the buffers and caches
        kernels_s = roofline.cpu_s(kernels, work, size_bytes)
        figures.append(InMemory(direction, median(walls), median(cpus), least_s, bound_by, kernels_s))
    print(
        json.dumps(
            {"kernels": [asdict(one) for one in kernels], "in_memory": [asdict(one) for one in figures]}
        )
    )


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))
