"""Medians, verdicts, table and plot are what the runs say."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from s3duct.domain.sizes import GIB, KIB, MIB
from tests.bench import growth, native, roofline, startup
from tests.bench.judging import Target, per_chunk
from tests.bench.markdown import markdown, table
from tests.bench.measure import Usage
from tests.bench.plot import svg
from tests.bench.race import GET, PUT, Run
from tests.bench.results import Grown, InMemory, Kernel, Listed, Results, Started, summaries, summarize
from tests.bench.targets import targets


def usage(wall_s: float = 1.0, cpu_s: float = 1.0, rss: int = MIB, scratch: int = 0) -> Usage:
    return Usage(wall_s, cpu_s, rss, 0, wall_s / 2, scratch)


def a_run(label: str, took: Usage, direction: str = PUT, server: str = "one") -> Run:
    return Run(server, 1, label, direction, took)


def results(*runs: Run, hashes: str = native.HASHLIB) -> Results:
    machine = {"cpu": "a processor", "memory": "1 GiB", "date": "today"}
    settings = {"size_bytes": GIB, "chunk_size": "64M", "rounds": 1, "hashes": hashes}
    return Results(machine, settings, {run.contestant: "somebody" for run in runs}, ["restic: none"], [*runs])


def target(measured: Results, begin: str) -> Target:
    (found,) = [one for one in targets(measured) if one.text.startswith(begin)]
    return found


def test_a_summary_has_medians_and_the_highest_of_what_is_bounded() -> None:
    one = summarize([usage(9, 2, 30, 5), usage(1, 7, 10), usage(2, 3, 20)])
    assert (one.wall_s, one.fastest_s, one.slowest_s, one.cpu_s) == (2, 1, 9, 3)
    assert (one.peak_rss_bytes, one.scratch_bytes, one.first_byte_s) == (30, 5, 1)


def test_directions_servers_and_contestants_are_kept_apart() -> None:
    runs = [
        a_run("a", usage(1)),
        a_run("b", usage(2)),
        a_run("a", usage(3), GET),
        a_run("a", usage(4), server="two"),
    ]
    assert {label: one.wall_s for label, one in summaries(runs, "one", PUT).items()} == {"a": 1, "b": 2}
    assert {label: one.wall_s for label, one in summaries(runs, "two", PUT).items()} == {"a": 4}


@pytest.mark.parametrize(("released_s", "is_met"), [(2.5, True), (2.4, False)])
def test_a_target_is_met_by_its_ratio(released_s: float, is_met: bool) -> None:
    measured = results(a_run("ours-aes", usage(1)), a_run("0.4.0-aes", usage(released_s)))
    one = target(measured, "put, AES, wall: at least 2.5x s3duct 0.4.0")
    assert (one.is_met, one.figures[0].text) == (is_met, f"one {released_s:.2f}x 0.4.0-aes")


def test_the_best_of_the_peers_counts() -> None:
    measured = results(
        a_run("ours-aes", usage(1)),
        a_run("aws", usage(3)),
        a_run("rclone", usage(1.4)),
    )
    one = target(measured, "put, AES, wall: at least 1.5x the best")
    assert (one.is_met, one.figures[0].text) == (False, "one 1.40x rclone")


def test_a_target_is_met_if_it_is_over_every_server() -> None:
    runs = [a_run("ours-aes", usage(1)), a_run("0.4.0-aes", usage(3))]
    runs += [a_run("ours-aes", usage(1), server="two"), a_run("0.4.0-aes", usage(1), server="two")]
    one = target(results(*runs), "put, AES, wall: at least 2.5x s3duct 0.4.0")
    assert one.is_met is False
    assert [figure.is_met for figure in one.figures] == [True, False]


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {one.is_met for one in targets(results())} == {None}


@pytest.mark.parametrize(
    ("hashes", "compiled", "hashlib"), [(native.COMPILED, True, None), (native.HASHLIB, None, True)]
)
def test_processor_time_counts_for_what_hashed(
    hashes: str, compiled: bool | None, hashlib: bool | None
) -> None:
    measured = results(a_run("ours-aes", usage(1, 2.5)), hashes=hashes)
    assert target(measured, "put, AES, client CPU-s/GiB, compiled").is_met is compiled
    assert target(measured, "put, AES, client CPU-s/GiB, hashlib").is_met is hashlib


@pytest.mark.parametrize(("rss", "scratch", "is_met"), [(2167, 0, True), (2169, 0, False), (9, 1, False)])
def test_memory_is_bounded_and_scratch_empty(rss: int, scratch: int, is_met: bool) -> None:
    measured = results(a_run("ours-plain", usage(rss=rss * MIB, scratch=scratch)))
    assert target(measured, "put, peak memory").is_met is is_met


def series(*points: tuple[int, float, int]) -> list[Grown]:
    return [
        Grown(growth.BY_CHUNKS, PUT, chunks, chunks * KIB, usage(1, cpu_s, kib * KIB))
        for chunks, cpu_s, kib in points
    ]


@pytest.mark.parametrize(
    ("points", "is_met"),
    [
        ([(0, 1.0, 900), (1000, 1.5, 1000), (10_000, 6.0, 5000)], True),
        ([(0, 1.0, 900), (1000, 2.5, 1000)], False),  # 1.5 ms
        ([(0, 1.0, 900), (1000, 1.5, 2000)], False),  # 1.1 KiB
        ([(0, 1.0, 900), (1000, 1.5, 1000), (2000, 2.4, 1100)], False),  # 0.5 ms at first, then 0.9
    ],
)
def test_a_chunk_costs_what_the_next_size_costs_more(
    points: list[tuple[int, float, int]], is_met: bool
) -> None:
    assert all(figure.is_met for figure in per_chunk(series(*points))) is is_met


def test_the_roofline_is_the_longest_serial_stage_or_all_work_on_all_cores() -> None:
    kernels = [Kernel("read", 0.1, 0.1), Kernel("SHA-256", 1.0, 0.9), Kernel("SHA3-256", 3.0, 0.5)]
    kernels += [Kernel(roofline.SHA256_SERIAL, 1.5, 1.0), Kernel(roofline.SHA3_SERIAL, 2.5, 2.0)]
    work = ("read", "SHA-256", "SHA3-256")

    def bound(chunk_bytes: int) -> tuple[float, str]:
        return roofline.bound(kernels, work, size_bytes=GIB, chunk_bytes=chunk_bytes, cores=4)

    least_s, bound_by = bound(64 * MIB)
    assert (round(least_s, 6), bound_by) == (1.025, "4 cores")
    assert bound(GIB) == (2.0, "SHA3-256 of one chunk")


def test_every_kernel_of_the_model_is_measured() -> None:
    kernels = roofline.measure(seconds=0.01)
    serial = {roofline.SHA256_SERIAL, roofline.SHA3_SERIAL}
    assert {*roofline.PUT_WORK, *roofline.GET_WORK} | serial == {kernel.name for kernel in kernels}
    assert all(kernel.alone_s_per_gib > 0 and kernel.cpu_s_per_gib > 0 for kernel in kernels)


def everything() -> Results:
    labels = ("ours-aes", "0.4.0-aes", "aws")
    runs = [
        a_run(label, usage(), way, server)
        for server in ("one", "two")
        for way in (PUT, GET)
        for label in labels
    ]
    measured = results(*runs)
    measured.kernels = [Kernel("read", 0.1, 0.2)]
    measured.in_memory = [InMemory(PUT, 2.0, 3.0, 1.9, "2 cores", 2.5)]
    measured.grown = [*series((10, 1.0, 1000), (20, 2.0, 2000)), Grown(growth.BY_BYTES, PUT, 1, MIB, usage())]
    measured.listed = [Listed("one", 10, usage()), Listed("one", 100, usage(2))]
    measured.started = [Started(startup.HELP, "one", 0.1), Started(startup.FIRST_BYTE, "one", 0.5)]
    return measured


def test_the_report_has_all_parts_and_says_what_is_missing() -> None:
    text = markdown(everything())
    assert "- cpu: a processor" in text.splitlines()
    assert "- not measured: restic: none" in text.splitlines()
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads[:6] == [
        "## Targets",
        "## put, one",
        "## get, one",
        "## put, two",
        "## get, two",
        "## Contestants",
    ]
    assert "| put, AES, store in memory: at least 0.9 of the roofline | 0.95 | met |" in text
    assert "| first byte of a small get: at most 0.35 s | one 0.500 s | **missed** |" in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 12
    for rows in tables:
        assert len({row.count(" | ") for row in rows}) == 1, rows


def test_figures_are_aligned_to_the_right_and_words_to_the_left() -> None:
    assert table(("a", "b", "c"), [("x", "1.0", "y")]).splitlines()[1] == "| --- | ---: | --- |"


def test_the_raw_figures_are_json() -> None:
    raw = json.loads(json.dumps(everything().raw()))
    assert raw["runs"][0]["usage"]["wall_s"] == 1.0
    assert raw["machine"]["cpu"] == "a processor"


def test_the_plot_has_a_bar_for_each_figure() -> None:
    image = ET.fromstring(svg(everything()))  # noqa: S314 - our own
    shapes = image.findall("{http://www.w3.org/2000/svg}rect")
    # put and get, throughput and processor time, three contestants over two servers; and the ground
    assert len(shapes) == 2 * 2 * 3 * 2 + 1
    said = [text.text for text in image.iter("{http://www.w3.org/2000/svg}text")]
    assert said.count("ours-aes") == 4
