"""How long a command takes before it does anything: help, and the first byte of a small stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from s3duct.domain.sizes import MIB
from tests.bench import measure
from tests.bench.contestants import environment
from tests.bench.peers import RELEASE, Peers
from tests.bench.race import empty, make_payload
from tests.bench.results import Results, Started
from tests.servers import S3Server
from tests.support.command import COMMAND

HELP = "s3duct --help"
FIRST_BYTE = "first byte of s3duct get"
_SMALL_BYTES = MIB


def measure_into(
    results: Results, server: S3Server, home: Path, peers: Peers, starts: int, say: Callable[[str], object]
) -> None:
    """Start each command `starts` times, in turns."""
    here = environment(home, server)
    payload = make_payload(home / "small", _SMALL_BYTES)
    place = ("--bucket", server.bucket, "--endpoint-url", server.endpoint_url, "--name", "small", "--quiet")
    measure.run([COMMAND, "put", *place, "--no-encrypt"], environment=here, stdin=payload.path)
    helps: dict[str, tuple[str | Path, ...]] = {HELP: (COMMAND, "--help")}
    for what, name in ((f"s3duct {RELEASE} --help", f"s3duct {RELEASE}"), ("aws --version", "aws")):
        if name in peers.programs:
            helps[what] = (peers.programs[name], what.rpartition(" ")[2])
    for number in range(starts + 1):
        began = [(what, measure.run(command, environment=here).wall_s) for what, command in helps.items()]
        got = measure.run([COMMAND, "get", *place], environment=here)
        assert got.first_byte_s is not None
        began.append((FIRST_BYTE, got.first_byte_s))
        if number:  # the first one compiles bytecode and fills caches
            results.started += [Started(what, server.name, seconds) for what, seconds in began]
    say(f"{server.name}: {starts} starts of each command")
    empty(server)
