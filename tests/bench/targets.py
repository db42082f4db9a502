"""What the project has set itself, the figures beside it, and whether they are reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from s3duct.domain.sizes import KIB, MIB, parse_size
from tests.bench import contestants as who
from tests.bench.growth import MEMORY_LIMIT as GROWTH_MEMORY_LIMIT
from tests.bench.native import HASHES_NATIVELY
from tests.bench.race import GET, PUT
from tests.bench.results import Grown, Results, Summary, summaries
from tests.bench.startup import FIRST_BYTE, HELP

_NOISE = 0.1  # "flat", "level": within 10 %


@dataclass(frozen=True, slots=True)
class Target:
    """One target. `figures` has one text for each place where it was measured; `is_met` is None if nowhere."""

    text: str
    figures: tuple[str, ...]
    is_met: bool | None


@dataclass(frozen=True, slots=True)
class _Reached:
    figure: str
    is_met: bool


def targets(results: Results) -> list[Target]:
    """Judge all of them; one is met if it is met wherever it was measured."""
    return [
        *_of_put(results),
        *_of_get(results),
        *_of_memory(results),
        *_of_growth(results),
        *_of_commands(results),
    ]


def _target(text: str, reached: list[_Reached | None]) -> Target:
    measured = [one for one in reached if one is not None]
    met = all(one.is_met for one in measured) if measured else None
    return Target(text, tuple(one.figure for one in measured), met)


def _everywhere(
    results: Results, direction: str, judge: Callable[[dict[str, Summary]], _Reached | None]
) -> list[_Reached | None]:
    """Judge over each server."""
    found = []
    for server in results.servers():
        one = judge(summaries(results.runs, server, direction))
        found.append(one and _Reached(f"{server}: {one.figure}", one.is_met))
    return found


def _faster(results: Results, text: str, direction: str, rivals: tuple[str, ...], factor: float) -> Target:
    def judge(measured: dict[str, Summary]) -> _Reached | None:
        present = {rival: measured[rival].wall_s for rival in rivals if rival in measured}
        if who.AES not in measured or not present:
            return None
        best = min(present, key=lambda rival: present[rival])
        ratio = present[best] / measured[who.AES].wall_s
        return _Reached(f"{ratio:.2f}x {best}", ratio >= factor)

    return _target(text, _everywhere(results, direction, judge))


def _close(results: Results, text: str, label: str, most: float) -> Target:
    def judge(measured: dict[str, Summary]) -> _Reached | None:
        if who.AES not in measured or label not in measured:
            return None
        ratio = measured[label].wall_s / measured[who.AES].wall_s
        return _Reached(f"{100 * (ratio - 1):+.0f} %", ratio <= 1 + most)

    return _target(text, _everywhere(results, PUT, judge))


def _cheap(results: Results, text: str, direction: str, label: str, most_s: float) -> Target:
    def judge(measured: dict[str, Summary]) -> _Reached | None:
        if label not in measured:
            return None
        cpu_s = measured[label].cpu_s_per_gib(results.settings["size_bytes"])
        return _Reached(f"{cpu_s:.2f}", cpu_s <= most_s)

    return _target(text, _everywhere(results, direction, judge))


def _of_put(results: Results) -> list[Target]:
    with_native = who.AES if HASHES_NATIVELY else "none"
    without = who.AES_HASHLIB if HASHES_NATIVELY else who.AES
    chunk, plain_rivals = results.settings["chunk_size"], (who.AWS, who.S5CMD, who.RCLONE)
    limit_bytes = parse_size(who.MEMORY_LIMIT) + 120 * MIB

    def bounded(measured: dict[str, Summary]) -> _Reached | None:
        ours = {label: one for label, one in measured.items() if label.startswith("ours-")}
        if not ours:
            return None
        peak, scratch = (
            max(one.peak_rss_bytes for one in ours.values()),
            max(one.scratch_bytes for one in ours.values()),
        )
        figure = f"{peak / MIB:.0f} MiB, scratch {scratch / MIB:.0f} MiB"
        return _Reached(figure, peak <= limit_bytes and not scratch)

    return [
        _faster(results, "put, AES, wall: at least 2.5x s3duct 0.4.0", PUT, (who.RELEASED_AES,), 2.5),
        _faster(
            results, "put, AES, wall: at least 1.5x the best of aws, s5cmd, rclone", PUT, plain_rivals, 1.5
        ),
        _faster(results, "put, AES, wall: at least 1.3x `age \\| aws`", PUT, (who.AGE_AWS,), 1.3),
        _cheap(
            results, "put, AES, client CPU-s per GiB, compiled hashes: at most 2.5", PUT, with_native, 2.5
        ),
        _cheap(results, "put, AES, client CPU-s per GiB, hashlib: at most 5", PUT, without, 5),
        _close(results, f"put at 512M chunks: within 10 % of {chunk}", who.AES_DEFAULT_CHUNKS, 0.1),
        _close(results, "put, age X25519: within 15 % of AES", who.AGE, 0.15),
        _close(results, "put, age post-quantum: within 15 % of AES", who.AGE_PQ, 0.15),
        _target(
            f"put, peak RSS: at most --memory-limit ({who.MEMORY_LIMIT}) + 120 MiB, no scratch",
            _everywhere(results, PUT, bounded),
        ),
    ]


def _of_get(results: Results) -> list[Target]:
    with_native = who.AES if HASHES_NATIVELY else "none"
    level = 1 - _NOISE
    return [
        _faster(results, "get, AES, verified, wall: at least 3x s3duct 0.4.0", GET, (who.RELEASED_AES,), 3),
        _faster(
            results, "get, AES, verified, wall: level with s5cmd cat (within 10 %)", GET, (who.S5CMD,), level
        ),
        _cheap(
            results, "get, AES, client CPU-s per GiB, compiled hashes: at most 2.7", GET, with_native, 2.7
        ),
    ]


def _of_memory(results: Results) -> list[Target]:
    return [
        _target(
            f"{direction}, store in memory: at least 0.9 of the roofline",
            [
                _Reached(f"{one.efficiency:.2f}", one.efficiency >= 0.9)
                for one in results.in_memory
                if one.direction == direction
            ],
        )
        for direction in (PUT, GET)
    ]


def _of_growth(results: Results) -> list[Target]:
    bounded = [
        _Reached(
            f"{run.direction} {run.size_bytes / MIB:.0f} MiB: {run.usage.peak_rss_bytes / MIB:.0f} MiB", met
        )
        for run in results.grown
        if run.series == "bytes"
        for met in [run.usage.peak_rss_bytes <= parse_size(GROWTH_MEMORY_LIMIT) + 120 * MIB]
    ]
    return [
        _target(
            f"peak RSS at --memory-limit {GROWTH_MEMORY_LIMIT}: at most 120 MiB more, at any size",
            [*bounded[-2:]],
        ),
        *[
            _target(
                f"{direction}: a chunk more costs at most 1 ms CPU and 1 KiB, however many there are",
                _per_chunk(
                    [run for run in results.grown if (run.series, run.direction) == ("chunks", direction)]
                ),
            )
            for direction in (PUT, GET)
        ],
    ]


def _per_chunk(series: list[Grown]) -> list[_Reached | None]:
    """From the differences between neighbours, so that starting up does not count."""
    found: list[_Reached | None] = []
    for small, large in zip(series, series[1:], strict=False):
        more = large.chunks - small.chunks
        cpu_ms = 1000 * (large.usage.cpu_s - small.usage.cpu_s) / more
        kib = (large.usage.peak_rss_bytes - small.usage.peak_rss_bytes) / KIB / more
        found.append(
            _Reached(f"to {large.chunks:,}: {cpu_ms:.2f} ms, {kib:.2f} KiB", cpu_ms <= 1 and kib <= 1)
        )
    return found


def _of_commands(results: Results) -> list[Target]:
    listed: list[_Reached | None] = []
    for server in dict.fromkeys(one.server for one in results.listed):
        own = [one for one in results.listed if one.server == server]
        few, many = own[0], own[-1]
        growth = many.usage.peak_rss_bytes - few.usage.peak_rss_bytes
        listed.append(
            _Reached(
                f"{server}: {many.usage.wall_s:.2f} s, {growth / MIB:+.0f} MiB from {few.streams} to {many.streams}",
                many.usage.wall_s <= 3 and growth <= 16 * MIB,
            )
        )

    def started(what: str, most_s: float) -> list[_Reached | None]:
        seconds = [one.seconds for one in results.started if one.what == what]
        if not seconds:
            return []
        return [_Reached(f"{median(seconds):.2f} s", median(seconds) <= most_s)]

    return [
        _target("list of 2,000 streams: at most 3 s, memory flat (16 MiB)", listed),
        _target("s3duct --help: at most 0.15 s", started(HELP, 0.15)),
        _target(
            "first byte of a small get: at most 0.35 s",
            [
                one and _Reached(f"{server}: {one.figure}", one.is_met)
                for server in dict.fromkeys(
                    s.what.partition(FIRST_BYTE)[2] for s in results.started if s.what.startswith(FIRST_BYTE)
                )
                for one in started(f"{FIRST_BYTE}{server}", 0.35)
            ],
        ),
    ]
