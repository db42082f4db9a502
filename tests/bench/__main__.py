"""Measure this s3duct beside its peers, over servers of its own: `make bench BENCH_ARGS="--size 256M --rounds 1"`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tests.bench import (
    contestants,
    growth,
    listing,
    machine,
    memory,
    native,
    options,
    peers,
    startup,
    written,
)
from tests.bench.contestants import Contestant, Field
from tests.bench.measure import CommandFailed
from tests.bench.peers import Peers
from tests.bench.race import GET, PUT, Race, WrongBytes, make_payload
from tests.bench.results import Results
from tests.servers import S3Server


def main(arguments: list[str] | None = None) -> int:
    """Run it; the report goes to stdout, progress to stderr."""
    wanted = options.parser(__doc__).parse_args(arguments)
    try:
        results = _measured(wanted)
    except (CommandFailed, WrongBytes) as error:
        sys.exit(str(error))
    written.write(results, wanted.output)
    return 0


def _measured(wanted: argparse.Namespace) -> Results:
    if wanted.install:
        peers.install(wanted.peers, _say)
    there = peers.find(wanted.peers)
    parent = wanted.folder or machine.folder_with_room(wanted.size)
    results = Results(machine.describe() | there.versions(), _settings(wanted, parent))
    with tempfile.TemporaryDirectory(prefix="s3duct-bench-", dir=parent, ignore_cleanup_errors=True) as made:
        home = Path(made)
        keys = contestants.make_keys(home)
        field = contestants.find(keys, there, wanted.chunk_size, contestants.scratch_folder(home))
        chosen = _chosen(field, wanted)
        results.legend = {one.label: one.what for one in chosen}
        results.absent = list(field.absent)
        for name in wanted.server or options.SERVERS:
            with options.SERVERS[name](home) as server:
                _over(server, results, home, chosen, there, wanted)
        if "memory" in wanted.only:
            memory.measure_into(
                results,
                home,
                keys,
                size_bytes=wanted.size,
                chunk_size=wanted.chunk_size,
                rounds=wanted.rounds,
                say=_say,
            )
        if "growth" in wanted.only:
            growth.measure_into(results, home, keys, wanted.chunks, wanted.grow_to, _say)
    results.settings["load_after"] = machine.load()
    return results


def _over(
    server: S3Server,
    results: Results,
    home: Path,
    chosen: list[Contestant],
    there: Peers,
    wanted: argparse.Namespace,
) -> None:
    """Measure what needs a server."""
    if "startup" in wanted.only:
        startup.measure_into(results, server, home, there, wanted.starts, _say)
    if PUT in wanted.only or GET in wanted.only:
        race = Race(server, chosen, home, _say)
        if wanted.warm_up:
            race.warm_up()
        payload = make_payload(home / "payload", wanted.size)
        results.runs += [run for run in race.run(payload, wanted.rounds) if run.direction in wanted.only]
        payload.path.unlink()
    if "list" in wanted.only:
        listing.measure_into(results, server, home, wanted.streams, _say)


def _settings(wanted: argparse.Namespace, parent: Path) -> dict[str, object]:
    return {
        "size_bytes": wanted.size,
        "chunk_size": wanted.chunk_size,
        "rounds": wanted.rounds,
        "parts": ",".join(wanted.only),
        "files_under": str(parent),
        "hashes": native.in_use(),
        "memory_limit": contestants.MEMORY_LIMIT,
        "load_before": machine.load(),
    }


def _chosen(field: Field, wanted: argparse.Namespace) -> list[Contestant]:
    chosen = [one for one in field.contestants if options.matches(one.label, wanted.contestant)]
    if not chosen:
        labels = ", ".join(one.label for one in field.contestants)
        sys.exit(f"--contestant matches none of: {labels}")
    return chosen


def _leave(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _leave)  # as Ctrl-C does: all is stopped and removed on the way out
    sys.exit(main())
