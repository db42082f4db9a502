"""The report as Markdown: targets, the race, and the other parts, each as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from s3duct.domain.sizes import GIB, KIB, MIB, format_size
from tests.bench import contestants as who
from tests.bench.growth import BY_BYTES, BY_CHUNKS, MEMORY_LIMIT
from tests.bench.race import GET, PUT
from tests.bench.results import Grown, Results, Summary, summaries
from tests.bench.targets import targets

NOTHING = "-"
_METHOD = """\
Only ratios within one run mean anything: contestants take turns, each round begins with another one, all over a \
server on the same machine. Figures are medians, but memory and scratch, which are bounds: the highest. CPU: user \
and system time of the client's commands and their children. Peak: resident memory of the largest process of each \
command, summed over a pipeline. Scratch: the most bytes in files of the contestant's own temporary folder, named or \
not, looked at ten times a second. First byte: from the start of the command. Everything restored was compared with \
what was stored, once for each contestant and server. aws, s5cmd and rclone do not encrypt; none but s3duct keeps \
two digests of what it stores and verifies before it emits."""


def markdown(results: Results) -> str:
    """Return the whole report."""
    blocks = ["# Benchmark", _facts(results), "## Targets", _targets(results)]
    for server in results.servers():
        for direction in (PUT, GET):
            measured = summaries(results.runs, server, direction)
            if measured:
                blocks += [f"## {direction}, {server}", _race(results, measured, direction)]
    if results.runs:
        blocks += [
            "## Contestants",
            table(("label", "what"), [list(pair) for pair in results.legend.items()]),
        ]
    if results.in_memory:
        blocks += ["## Store in memory", _in_memory(results), _kernels(results)]
    blocks += _growth(results)
    if results.listed:
        blocks += ["## list", _listed(results)]
    if results.started:
        blocks += ["## Starting", _started(results)]
    return "\n\n".join([*blocks, "## Method", _METHOD]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all but its first column is aligned to the right where it holds figures."""
    rows = [*rows]
    aligned = [
        "---:" if column and _is_figures(row[column] for row in rows) else "---"
        for column in range(len(head))
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, aligned, *rows])


def _is_figures(cells: Iterable[str]) -> bool:
    return all(cell == NOTHING or cell[:1].isdigit() for cell in cells)


def _facts(results: Results) -> str:
    facts = {**results.machine, **results.settings, "size": format_size(results.settings["size_bytes"])}
    del facts["size_bytes"]
    lines = [f"- {name.replace('_', ' ')}: {value}" for name, value in facts.items()]
    return "\n".join([*lines, *(f"- not measured: {reason}" for reason in results.absent)])


def _targets(results: Results) -> str:
    verdicts = {True: "met", False: "**missed**", None: "not measured"}
    return table(
        ("target", "figure", "verdict"),
        [
            (one.text, "; ".join(figure.text for figure in one.figures) or NOTHING, verdicts[one.is_met])
            for one in targets(results)
        ],
    )


def _race(results: Results, measured: dict[str, Summary], direction: str) -> str:
    size_bytes = results.settings["size_bytes"]
    rivals = [
        label
        for label in (who.RELEASED_AES, who.AWS, who.S5CMD, who.RCLONE, who.AGE_AWS)
        if label in measured
    ]
    head = ["contestant", "wall s", "min-max", "MiB/s", "CPU-s/GiB", "peak MiB", "scratch MiB"]
    if direction == GET:
        head.append("first byte s")
    head += [f"x {rival}" for rival in rivals]
    rows = []
    for label in results.legend:
        one = measured.get(label)
        if one is None:
            continue
        row = [
            label,
            f"{one.wall_s:.2f}",
            f"{one.fastest_s:.2f}-{one.slowest_s:.2f}",
            f"{size_bytes / MIB / one.wall_s:.0f}",
            f"{one.cpu_s_per_gib(size_bytes):.2f}",
            f"{one.peak_rss_bytes / MIB:.0f}",
            f"{one.scratch_bytes / MIB:.0f}",
        ]
        if direction == GET:
            row.append(NOTHING if one.first_byte_s is None else f"{one.first_byte_s:.2f}")
        rows.append(row + [f"{measured[rival].wall_s / one.wall_s:.2f}" for rival in rivals])
    return table(head, rows)


def _in_memory(results: Results) -> str:
    return table(
        ("direction", "wall s", "CPU s", "kernels' CPU s", "roofline s", "bound by", "achieved / roofline"),
        [
            (
                one.direction,
                f"{one.wall_s:.2f}",
                f"{one.cpu_s:.2f}",
                f"{one.kernels_cpu_s:.2f}",
                f"{one.roofline_s:.2f}",
                one.bound_by,
                f"{one.efficiency:.2f}",
            )
            for one in results.in_memory
        ],
    )


def _kernels(results: Results) -> str:
    return table(
        ("kernel", "CPU-s/GiB, all cores busy", "CPU-s/GiB, one core busy", "MiB/s, one core"),
        [
            (
                one.name,
                f"{one.cpu_s_per_gib:.3f}",
                f"{one.alone_s_per_gib:.3f}",
                f"{GIB / MIB / one.alone_s_per_gib:.0f}",
            )
            for one in results.kernels
        ],
    )


def _growth(results: Results) -> list[str]:
    chunks = [run for run in results.grown if run.series == BY_CHUNKS]
    sizes = [run for run in results.grown if run.series == BY_BYTES]
    blocks = []
    if chunks:
        head = ("direction", "chunks", "wall s", "CPU s", "CPU ms a chunk", "peak MiB", "KiB a chunk")
        blocks += ["## Growth by chunks of 4 KiB, local folder", table(head, map(_chunks_row, chunks))]
    if sizes:
        columns = ("direction", "size", "wall s", "CPU-s/GiB", "peak MiB", "scratch MiB")
        limit = f"--memory-limit {MEMORY_LIMIT}"
        blocks += [
            f"## Growth by bytes, chunks of 64 MiB, local folder, {limit}",
            table(columns, map(_size_row, sizes)),
        ]
    return blocks


def _chunks_row(run: Grown) -> Sequence[str]:
    return (
        run.direction,
        f"{run.chunks:,}",
        f"{run.usage.wall_s:.2f}",
        f"{run.usage.cpu_s:.2f}",
        f"{1000 * run.usage.cpu_s / run.chunks:.3f}",
        f"{run.usage.peak_rss_bytes / MIB:.0f}",
        f"{run.usage.peak_rss_bytes / KIB / run.chunks:.2f}",
    )


def _size_row(run: Grown) -> Sequence[str]:
    return (
        run.direction,
        format_size(run.size_bytes),
        f"{run.usage.wall_s:.2f}",
        f"{run.usage.cpu_s * GIB / run.size_bytes:.2f}",
        f"{run.usage.peak_rss_bytes / MIB:.0f}",
        f"{run.usage.scratch_bytes / MIB:.0f}",
    )


def _listed(results: Results) -> str:
    return table(
        ("server", "streams", "wall s", "CPU s", "peak MiB"),
        [
            (
                one.server,
                f"{one.streams:,}",
                f"{one.usage.wall_s:.2f}",
                f"{one.usage.cpu_s:.2f}",
                f"{one.usage.peak_rss_bytes / MIB:.0f}",
            )
            for one in results.listed
        ],
    )


def _started(results: Results) -> str:
    by_what: dict[tuple[str, str], list[float]] = {}
    for one in results.started:
        by_what.setdefault((one.what, one.server), []).append(one.seconds)
    return table(
        ("what", "while there runs", "median s", "min-max"),
        [
            (*which, f"{median(seconds):.3f}", f"{min(seconds):.3f}-{max(seconds):.3f}")
            for which, seconds in by_what.items()
        ],
    )
