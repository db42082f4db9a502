"""Adapter of `ports.disk_probe.ProcessorProbe` over /proc/stat."""

from __future__ import annotations

from pathlib import Path

from s3duct.domain.ports.disk_probe import ProcessorProbe

# proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in user and nice as well.
_KINDS = 8
_IDLE, _IOWAIT = 3, 4
# The kernel counts in hundredths of a second: a shorter while says nothing.
_TICKS = 20


class LinuxProcessorProbe(ProcessorProbe):
    """All processors of the machine; limits of control groups do not count."""

    def __init__(self, *, proc: Path = Path("/proc")) -> None:
        """Begin to count (tests count elsewhere)."""
        self._stat = proc / "stat"
        self.begin()

    def begin(self) -> None:
        """Forget what was counted."""
        self._idle, self._total = self._read()
        self._share = 0.0 if self._total else 1.0

    def idle_share(self) -> float:
        """Since an earlier look; 0 before there was time to count anything, 1 where the system does not say."""
        idle, total = self._read()
        if total - self._total >= _TICKS:
            self._share = min(max((idle - self._idle) / (total - self._total), 0.0), 1.0)
            self._idle, self._total = idle, total
        return self._share

    def _read(self) -> tuple[int, int]:
        try:
            with self._stat.open() as file:
                ticks = [int(field) for field in file.readline().split()[1 : 1 + _KINDS]]
            return ticks[_IDLE] + ticks[_IOWAIT], sum(ticks)
        except (OSError, ValueError, IndexError):
            return 0, 0
