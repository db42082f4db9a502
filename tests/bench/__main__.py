"""Compare this s3duct with the released one over a server of its own: `make bench BENCH_ARGS="--size 256M --rounds 1"`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path
from types import FrameType
from typing import Any

from s3duct.domain.errors import UsageError
from s3duct.domain.sizes import parse_size
from tests.bench import machine, report
from tests.bench.contestants import Contestant, Field, find, make_keys
from tests.bench.measure import CommandFailed
from tests.bench.rounds import Race, Run, WrongBytes, make_payload
from tests.servers import Rclone


def main(arguments: list[str] | None = None) -> int:
    """Run it; the report goes to stdout, progress to stderr."""
    options = _parser().parse_args(arguments)
    try:
        return _compare(options)
    except (CommandFailed, WrongBytes) as error:
        sys.exit(str(error))


def _compare(options: argparse.Namespace) -> int:
    size_bytes = options.size
    settings: dict[str, Any] = {
        "size_bytes": size_bytes,
        "chunk_size": options.chunk_size,
        "rounds": options.rounds,
        "load_before": machine.load(),
    }
    described = machine.describe()
    parent = options.folder or machine.folder_with_room(size_bytes)
    settings["server"] = f"{Rclone.name}, all files under {parent}"
    with tempfile.TemporaryDirectory(prefix="s3duct-bench-", dir=parent, ignore_cleanup_errors=True) as made:
        home = Path(made)
        field = find(make_keys(home), home / "scratch")
        chosen = _chosen(field, options.only)
        if not chosen:
            labels = ", ".join(contestant.label for contestant in field.contestants)
            sys.exit(f"--only matches none of: {labels}")
        runs = _race(home, chosen, options)
    settings["load_after"] = machine.load()
    print(
        report.markdown(
            machine=described, settings=settings, contestants=chosen, absent=field.absent, runs=runs
        )
    )
    if options.json is not None:
        raw = report.raw(machine=described, settings=settings, absent=field.absent, runs=runs)
        options.json.write_text(json.dumps(raw, indent=2) + "\n")
    return 0


def _race(home: Path, chosen: list[Contestant], options: argparse.Namespace) -> list[Run]:
    with Rclone(home) as server:
        race = Race(server, chosen, home, options.chunk_size, _say)
        if options.warm_up:
            race.warm_up()
        return list(race.run(make_payload(home / "payload", options.size), options.rounds))


def _chosen(field: Field, patterns: list[str]) -> list[Contestant]:
    return [
        contestant
        for contestant in field.contestants
        if any(fnmatch(contestant.label, pattern) for pattern in patterns or ["*"])
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--size", type=_size, default="1G", help="bytes to put and get (default: 1G)")
    parser.add_argument("--chunk-size", default="64M", help="of every contestant (default: 64M)")
    parser.add_argument("--rounds", type=_at_least_one, default=3, help="runs of each (default: 3)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PATTERN", help="such as 'ours-*'; may be repeated"
    )
    parser.add_argument(
        "--no-warm-up", action="store_false", dest="warm_up", help="begin at once: for a trial of a few bytes"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where all files go (default: memory if there is room, else temporary files)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to FILE")
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _size(text: str) -> int:
    try:
        size_bytes = parse_size(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(error.message) from error
    if not size_bytes:
        raise argparse.ArgumentTypeError("there must be something to put")
    return size_bytes


def _leave(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _leave)  # as Ctrl-C does: all is stopped and removed on the way out
    sys.exit(main())
