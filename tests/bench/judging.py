"""How a target is judged: from the summaries over each server, or from a series that grows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from s3duct.domain.sizes import KIB
from tests.bench.results import Grown, Results, Summary, summaries

_MOST_CPU_MS, _MOST_KIB, _FLAT = 1.0, 1.0, 1.25


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured at one place, and whether that is good enough."""

    text: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Target:
    """One target and its figures; it is met if it is met wherever it was measured, None if that is nowhere."""

    text: str
    figures: tuple[Figure, ...]

    @property
    def is_met(self) -> bool | None:
        """The verdict."""
        return all(figure.is_met for figure in self.figures) if self.figures else None


Judge = Callable[[Mapping[str, Summary]], Figure | None]


def over_servers(results: Results, text: str, direction: str, judge: Judge) -> Target:
    """Judge over each server; `judge` returns None where what it compares was not measured."""
    figures = []
    for server in results.servers():
        figure = judge(summaries(results.runs, server, direction))
        if figure is not None:
            figures.append(Figure(f"{server} {figure.text}", figure.is_met))
    return Target(text, tuple(figures))


def faster(label: str, rivals: Sequence[str], factor: float) -> Judge:
    """`label` is at least `factor` times as fast as the fastest of the rivals that were measured."""

    def judge(measured: Mapping[str, Summary]) -> Figure | None:
        walls = {rival: measured[rival].wall_s for rival in rivals if rival in measured}
        if label not in measured or not walls:
            return None
        best = min(walls, key=lambda rival: walls[rival])
        ratio = walls[best] / measured[label].wall_s
        return Figure(f"{ratio:.2f}x {best}", ratio >= factor)

    return judge


def not_slower(label: str, other: str, most: float) -> Judge:
    """`label` takes at most the share `most` longer than `other`."""

    def judge(measured: Mapping[str, Summary]) -> Figure | None:
        if label not in measured or other not in measured:
            return None
        more = measured[label].wall_s / measured[other].wall_s - 1
        return Figure(f"{100 * more:+.0f} %", more <= most)

    return judge


def cheap(label: str, size_bytes: int, most_s: float) -> Judge:
    """`label` takes at most so many processor seconds for a GiB."""

    def judge(measured: Mapping[str, Summary]) -> Figure | None:
        if label not in measured:
            return None
        cpu_s = measured[label].cpu_s_per_gib(size_bytes)
        return Figure(f"{cpu_s:.2f}", cpu_s <= most_s)

    return judge


def per_chunk(series: Iterable[Grown]) -> tuple[Figure, ...]:
    """Judge what a chunk costs from the differences between neighbours, so that starting up does not count.

    Flat: it never costs more than 1.25 times what it did at first.
    """
    figures: list[Figure] = []
    first_ms: float | None = None
    for small, large in itertools.pairwise(series):
        more = large.chunks - small.chunks
        cpu_ms = 1000 * (large.usage.cpu_s - small.usage.cpu_s) / more
        kib = (large.usage.peak_rss_bytes - small.usage.peak_rss_bytes) / KIB / more
        first_ms = cpu_ms if first_ms is None else first_ms
        good = cpu_ms <= min(_MOST_CPU_MS, _FLAT * first_ms) and kib <= _MOST_KIB
        figures.append(Figure(f"up to {large.chunks:,}: {cpu_ms:.2f} ms, {kib:.2f} KiB", good))
    return tuple(figures)
