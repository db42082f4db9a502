"""Medians, ratios, and the tables that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from s3duct.domain.sizes import MIB
from tests.bench.contestants import BASELINE, RELEASE, Contestant
from tests.bench.rounds import GET, PUT, Run

_NOTHING = "-"
_HEAD = (
    *("contestant", "wall s", "min-max", "MiB/s", "CPU s", "peak MiB"),
    *(f"wall / {BASELINE}", f"CPU / {BASELINE}", f"wall / {RELEASE}", f"CPU / {RELEASE}"),
)


@dataclass(frozen=True, slots=True)
class Summary:
    """Medians of one contestant in one direction, and the range of the wall times behind them."""

    wall_s: float
    fastest_s: float
    slowest_s: float
    cpu_s: float
    peak_rss_bytes: float


def summarize(runs: Sequence[Run]) -> Summary:
    """Take medians; there must be at least one run."""
    walls = [run.usage.wall_s for run in runs]
    return Summary(
        wall_s=median(walls),
        fastest_s=min(walls),
        slowest_s=max(walls),
        cpu_s=median(run.usage.cpu_s for run in runs),
        peak_rss_bytes=median(run.usage.peak_rss_bytes for run in runs),
    )


def summaries(runs: Sequence[Run], direction: str) -> dict[str, Summary]:
    """Summarize one direction, by the contestants' labels."""
    by_label: dict[str, list[Run]] = {}
    for run in runs:
        if run.direction == direction:
            by_label.setdefault(run.contestant, []).append(run)
    return {label: summarize(own) for label, own in by_label.items()}


def ratios(summary: Summary, other: Summary | None) -> tuple[str, str]:
    """Tell how many times the other's wall and processor time it took; below 1 is better."""
    if other is None:
        return _NOTHING, _NOTHING
    return _ratio(summary.wall_s, other.wall_s), _ratio(summary.cpu_s, other.cpu_s)


def table(contestants: Sequence[Contestant], measured: Mapping[str, Summary], size_bytes: int) -> str:
    """Return one direction as a Markdown table, a row for each contestant that was measured."""
    rows = [_HEAD, tuple(["---"] + ["---:"] * (len(_HEAD) - 1))]
    for contestant in contestants:
        summary = measured.get(contestant.label)
        if summary is None:
            continue
        rival = measured.get(contestant.rival) if contestant.rival else None
        rows.append(
            (
                contestant.label,
                f"{summary.wall_s:.2f}",
                f"{summary.fastest_s:.2f}-{summary.slowest_s:.2f}",
                f"{size_bytes / MIB / summary.wall_s:.0f}",
                f"{summary.cpu_s:.2f}",
                f"{summary.peak_rss_bytes / MIB:.0f}",
                *ratios(summary, measured.get(BASELINE)),
                *ratios(summary, rival),
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def markdown(
    *,
    machine: Mapping[str, str],
    settings: Mapping[str, Any],
    contestants: Sequence[Contestant],
    absent: Sequence[str],
    runs: Sequence[Run],
) -> str:
    """Return the whole report."""
    blocks = [
        "\n".join(f"- {key}: {value}" for key, value in {**machine, **settings}.items()),
        *(f"- not measured: {reason}" for reason in absent),
    ]
    for direction in (PUT, GET):
        measured = summaries(runs, direction)
        blocks += [f"## {direction}", table(contestants, measured, settings["size_bytes"])]
    blocks.append(
        "Medians. CPU: user and system time of the client and its children; peak: resident memory of the largest of them. "
        "Ratios below 1 are better; only figures of one run compare."
    )
    return "\n\n".join(blocks)


def raw(
    *, machine: Mapping[str, str], settings: Mapping[str, Any], absent: Sequence[str], runs: Sequence[Run]
) -> dict[str, Any]:
    """Return every figure, for JSON."""
    return {
        "machine": dict(machine),
        "settings": dict(settings),
        "absent": list(absent),
        "runs": [asdict(run) for run in runs],
    }


def _ratio(value: float, other: float) -> str:
    return f"{value / other:.2f}" if other else _NOTHING
