"""An event that a system call can wait for beside a pipe."""

from __future__ import annotations

import os
import select
import threading


class Latch:
    """Open until it is set, once and for all. Setting it wakes every `wait_for` that watches it."""

    def __init__(self) -> None:
        """Not set."""
        self._read_end, self._write_end = os.pipe()
        self._lock = threading.Lock()

    @property
    def is_set(self) -> bool:
        """Whether it is set."""
        return self._write_end < 0

    def set(self) -> None:
        """Set it. Idempotent."""
        with self._lock:
            if self._write_end >= 0:
                descriptor, self._write_end = self._write_end, -1
                os.close(descriptor)  # its reading end hangs up

    def fileno(self) -> int:
        """Descriptor for `poll`."""
        return self._read_end

    def __del__(self) -> None:
        """Close what it holds: nobody can wait for it any more."""
        self.set()
        os.close(self._read_end)


def wait_for(*latches: Latch, pipe: int = -1, writing: bool = False, timeout_s: float | None = None) -> bool:
    """Wait until a latch is set, or `pipe` can be read (written) without waiting; return whether it can."""
    poll = select.poll()
    for latch in latches:
        poll.register(latch, 0)  # a hang-up is reported unasked
    if pipe >= 0:
        poll.register(pipe, select.POLLOUT if writing else select.POLLIN)
    ready = poll.poll(None if timeout_s is None else max(timeout_s, 0.0) * 1000)
    return any(descriptor == pipe for descriptor, _ in ready)
