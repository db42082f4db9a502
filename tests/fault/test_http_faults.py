"""The n-th request of small runs against a real server goes wrong, for every n: on the wire, or by the store's answer.

obstore's own quick retries are off, so that every fault meets the policy of this project. Each run ends with the stream byte
for byte: at once, or, with no retries, when the same command is run again.

Every request meets one kind of fault, and some of them every kind; all meet all when `S3DUCT_FULL_SWEEPS` is set.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from s3duct.adapters.object_store import s3
from s3duct.app.api import BufferWishes, PutOptions, S3duct, Settings
from s3duct.domain.errors import ManifestInvalid, S3ductError
from s3duct.domain.events import Event, RetryScheduled
from s3duct.domain.retry import NO_RETRIES, RetryPolicy
from s3duct.domain.sizes import KIB, MIB
from tests.servers import S3Server
from tests.support.data import random_bytes
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.proxy import Exchange
from tests.support.sweeps import in_rotation

PATIENT = RetryPolicy(budget_s=120.0, base_s=0.001, cap_s=0.01)
COUNTS: Counter[str] = Counter()
# What differs from one kind of request to the next; the others fail like one of these.
KINDS = [Fault.HALF_REQUEST, Fault.REPLY_LOST, Fault.LATE_ERROR]


# What a small put takes at least; more, if its chunks get on record one by one rather than together.
CERTAIN = 20


@dataclass(frozen=True, slots=True)
class Run:
    """A small stream, and which requests of its put and its get go wrong; the `chosen` ones meet every kind of fault."""

    chunk_bytes: int
    data: bytes
    put: range
    get: range
    put_chosen: tuple[int, ...] = ()
    get_chosen: tuple[int, ...] = ()


# HEAD manifest; GET and twice PUT claim; HEAD manifest, LIST; PUT journal, three chunks; GET claim, PUT journal (once to
# three times); the same, HEAD and PUT manifest; GET claim, LIST, two DELETEs. GET manifest, three GETs.
SMALL = Run(64 * KIB, random_bytes(150 * KIB, "small"), range(24), range(4), (1, 7, 17), (0, 1))
# In place of the chunks POST, two PUTs, POST, HEAD; the rest as before. GET manifest, GET.
IN_PARTS = Run(9 * MIB, random_bytes(9 * MIB, "in parts"), range(7, 12), range(2))
AGAIN = replace(SMALL, put_chosen=())


class Bench:
    """A stream behind a faulty proxy, with credentials in a file as a login would write it."""

    def __init__(self, server: S3Server, name: str, folder: Path) -> None:
        self.server = server
        self.name = name
        self.folder = folder
        self.events: list[Event] = []
        self.logins = 0
        self.log_in()

    def log_in(self) -> None:
        """Write credentials that differ from those before: the same keys, another session token."""
        self.logins += 1
        token = f"aws_session_token = token-{self.logins}\n" if self.logins > 1 else ""
        (self.folder / "credentials").write_text(
            f"[default]\naws_access_key_id = {self.server.access_key}\n"
            f"aws_secret_access_key = {self.server.secret_key}\n{token}"
        )

    def streams(self, endpoint_url: str, policy: RetryPolicy) -> S3duct:
        settings = Settings(
            bucket=self.server.bucket,
            region=self.server.region,
            endpoint_url=endpoint_url,
            state_dir=self.folder / "state",
            scratch_dir=self.folder / "scratch",
            retry_policy=policy,
        )
        return S3duct(settings, buffers=BufferWishes(max_chunks=2), listener=self.events.append)

    def put(self, run: Run, endpoint_url: str, policy: RetryPolicy) -> None:
        options = PutOptions(chunk_size_bytes=run.chunk_bytes)
        self.streams(endpoint_url, policy).put(self.name, io.BytesIO(run.data), options)

    def get(self, endpoint_url: str, policy: RetryPolicy) -> bytes:
        sink = io.BytesIO()
        self.streams(endpoint_url, policy).get(self.name, sink)
        return sink.getvalue()

    def restores(self, run: Run) -> None:
        """See that the stream is whole, without any proxy."""
        assert self.get(self.server.endpoint_url, NO_RETRIES) == run.data
        COUNTS["bytes compared"] += len(run.data)


@pytest.fixture
def bench(
    request: pytest.FixtureRequest, unique_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    """Over SeaweedFS; where credentials expire over moto, which takes any."""
    expires = request.node.callspec.params["fault"] is Fault.EXPIRED
    server = request.getfixturevalue("moto_s3" if expires else "seaweedfs")
    assert isinstance(server, S3Server)
    monkeypatch.setattr(s3, "_QUICK_RETRIES", 0)
    monkeypatch.setattr(s3, "_PATIENCE_S", 1)
    monkeypatch.setattr(s3, "_SLOWEST_BYTES_PER_S", 1 << 40)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return Bench(server, unique_name, tmp_path)


def at(number: int, fault: Fault, bench: Bench) -> Callable[[Exchange], Fault | None]:
    """That fault for the request with that number, from 0; the one time that credentials expire, a login follows."""

    def choose(exchange: Exchange) -> Fault | None:
        if exchange.number != number:
            return None
        COUNTS[fault.value] += 1
        if fault is Fault.EXPIRED:
            bench.log_in()
        return fault

    return choose


def requests_of(runs: list[tuple[Run, list[Fault]]], verb: str) -> list[object]:
    """Every request of every run, with faults in rotation."""
    return [
        pytest.param(run, fault, number, id=f"{run.chunk_bytes // KIB}K-{fault.name}-{number}")
        for run, faults in runs
        for number, fault in (
            in_rotation(run.put, faults, run.put_chosen)
            if verb == "put"
            else in_rotation(run.get, faults, run.get_chosen)
        )
    ]


BOTH = [(SMALL, list(Fault)), (IN_PARTS, [Fault.REPLY_LOST, Fault.LATE_ERROR])]


@pytest.mark.parametrize(("run", "fault", "number"), requests_of(BOTH, "put"))
def test_a_put_whose_nth_request_fails_ends_well(bench: Bench, run: Run, fault: Fault, number: int) -> None:
    with FaultyProxy(bench.server.endpoint_url) as proxy:
        proxy.choose = at(number, fault, bench)
        bench.put(run, proxy.endpoint_url, PATIENT)
        assert len(proxy.injected) == 1 or number >= CERTAIN
    bench.restores(run)
    COUNTS["survived"] += 1


@pytest.mark.parametrize(("run", "fault", "number"), requests_of([(AGAIN, KINDS)], "put"))
def test_a_put_without_retries_resumes(bench: Bench, run: Run, fault: Fault, number: int) -> None:
    with FaultyProxy(bench.server.endpoint_url) as proxy:
        proxy.choose = at(number, fault, bench)
        failed = False
        try:
            bench.put(run, proxy.endpoint_url, NO_RETRIES)
        except S3ductError:
            failed = True
        if failed:
            bench.put(run, proxy.endpoint_url, NO_RETRIES)
        assert len(proxy.injected) == 1 or number >= CERTAIN
        assert not any(isinstance(event, RetryScheduled) for event in bench.events)
    bench.restores(run)
    COUNTS["resumed"] += 1


@pytest.mark.parametrize(("run", "fault", "number"), requests_of(BOTH, "get"))
def test_a_get_whose_nth_request_fails_ends_well(bench: Bench, run: Run, fault: Fault, number: int) -> None:
    bench.put(run, bench.server.endpoint_url, NO_RETRIES)
    with FaultyProxy(bench.server.endpoint_url) as proxy:
        proxy.choose = at(number, fault, bench)
        if fault is Fault.LATE_ERROR and number == 0:
            # Nothing tells a body of 200 from the manifest but its content; no S3 answers a GET like that.
            with pytest.raises(ManifestInvalid):
                bench.get(proxy.endpoint_url, PATIENT)
        assert bench.get(proxy.endpoint_url, PATIENT) == run.data
        assert len(proxy.injected) == 1
    COUNTS["bytes compared"] += len(run.data)
    COUNTS["survived"] += 1


STORM = [
    Fault.BEFORE,
    Fault.REPLY_LOST,
    Fault.HALF_ANSWER,
    Fault.SLOW_DOWN,
    Fault.TOO_MANY,
    Fault.REQUEST_TIMEOUT,
    Fault.RATE_LIMIT,
]


@pytest.mark.parametrize("fault", STORM, ids=lambda fault: fault.name)
def test_storms_are_outlasted(bench: Bench, fault: Fault) -> None:
    """Two requests get through, then ten do not, again and again."""
    with FaultyProxy(bench.server.endpoint_url) as proxy:

        def choose(exchange: Exchange) -> Fault | None:
            calm = exchange.number % 12 < 2
            COUNTS[fault.value] += not calm
            return None if calm else fault

        proxy.choose = choose
        bench.put(SMALL, proxy.endpoint_url, PATIENT)
        assert bench.get(proxy.endpoint_url, PATIENT) == SMALL.data
        assert len(proxy.injected) >= 10
    COUNTS["bytes compared"] += len(SMALL.data)
    COUNTS["survived"] += 1


@pytest.mark.parametrize("run", [SMALL, IN_PARTS], ids=["64K", "9216K"])
@pytest.mark.parametrize("fault", [None], ids=["no fault"])
def test_the_sweeps_reach_every_request(bench: Bench, run: Run, fault: None) -> None:
    with FaultyProxy(bench.server.endpoint_url) as proxy:
        bench.put(run, proxy.endpoint_url, NO_RETRIES)
        put = list(proxy.exchanges)
        assert bench.get(proxy.endpoint_url, NO_RETRIES) == run.data
        got = len(proxy.exchanges) - len(put)
    assert got == run.get.stop
    if run is SMALL:
        assert CERTAIN <= len(put) <= run.put.stop
    else:
        of_chunks = [exchange.number for exchange in put if "/chunk-" in exchange.path]
        assert of_chunks == list(run.put)


def test_every_fault_was_injected() -> None:
    """And how often (`pytest -rP` shows it)."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("each worker runs a part of the sweeps")
    if not COUNTS["survived"] or not COUNTS["resumed"]:
        pytest.skip("the sweeps of this file did not run")
    for name, count in sorted(COUNTS.items()):
        print(f"{count:>12,}  {name}")
    for fault in Fault:
        assert COUNTS[fault.value] >= len(SMALL.put_chosen) + len(SMALL.get_chosen), fault
