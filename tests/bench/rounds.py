"""The race: every contestant puts and gets the same bytes over the same server, in turns."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from s3duct.domain.sizes import KIB, MIB
from tests.bench import measure
from tests.bench.contestants import Contestant, environment
from tests.bench.measure import Usage
from tests.servers import S3Server
from tests.support.buckets import ServerBucket

PUT, GET = "put", "get"
_WRITE_BYTES = 4 * MIB
_WARM_UP_BYTES = 256 * KIB


class WrongBytes(Exception):
    """A contestant did not give back what it was given."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A file of random bytes."""

    path: Path
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Run:
    """One measured process."""

    round: int
    contestant: str
    direction: str
    usage: Usage


def make_payload(path: Path, size_bytes: int) -> Payload:
    """Write random bytes; they are not kept in memory."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, size_bytes, _WRITE_BYTES):
            piece = os.urandom(min(_WRITE_BYTES, size_bytes - start))
            digest.update(piece)
            file.write(piece)
    return Payload(path, size_bytes, digest.hexdigest())


def rotated(contestants: Sequence[Contestant], round_number: int) -> list[Contestant]:
    """Return them in the order of a round, counted from 0: each round begins with the next one."""
    first = round_number % len(contestants)
    return [*contestants[first:], *contestants[:first]]


@dataclass(frozen=True, slots=True)
class Race:
    """What all rounds share."""

    server: S3Server
    contestants: Sequence[Contestant]
    home: Path
    chunk_size: str
    say: Callable[[str], object]

    def warm_up(self) -> None:
        """Let each put and get a little: that compiles bytecode, and finds wrong flags before the long runs."""
        little = make_payload(self.home / "warm-up", _WARM_UP_BYTES)
        for contestant in self.contestants:
            list(self._turn(contestant, little, 0))

    def run(self, payload: Payload, rounds: int) -> Iterator[Run]:
        """Yield each run as it ends; what each contestant restores is compared once, after its first get.

        Raises:
            CommandFailed: a contestant failed.
            WrongBytes: one did not give back the payload.
        """
        for number in range(rounds):
            for contestant in rotated(self.contestants, number):
                for run in self._turn(contestant, payload, number + 1):
                    took = f"{contestant.label} {run.direction} {run.usage.wall_s:.1f} s"
                    self.say(f"round {run.round}/{rounds}: {took}")
                    yield run

    def _turn(self, contestant: Contestant, payload: Payload, number: int) -> Iterator[Run]:
        name = f"{contestant.label}-{number}"
        put = self._process(contestant, PUT, name, payload)
        yield Run(number, contestant.label, PUT, put)
        get = self._process(contestant, GET, name, payload)
        if get.output_bytes != payload.size_bytes:
            raise WrongBytes(f"{contestant.label}: {get.output_bytes} bytes instead of {payload.size_bytes}")
        yield Run(number, contestant.label, GET, get)
        if number == 1:
            self._check(contestant, name, payload)
        self._remove(name)

    def _check(self, contestant: Contestant, name: str, payload: Payload) -> None:
        digest = hashlib.sha256()
        self._process(contestant, GET, name, payload, digest.update)
        if digest.hexdigest() != payload.sha256:
            raise WrongBytes(f"{contestant.label}: what it restores is not what it stored")

    def _process(
        self,
        contestant: Contestant,
        direction: str,
        name: str,
        payload: Payload,
        on_output: Callable[[memoryview], object] | None = None,
    ) -> Usage:
        store = ("--bucket", self.server.bucket, "--endpoint-url", self.server.endpoint_url, "--name", name)
        flags = (
            ("--chunk-size", self.chunk_size, *contestant.put_flags)
            if direction == PUT
            else contestant.get_flags
        )
        return measure.run(
            [contestant.command, direction, *store, "--quiet", *flags],
            environment=environment(self.home, self.server),
            stdin=payload.path if direction == PUT else None,
            on_output=on_output,
        )

    def _remove(self, name: str) -> None:
        with closing(ServerBucket(self.server)) as bucket:
            for key in bucket.keys(f"{name}/"):
                bucket.delete(key)
