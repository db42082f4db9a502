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
from tests.bench.contestants import Contestant, environment, filled_in, scratch_folder
from tests.bench.measure import Pipeline, Usage
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
    """One measured pipeline."""

    server: str
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
                    self.say(f"{self.server.name}, round {run.round}/{rounds}: {took}")
                    yield run

    def _turn(self, contestant: Contestant, payload: Payload, number: int) -> Iterator[Run]:
        name = f"{contestant.label}-{number}"
        for command in contestant.prepare:
            self._run(contestant, [command], name)
        put = self._run(contestant, contestant.put, name, stdin=payload.path)
        yield Run(self.server.name, number, contestant.label, PUT, put)
        get = self._run(contestant, contestant.get, name)
        if get.output_bytes != payload.size_bytes:
            raise WrongBytes(f"{contestant.label}: {get.output_bytes} bytes instead of {payload.size_bytes}")
        yield Run(self.server.name, number, contestant.label, GET, get)
        if number == 1:
            digest = hashlib.sha256()
            self._run(contestant, contestant.get, name, on_output=digest.update)
            if digest.hexdigest() != payload.sha256:
                raise WrongBytes(f"{contestant.label}: what it restores is not what it stored")
        empty(self.server)

    def _run(
        self,
        contestant: Contestant,
        pipeline: Pipeline,
        name: str,
        *,
        stdin: Path | None = None,
        on_output: Callable[[memoryview], object] | None = None,
    ) -> Usage:
        return measure.run(
            *filled_in(pipeline, self.server, name),
            environment={**environment(self.home, self.server), **contestant.variables},
            stdin=stdin,
            on_output=on_output,
            scratch=scratch_folder(self.home),
        )


def empty(server: S3Server) -> None:
    """Remove everything, and the bucket with it: SeaweedFS keeps the bytes of deleted objects for as long as that stands."""
    with closing(ServerBucket(server)) as bucket:
        for key in bucket.listing(""):
            bucket.delete(key)
    with closing(server.client()) as client:
        client.delete_bucket(Bucket=server.bucket)
        client.create_bucket(Bucket=server.bucket)
