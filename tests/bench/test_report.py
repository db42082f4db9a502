"""Medians and ratios are what they say, and the table has a row for everyone who was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s3duct.domain.sizes import MIB
from tests.bench import report
from tests.bench.contestants import Contestant
from tests.bench.measure import Usage
from tests.bench.report import Summary
from tests.bench.rounds import GET, PUT, Run, rotated


def a_run(label: str, wall_s: float, cpu_s: float = 1.0, rss: int = MIB, *, direction: str = PUT) -> Run:
    return Run(1, label, direction, Usage(wall_s, cpu_s, rss, 0))


def contestant(label: str, rival: str | None = None) -> Contestant:
    return Contestant(label, Path("s3duct"), (), (), rival)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def rows(markdown: str) -> dict[str, list[str]]:
    return {cells(line)[0]: cells(line)[1:] for line in markdown.splitlines() if line.startswith("|")}


def test_a_summary_has_medians_of_each_figure_and_the_range_of_wall_times() -> None:
    runs = [a_run("a", 9.0, 2.0, 30), a_run("a", 1.0, 7.0, 10), a_run("a", 2.0, 3.0, 20)]
    assert report.summarize(runs) == Summary(
        wall_s=2.0, fastest_s=1.0, slowest_s=9.0, cpu_s=3.0, peak_rss_bytes=20
    )


def test_an_even_number_of_runs_has_its_median_between_two() -> None:
    assert report.summarize([a_run("a", 1.0), a_run("a", 4.0)]).wall_s == 2.5


def test_directions_and_contestants_are_kept_apart() -> None:
    runs = [a_run("a", 1.0), a_run("b", 2.0), a_run("a", 3.0, direction=GET)]
    assert {label: one.wall_s for label, one in report.summaries(runs, PUT).items()} == {"a": 1.0, "b": 2.0}
    assert {label: one.wall_s for label, one in report.summaries(runs, GET).items()} == {"a": 3.0}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((4.0, 1.0), ("0.50", "3.00")),
        ((2.0, 3.0), ("1.00", "1.00")),
        ((0.0, 0.0), ("-", "-")),  # a clock too coarse to see it
    ],
)
def test_ratios_are_ours_over_theirs(other: tuple[float, float], expected: tuple[str, str]) -> None:
    ours, theirs = report.summarize([a_run("a", 2.0, 3.0)]), report.summarize([a_run("b", *other)])
    assert report.ratios(ours, theirs) == expected


def test_nothing_to_compare_with_gives_no_ratio() -> None:
    assert report.ratios(report.summarize([a_run("a", 1.0)]), None) == ("-", "-")


def test_the_table_compares_with_the_baseline_and_with_the_rival() -> None:
    field = [
        contestant("ours-plain", "0.4.0-plain"),
        contestant("ours-aes", "0.4.0-aes"),
        contestant("0.4.0-aes"),
    ]
    runs = [
        a_run("ours-plain", 2.0, 1.0, 100 * MIB),
        a_run("ours-aes", 4.0, 1.5, 110 * MIB),
        a_run("0.4.0-aes", 5.0, 6.0, 90 * MIB),
    ]
    table = rows(report.table(field, report.summaries(runs, PUT), 64 * MIB))
    assert table["ours-plain"] == ["2.00", "2.00-2.00", "32", "1.00", "100", "1.00", "1.00", "-", "-"]
    assert table["ours-aes"] == ["4.00", "4.00-4.00", "16", "1.50", "110", "2.00", "1.50", "0.80", "0.25"]
    assert table["0.4.0-aes"] == ["5.00", "5.00-5.00", "13", "6.00", "90", "2.50", "6.00", "-", "-"]


def test_every_line_of_the_table_has_as_many_cells() -> None:
    table = report.table([contestant("a")], report.summaries([a_run("a", 1.0)], PUT), MIB)
    assert len({len(cells(line)) for line in table.splitlines()}) == 1


def test_who_was_not_measured_has_no_row() -> None:
    assert "b" not in rows(report.table([contestant("b")], report.summaries([a_run("a", 1.0)], PUT), MIB))


def test_the_report_names_machine_settings_and_who_is_missing() -> None:
    text = report.markdown(
        machine={"cpu": "a processor"},
        settings={"size_bytes": MIB, "chunk_size": "64M"},
        contestants=[contestant("a")],
        absent=["0.4.0: not installed"],
        runs=[a_run("a", 1.0), a_run("a", 1.0, direction=GET)],
    )
    for line in ("- cpu: a processor", "- chunk_size: 64M", "- not measured: 0.4.0: not installed"):
        assert line in text.splitlines()
    assert text.index("## put") < text.index("## get")


def test_the_raw_figures_are_json() -> None:
    raw = report.raw(machine={"cpu": "c"}, settings={"rounds": 1}, absent=[], runs=[a_run("a", 1.5, 2.5, 7)])
    assert json.loads(json.dumps(raw))["runs"] == [
        {
            "round": 1,
            "contestant": "a",
            "direction": "put",
            "usage": {"wall_s": 1.5, "cpu_s": 2.5, "peak_rss_bytes": 7, "output_bytes": 0},
        }
    ]


def test_each_round_begins_with_the_next_contestant() -> None:
    field = [contestant(label) for label in "abc"]
    orders = ["".join(one.label for one in rotated(field, number)) for number in range(4)]
    assert orders == ["abc", "bca", "cab", "abc"]
