"""What the parts of the benchmark hand over to the reports, and how it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from s3duct.domain.sizes import GIB
from tests.bench.measure import Usage
from tests.bench.race import Run


@dataclass(frozen=True, slots=True)
class Kernel:
    """What one piece of work costs on one core, all cores being busy with the same. `alone`: with one core busy."""

    name: str
    cpu_s_per_gib: float
    alone_s_per_gib: float


@dataclass(frozen=True, slots=True)
class InMemory:
    """One direction through a store in memory, beside what the kernels allow (see `roofline`).

    `kernels_cpu_s`: the processor time that the kernels alone would take.
    """

    direction: str
    wall_s: float
    cpu_s: float
    roofline_s: float
    bound_by: str
    kernels_cpu_s: float

    @property
    def efficiency(self) -> float:
        """Achieved / roofline."""
        return self.roofline_s / self.wall_s


@dataclass(frozen=True, slots=True)
class Grown:
    """One run of a series that grows by `chunks` or by `bytes`."""

    series: str
    direction: str
    chunks: int
    size_bytes: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class Listed:
    """One `list` of a bucket."""

    server: str
    streams: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class Started:
    """One start: how long until the command had ended, or until the first byte was out."""

    what: str
    server: str
    seconds: float


@dataclass(slots=True)
class Results:
    """Everything that was measured. Parts that were left away have left nothing."""

    machine: Mapping[str, str]
    settings: dict[str, Any]
    legend: Mapping[str, str] = field(default_factory=dict)
    """What each contestant is, by label, in the order of the tables."""
    absent: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    kernels: list[Kernel] = field(default_factory=list)
    in_memory: list[InMemory] = field(default_factory=list)
    grown: list[Grown] = field(default_factory=list)
    listed: list[Listed] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)

    def raw(self) -> dict[str, Any]:
        """Every figure, for JSON."""
        return asdict(self)

    def servers(self) -> list[str]:
        """Servers of the race, in its order."""
        return list(dict.fromkeys(run.server for run in self.runs))


@dataclass(frozen=True, slots=True)
class Summary:
    """Medians of one contestant in one direction over one server, and the range of the wall times behind them."""

    wall_s: float
    fastest_s: float
    slowest_s: float
    cpu_s: float
    peak_rss_bytes: float
    scratch_bytes: float
    first_byte_s: float | None

    def cpu_s_per_gib(self, size_bytes: int) -> float:
        """Processor seconds for each GiB."""
        return self.cpu_s * GIB / size_bytes


def summarize(usages: list[Usage]) -> Summary:
    """Take medians; there must be at least one run. Memory and scratch: the highest, since they are bounds."""
    walls = [usage.wall_s for usage in usages]
    firsts = [usage.first_byte_s for usage in usages if usage.first_byte_s is not None]
    return Summary(
        wall_s=median(walls),
        fastest_s=min(walls),
        slowest_s=max(walls),
        cpu_s=median(usage.cpu_s for usage in usages),
        peak_rss_bytes=max(usage.peak_rss_bytes for usage in usages),
        scratch_bytes=max(usage.scratch_bytes for usage in usages),
        first_byte_s=median(firsts) if firsts else None,
    )


def summaries(runs: list[Run], server: str, direction: str) -> dict[str, Summary]:
    """Summarize one direction over one server, by the contestants' labels."""
    by_label: dict[str, list[Usage]] = {}
    for run in runs:
        if (run.server, run.direction) == (server, direction):
            by_label.setdefault(run.contestant, []).append(run.usage)
    return {label: summarize(usages) for label, usages in by_label.items()}
