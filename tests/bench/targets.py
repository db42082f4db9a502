"""What the project has set itself, the figures beside it, and whether they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from s3duct.domain.sizes import MIB, parse_size
from tests.bench import contestants as who
from tests.bench import growth, native, startup
from tests.bench.judging import Figure, Judge, Target, cheap, faster, not_slower, over_servers, per_chunk
from tests.bench.race import GET, PUT
from tests.bench.results import Results, Summary

_PLAIN_PEERS = (who.AWS, who.S5CMD, who.RCLONE)
_BESIDE_CHUNKS_BYTES = 120 * MIB
_LIST_S, _LIST_MORE_BYTES = 3.0, 16 * MIB
_HELP_S, _FIRST_BYTE_S = 0.15, 0.35


def targets(results: Results) -> list[Target]:
    """Judge all of them."""
    return [
        *_of_put(results),
        *_of_get(results),
        *_of_memory(results),
        *_of_growth(results),
        *_of_commands(results),
    ]


def _of_put(results: Results) -> list[Target]:
    size_bytes, chunk_size = results.settings["size_bytes"], results.settings["chunk_size"]
    compiled, hashlib = _hashing_with(results)
    judges: dict[str, Judge] = {
        "put, AES, wall: at least 2.5x s3duct 0.4.0": faster(who.AES, [who.RELEASED_AES], 2.5),
        "put, AES, wall: at least 1.5x the best of aws, s5cmd, rclone": faster(who.AES, _PLAIN_PEERS, 1.5),
        "put, AES, wall: at least 1.3x age piped into aws": faster(who.AES, [who.AGE_AWS], 1.3),
        "put, AES, client CPU-s/GiB, compiled hashes: at most 2.5": cheap(compiled, size_bytes, 2.5),
        "put, AES, client CPU-s/GiB, hashlib: at most 5": cheap(hashlib, size_bytes, 5),
        f"put, 512M chunks, wall: within 10 % of {chunk_size} chunks": not_slower(
            who.AES_DEFAULT_CHUNKS, who.AES, 0.1
        ),
        "put, age X25519, wall: within 15 % of AES": not_slower(who.AGE, who.AES, 0.15),
        "put, age post-quantum, wall: within 15 % of AES": not_slower(who.AGE_PQ, who.AES, 0.15),
        f"put, peak memory: at most --memory-limit {who.MEMORY_LIMIT} + 120 MiB; no scratch": _bounded,
    }
    return [over_servers(results, text, PUT, judge) for text, judge in judges.items()]


def _of_get(results: Results) -> list[Target]:
    compiled, _ = _hashing_with(results)
    judges: dict[str, Judge] = {
        "get, AES, wall: at least 3x s3duct 0.4.0": faster(who.AES, [who.RELEASED_AES], 3),
        "get, AES, wall: level with s5cmd cat (0.95x)": faster(who.AES, [who.S5CMD], 0.95),
        "get, AES, client CPU-s/GiB, compiled hashes: at most 2.7": cheap(
            compiled, results.settings["size_bytes"], 2.7
        ),
        f"get, peak memory: at most --memory-limit {who.MEMORY_LIMIT} + 120 MiB; no scratch": _bounded,
    }
    return [over_servers(results, text, GET, judge) for text, judge in judges.items()]


def _hashing_with(results: Results) -> tuple[str, str]:
    """Labels of who hashes with compiled code (nobody, maybe) and of who hashes with hashlib."""
    if results.settings["hashes"] == native.COMPILED:
        return who.AES, who.AES_HASHLIB
    return "", who.AES


def _bounded(measured: Mapping[str, Summary]) -> Figure | None:
    ours = [one for label, one in measured.items() if label.startswith(who.OURS)]
    if not ours:
        return None
    peak = max(one.peak_rss_bytes for one in ours)
    scratch = max(one.scratch_bytes for one in ours)
    good = peak <= parse_size(who.MEMORY_LIMIT) + _BESIDE_CHUNKS_BYTES and not scratch
    return Figure(f"{peak / MIB:.0f} MiB, scratch {scratch / MIB:.0f}", good)


def _of_memory(results: Results) -> list[Target]:
    return [
        Target(
            f"{direction}, AES, store in memory: at least 0.9 of the roofline",
            tuple(
                Figure(f"{one.efficiency:.2f}", one.efficiency >= 0.9)
                for one in results.in_memory
                if one.direction == direction
            ),
        )
        for direction in (PUT, GET)
    ]


def _of_growth(results: Results) -> list[Target]:
    most_bytes = parse_size(growth.MEMORY_LIMIT) + _BESIDE_CHUNKS_BYTES
    found = []
    for direction in (PUT, GET):
        own = [run for run in results.grown if run.direction == direction]
        peaks = [run.usage.peak_rss_bytes for run in own if run.series == growth.BY_BYTES]
        bound = [Figure(f"{max(peaks) / MIB:.0f} MiB", max(peaks) <= most_bytes)] if peaks else []
        limit = f"{direction}, any size, peak memory: at most --memory-limit {growth.MEMORY_LIMIT} + 120 MiB"
        each = f"{direction}, one more of many chunks: at most 1 ms CPU and 1 KiB, and flat"
        found += [
            Target(limit, tuple(bound)),
            Target(each, per_chunk(run for run in own if run.series == growth.BY_CHUNKS)),
        ]
    return found


def _of_commands(results: Results) -> list[Target]:
    return [
        Target("list of 2,000 streams: at most 3 s, memory flat (16 MiB)", _listings(results)),
        Target("s3duct --help: at most 0.15 s", _starts(results, startup.HELP, _HELP_S)),
        Target(
            "first byte of a small get: at most 0.35 s", _starts(results, startup.FIRST_BYTE, _FIRST_BYTE_S)
        ),
    ]


def _listings(results: Results) -> tuple[Figure, ...]:
    figures = []
    for server in dict.fromkeys(one.server for one in results.listed):
        own = [one for one in results.listed if one.server == server]
        few, many = own[0], own[-1]
        more = many.usage.peak_rss_bytes - few.usage.peak_rss_bytes
        figures.append(
            Figure(
                f"{server} {many.streams:,}: {many.usage.wall_s:.2f} s, {more / MIB:+.0f} MiB from {few.streams:,}",
                many.usage.wall_s <= _LIST_S and more <= _LIST_MORE_BYTES,
            )
        )
    return tuple(figures)


def _starts(results: Results, what: str, most_s: float) -> tuple[Figure, ...]:
    by_server: dict[str, list[float]] = {}
    for one in results.started:
        if one.what == what:
            by_server.setdefault(one.server, []).append(one.seconds)
    middle = {server: median(seconds) for server, seconds in by_server.items()}
    return tuple(Figure(f"{server} {took:.3f} s", took <= most_s) for server, took in middle.items())
