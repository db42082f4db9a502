"""What the benchmark can be asked for."""

from __future__ import annotations

import argparse
from fnmatch import fnmatch
from pathlib import Path

from s3duct.domain.errors import UsageError
from s3duct.domain.sizes import parse_size
from tests.bench import peers
from tests.servers import Rclone, SeaweedFS

SERVERS = {server.name: server for server in (SeaweedFS, Rclone)}
PARTS = ("put", "get", "memory", "growth", "list", "startup")


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="python -m tests.bench", description=description)
    add = made.add_argument
    add("--only", type=_parts, default=PARTS, metavar="PARTS", help=f"some of {','.join(PARTS)}")
    add("--size", type=_size, default="1G", help="bytes to put and get (default: 1G)")
    add("--chunk-size", default="64M", help="of every s3duct (default: 64M)")
    add("--rounds", type=_at_least_one, default=3, help="runs of each (default: 3)")
    add("--server", choices=SERVERS, action="append", help="one of them; may be repeated (default: all)")
    add(
        "-c",
        "--contestant",
        action="append",
        metavar="PATTERN",
        help="such as 'ours-*'; may be repeated (default: all)",
    )
    add("--peers", type=Path, default=peers.DEFAULT_FOLDER, metavar="DIR", help="their virtual environment")
    add("--no-install", action="store_false", dest="install", help="do without peers that are not there")
    add(
        "--no-warm-up", action="store_false", dest="warm_up", help="begin at once: for a trial of a few bytes"
    )
    add("--chunks", type=_counts, default="1000,10000,100000", help="sizes of the growing series")
    add("--grow-to", type=_size, default="1G", help="largest stream of the other one (default: 1G)")
    add(
        "--full",
        action="store_const",
        dest="grow_to",
        const=parse_size("8G"),
        help="the same as --grow-to 8G",
    )
    add("--streams", type=_at_least_one, default=2000, help="how many to list (default: 2000)")
    add("--starts", type=_at_least_one, default=10, help="starts of each command (default: 10)")
    add(
        "--folder",
        type=Path,
        help="where all files go (default: memory if there is room, else temporary files)",
    )
    add("--output", type=Path, metavar="DIR", help="write bench.json, bench.md and bench.svg there")
    return made


def matches(label: str, patterns: list[str] | None) -> bool:
    """Whether a contestant is asked for."""
    return any(fnmatch(label, pattern) for pattern in patterns or ["*"])


def _parts(text: str) -> tuple[str, ...]:
    wanted = text.split(",")
    for part in wanted:
        if part not in PARTS:
            raise argparse.ArgumentTypeError(f"no part {part!r}; there are {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in wanted)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(sorted(_at_least_one(one) for one in text.split(",")))


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
