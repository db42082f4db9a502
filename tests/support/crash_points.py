"""Points at which a process can be made to die: around every request to the store, and every write of journal and output.

Used by `forked_command.py` alone, in processes of its own: it wraps what the container gives out, and system calls.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from dependency_injector import providers

from s3duct.adapters.pipe_ends import DescriptorSource
from s3duct.app.container import Container
from s3duct.app.container.stores import make_store
from s3duct.domain.ports.object_store import ObjectStore
from s3duct.domain.ports.pipe import Source
from tests.fakes.hooked_store import HookedStore, Operation, Phase

# Those by which journals and outputs come to be on the disk, as `os` names them.
SYSTEM_CALLS = ("pwrite", "fsync", "ftruncate", "fchmod", "link", "unlink", "rename", "replace")
# After the others nothing is different from what it was before.
CHANGES = ("put", "put_parts", "delete")


class CrashPoints:
    """Counts the points that are reached, notes each in a file, and kills its process at the chosen one."""

    def __init__(self, log: int, die_at: int) -> None:
        """`log` is a descriptor to write to; `die_at` counts from 1, 0 never comes."""
        self._log = log
        self._die_at = die_at
        self._count = 0
        self._lock = threading.Lock()

    def reached(self, point: str) -> None:
        """Note it; if it is the one, do not come back."""
        with self._lock:
            self._count += 1
            os.write(self._log, f"{point}\n".encode())
            if self._count == self._die_at:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    def install(self) -> None:
        """Put points around the store, the source, and the system calls."""
        for name in SYSTEM_CALLS:
            setattr(os, name, self._around(name, getattr(os, name)))

        async def hook(operation: Operation, phase: Phase) -> None:
            if phase is Phase.BEFORE or operation.method in CHANGES:
                self.reached(f"{phase.value} {operation.method} {operation.key}")

        def store(*arguments: Any, **options: Any) -> ObjectStore:
            return HookedStore(make_store(*arguments, **options), hook)

        # Functions: containers copy what they hold, and these are to stay the same.
        def source(descriptor: int) -> Source:
            return WatchedSource(self.reached, descriptor)

        Container.store.override(providers.Factory(store, Container.settings, Container.aws))
        Container.descriptor_source.override(providers.Factory(source))

    def _around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def around(*arguments: Any, **options: Any) -> Any:
            self.reached(f"before {name}")
            if name != "pwrite":
                return call(*arguments, **options)
            descriptor, data, offset = arguments
            half = len(data) // 2
            written: int = call(descriptor, data[:half], offset)
            self.reached(f"midway {name}")
            if written < half:
                return written
            return half + call(descriptor, data[half:], offset + half)

        return around


class WatchedSource(Source):
    """A descriptor with a point before every read."""

    def __init__(self, reached: Callable[[str], None], descriptor: int) -> None:
        self._reached = reached
        self._inner = DescriptorSource(descriptor)

    def read_into(self, view: memoryview) -> int:
        self._reached("before read")
        return self._inner.read_into(view)

    def completeness_warning(self, total_bytes: int) -> str:
        return self._inner.completeness_warning(total_bytes)
