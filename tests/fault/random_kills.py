"""Streams of random size, put or restored by processes that are killed at random times, and gone on with here or elsewhere.

What a trial does is drawn from its seed alone; when a process is killed is drawn too, what it is doing by then is not.
"""

from __future__ import annotations

import io
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from s3duct.app.api import PutOptions, S3duct
from s3duct.domain.errors import ExitCode
from s3duct.domain.sizes import KIB, MIB
from tests.support.api import get_outcome
from tests.support.command import Outcome
from tests.support.data import pieces, random_bytes
from tests.support.journals import read_bucket_journal, read_journal
from tests.support.proxy import Exchange, RecordingProxy
from tests.support.streams import Stream

KILLED = -9
_OLD = random_bytes(200 * KIB, "old")
_PIECES = 16


@dataclass(frozen=True, slots=True)
class Kill:
    """At which part of the time that the run would take; and whether it is another machine that goes on."""

    moment: float
    then_elsewhere: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """One trial. `lasts_s` is how long the producer takes at least."""

    kind: str
    size_bytes: int
    chunk_bytes: int
    encrypted: bool
    sealed: bool
    clobber: bool
    lasts_s: float
    kills: tuple[Kill, ...]

    @classmethod
    def drawn(cls, seed: str) -> Plan:
        """The plan of that seed."""
        chance = random.Random(seed)
        kind = chance.choice(["pipe", "pipe", "pipe", "producer", "output"])
        in_parts = chance.random() < 0.15
        encrypted = chance.random() < 0.5
        kills = tuple(
            Kill(chance.random(), chance.random() < 0.4) for _ in range(chance.choice([1, 1, 1, 2, 2, 3]))
        )
        elsewhere = any(kill.then_elsewhere for kill in kills)
        return cls(
            kind,
            size_bytes=_size(chance, in_parts=in_parts),
            chunk_bytes=9 * MIB if in_parts else chance.choice([64, 128, 300]) * KIB,
            encrypted=encrypted,
            # A sealed journal cannot be read from here.
            sealed=encrypted and not elsewhere and chance.random() < 0.4,
            clobber=chance.random() < 0.3,
            lasts_s=chance.uniform(0.1, 0.6),
            kills=kills,
        )


def _size(chance: random.Random, *, in_parts: bool) -> int:
    """Chunks in parts, a stream of a few bytes, or one of a few dozen chunks."""
    if in_parts:
        return chance.randrange(9 * MIB, 20 * MIB)
    return int(2 ** chance.uniform(0, 17)) if chance.random() < 0.2 else chance.randrange(4 * MIB)


class Pace:
    """How long runs of each kind take beside what their producers take, as they did so far."""

    def __init__(self) -> None:
        self._beside_s: dict[str, float] = {}

    def expected_s(self, plan: Plan) -> float:
        return self._beside_s.get(plan.kind, 1.0) + plan.lasts_s

    def note(self, plan: Plan, took_s: float) -> None:
        beside_s = max(0.1, took_s - plan.lasts_s)
        self._beside_s[plan.kind] = (self._beside_s.get(plan.kind, beside_s) + beside_s) / 2


class Trial:
    """One stream, from the first run to the comparison."""

    def __init__(
        self,
        plan: Plan,
        *,
        stream: Stream,
        proxy: RecordingProxy,
        s3duct: S3duct,
        folder: Path,
        use_state: Callable[[Path], None],
        pace: Pace,
        counts: Counter[str],
    ) -> None:
        """Take the stream behind the proxy, the same without it, and how to choose a machine's state folder."""
        self._plan = plan
        self._stream = stream
        self._proxy = proxy
        self._s3duct = s3duct
        self._folder = folder
        self._use_state = use_state
        self._pace = pace
        self._counts = counts
        self._machines = 0
        self._data = random_bytes(plan.size_bytes, stream.name)
        self._target = folder / "restored"

    def run(self) -> None:
        """Do it all."""
        self._folder.mkdir()
        try:
            self._go_to_another_machine()
            if self._plan.kind == "output":
                self._restore()
            else:
                self._put()
        finally:
            shutil.rmtree(self._folder)

    # --- put -----------------------------------------------------------------------------------------------------------

    def _put(self) -> None:
        plan = self._plan
        if plan.clobber:
            self._s3duct.put(
                self._stream.name,
                io.BytesIO(_OLD),
                PutOptions(chunk_size_bytes=64 * KIB, seal_manifest=plan.sealed),
            )
        (self._folder / "a").write_bytes(self._data[: plan.size_bytes // 2])
        (self._folder / "b").write_bytes(self._data[plan.size_bytes // 2 :])
        on_record: set[int] = set()
        elsewhere = False
        for kill in plan.kills:
            before = len(self._proxy.exchanges)
            may_have_ended = self._is_there() and not plan.clobber
            code = self._run_put(elsewhere=elsewhere, moment=kill.moment)
            if code != KILLED:
                assert code == ExitCode.OK or (may_have_ended and code == ExitCode.EXISTS), code
                break
            self._count_sent_again(before, on_record)
            was_there = self._is_there()
            if kill.then_elsewhere:
                self._go_to_another_machine()
                elsewhere = True
            on_record = set() if was_there and plan.clobber else self._on_record(elsewhere=elsewhere)
            self._counts["chunks on record when killed"] += len(on_record)
        else:
            self._finish_put(on_record, elsewhere=elsewhere)
        assert get_outcome(self._s3duct, self._stream.name) == (ExitCode.OK, self._data)
        self._counts["bytes compared"] += len(self._data)

    def _finish_put(self, on_record: set[int], *, elsewhere: bool) -> None:
        has_ended = self._is_there() and read_journal(self._stream.name) is None
        before = len(self._proxy.exchanges)
        code = self._run_put(elsewhere=elsewhere)
        if has_ended and not self._plan.clobber:
            assert code == ExitCode.EXISTS, code
        else:
            assert code == ExitCode.OK, code
            left = self._stream.bucket.listing(self._stream.folder + ".resume/")
            assert not left, left
            assert read_journal(self._stream.name) is None
        self._count_sent_again(before, on_record)
        self._counts["resumed elsewhere" if elsewhere else "resumed here"] += 1

    def _on_record(self, *, elsewhere: bool) -> set[int]:
        """Indices of the chunks that this machine knows of, from its own journal or another machine's in the bucket."""
        journals = [read_journal(self._stream.name)]
        if elsewhere:
            journals.append(read_bucket_journal(self._stream.bucket, self._stream.folder))
        return {index for journal in journals if journal is not None for index in journal.indices}

    def _run_put(self, *, elsewhere: bool, moment: float | None = None) -> int:
        plan = self._plan
        flags = ["--chunk-size", str(plan.chunk_bytes), *([] if plan.encrypted else ["--no-encrypt"])]
        flags += ["--encrypt-manifest"] if plan.sealed else []
        flags += ["--clobber"] if plan.clobber else []
        flags += ["--takeover"] if elsewhere else []
        flags += ["--allow-empty"]
        if plan.kind == "pipe":
            return self._run("put", flags, moment, stdin=self._slowly()).code
        script = f'cat "$1"/a; sleep {plan.lasts_s:.2f}; cat "$1"/b'
        return self._run("put", [*flags, "--", "sh", "-c", script, "sh", str(self._folder)], moment).code

    def _slowly(self) -> Iterator[bytes]:
        for piece in pieces(self._data, len(self._data) // _PIECES + 1):
            yield piece
            time.sleep(self._plan.lasts_s / _PIECES)

    def _count_sent_again(self, since: int, on_record: set[int]) -> None:
        sent = {
            int(exchange.path[-6:])
            for exchange in self._exchanges(since)
            if exchange.method in ("PUT", "POST") and "/chunk-" in exchange.path
        }
        self._counts["chunks sent"] += len(sent)
        self._counts["chunks sent again although on record"] += len(sent & on_record)
        assert not sent & on_record, f"sent again although on record: {sorted(sent & on_record)}"

    def _is_there(self) -> bool:
        """Whether the new stream is visible; if not, the old one is, or none."""
        code, visible = get_outcome(self._s3duct, self._stream.name)
        if (code, visible) == (ExitCode.OK, self._data):
            return True
        assert (code, visible) == ((ExitCode.OK, _OLD) if self._plan.clobber else (ExitCode.NOT_FOUND, b""))
        return False

    # --- get -----------------------------------------------------------------------------------------------------------

    def _restore(self) -> None:
        options = PutOptions(chunk_size_bytes=self._plan.chunk_bytes, allow_empty=True)
        self._s3duct.put(self._stream.name, io.BytesIO(self._data), options)
        flags = ["--buffer-chunks", "2", "--output", str(self._target)]
        whole: set[int] = set()
        for kill in [*self._plan.kills, None]:
            before = len(self._proxy.exchanges)
            outcome = self._run("get", flags, kill.moment if kill else None)
            fetched = {
                int(exchange.path[-6:])
                for exchange in self._exchanges(before)
                if exchange.method == "GET" and "/chunk-" in exchange.path
            }
            self._counts["chunks fetched again although whole"] += len(fetched & whole)
            assert not fetched & whole, f"fetched again although whole: {sorted(fetched & whole)}"
            if outcome.code != KILLED:
                assert outcome.code == ExitCode.OK, outcome.stderr
                break
            if self._target.exists():  # killed when it had got its name
                break
            whole = self._whole_chunks()
        assert self._target.read_bytes() == self._data
        self._counts["bytes compared"] += len(self._data)
        self._counts["restored"] += 1

    def _whole_chunks(self) -> set[int]:
        parts = list(self._folder.glob(".restored.*"))
        assert len(parts) <= 1
        content = parts[0].read_bytes() if parts else b""
        assert self._data.startswith(content)
        return set(range(len(content) // self._plan.chunk_bytes))

    # --- both ----------------------------------------------------------------------------------------------------------

    def _run(
        self, verb: str, flags: list[str], moment: float | None, stdin: Iterator[bytes] | None = None
    ) -> Outcome:
        """Run the command; kill it at `moment` if it has not ended by then."""
        began_s = time.monotonic()
        with self._stream.start(verb, *flags, stdin=stdin) as running:
            if moment is None:
                outcome = running.wait()
            else:
                over_s = began_s + moment * self._pace.expected_s(self._plan)
                while running.process.poll() is None and time.monotonic() < over_s:
                    time.sleep(0.001)
                running.process.kill()
                outcome = running.wait()
        if outcome.code == KILLED:
            self._counts[f"kills of {verb} ({self._plan.kind})"] += 1
            self._counts["kills"] += 1
        else:
            self._pace.note(self._plan, time.monotonic() - began_s)
            self._counts["ended before they were killed"] += moment is not None
        self._proxy.wait_until_idle()
        return outcome

    def _exchanges(self, since: int) -> list[Exchange]:
        folder = f"/{self._stream.folder}"
        return [exchange for exchange in self._proxy.exchanges[since:] if folder in exchange.path]

    def _go_to_another_machine(self) -> None:
        self._machines += 1
        self._use_state(self._folder / f"machine-{self._machines}")
