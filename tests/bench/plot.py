"""The plot: one SVG with bars for throughput and processor time, put and get, drawn without any library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from s3duct.domain.sizes import MIB, format_size
from tests.bench.race import GET, PUT
from tests.bench.results import Results, Summary, summaries

_WIDTH, _MARGIN, _LABEL, _GAP = 880, 16, 118, 24
_BAR, _ROW_GAP, _HEAD, _TITLE, _FOOT = 11, 7, 40, 42, 30
_OURS, _THEIRS = ("#0b6e4f", "#5fb49c"), ("#5b6470", "#a9b0b8")
# A ground of its own: it is read on light pages and on dark ones.
_GROUND, _INK, _QUIET, _RULE = "#ffffff", "#1c2126", "#5b6470", "#dfe3e7"


def svg(results: Results) -> str:
    """Draw the race; there must be one run at least. Two bars a row where two servers were measured."""
    servers = results.servers()
    labels = [label for label in results.legend if any(run.contestant == label for run in results.runs)]
    row = len(servers) * _BAR + _ROW_GAP
    panel = _HEAD + row * len(labels)
    height = _TITLE + 2 * panel + _FOOT
    size_bytes = results.settings["size_bytes"]
    column = (_WIDTH - 2 * _MARGIN - _GAP) / 2
    drawn = [_title(results, servers, size_bytes)]
    values: dict[str, Callable[[Summary], float]] = {
        "MiB/s, more is better": lambda one: size_bytes / MIB / one.wall_s,
        "client CPU-s per GiB, less is better": lambda one: one.cpu_s_per_gib(size_bytes),
    }
    for line, (what, value) in enumerate(values.items()):
        for position, direction in enumerate((PUT, GET)):
            measured = [summaries(results.runs, server, direction) for server in servers]
            bars = [{label: value(one) for label, one in own.items()} for own in measured]
            left, top = _MARGIN + position * (column + _GAP), _TITLE + line * panel
            drawn.append(_panel(f"{direction}: {what}", labels, bars, left=left, top=top, width=column))
    drawn.append(_foot(results, height))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH} {height:.0f}" font-family="system-ui, sans-serif" font-size="11">\n'
        f'<rect width="100%" height="100%" rx="8" fill="{_GROUND}"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _panel(
    title: str,
    labels: Sequence[str],
    values: Sequence[Mapping[str, float]],
    *,
    left: float,
    top: float,
    width: float,
) -> str:
    longest = max((value for own in values for value in own.values()), default=0.0) or 1.0
    room = width - _LABEL - 40  # for the figure behind the longest bar
    lines = [_text(left, top + 18, title, weight="bold")]
    row = len(values) * _BAR + _ROW_GAP
    for number, label in enumerate(labels):
        above = top + _HEAD - 10 + number * row
        lines.append(_text(left + _LABEL - 8, above + len(values) * _BAR / 2 + 4, label, anchor="end"))
        for position, own in enumerate(values):
            if label in own:
                shade = (_OURS if label.startswith("ours") else _THEIRS)[position % 2]
                lines.append(_bar(left + _LABEL, above + position * _BAR, own[label] / longest * room, shade))
                figure = f"{own[label]:.0f}" if longest >= 50 else f"{own[label]:.1f}"
                where = left + _LABEL + own[label] / longest * room + 4
                lines.append(_text(where, above + position * _BAR + 9, figure, colour=_QUIET, size=10))
    lines.append(
        f'<line x1="{left + _LABEL:.1f}" x2="{left + _LABEL:.1f}" y1="{top + _HEAD - 14:.1f}" '
        f'y2="{top + _HEAD - 10 + row * len(labels):.1f}" stroke="{_RULE}"/>'
    )
    return "\n".join(lines)


def _title(results: Results, servers: Sequence[str], size_bytes: int) -> str:
    rounds, chunk = results.settings["rounds"], results.settings["chunk_size"]
    over = " (dark) and ".join(servers) + (" (light)" if len(servers) > 1 else "")
    what = f"{format_size(size_bytes)} in chunks of {chunk}, medians of {rounds}, over {over} on the same machine"
    return _text(_MARGIN, 26, what, size=13, weight="bold")


def _foot(results: Results, height: float) -> str:
    machine = results.machine
    return _text(
        _MARGIN, height - 12, f"{machine['cpu']}, {machine['memory']}; {machine['date']}", colour=_QUIET
    )


def _bar(left: float, top: float, width: float, colour: str) -> str:
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_BAR - 1}" fill="{colour}"/>'


def _text(
    left: float,
    top: float,
    text: str,
    *,
    colour: str = _INK,
    anchor: str = "start",
    size: int = 11,
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{left:.1f}" y="{top:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
