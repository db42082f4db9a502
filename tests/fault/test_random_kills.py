"""A dozen processes are killed at random times here; `make kills` kills 200, from another seed each time.

    KILLS=200 KILLS_SEED=abc pytest tests/fault/test_random_kills.py

A failure says which trial of which seed it was: KILLS_FIRST=17 begins with that one.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.fault.random_kills import Pace, Plan, Trial
from tests.servers import S3Server
from tests.support.api import connect
from tests.support.buckets import ServerBucket
from tests.support.proxy import Exchange, RecordingProxy
from tests.support.streams import Stream

KILLS = int(os.environ.get("KILLS") or 12)
SEED = os.environ.get("KILLS_SEED") or "0"
FIRST = int(os.environ.get("KILLS_FIRST") or 0)


def slowly(exchange: Exchange) -> None:
    """Chunks that are fetched take their time, so that there is time to die in."""
    if exchange.method == "GET" and "/chunk-" in exchange.path:
        time.sleep(0.02)


@pytest.mark.timeout(120 + 10 * KILLS)
def test_whatever_is_killed_at_whatever_time_goes_on(
    seaweedfs: S3Server, unique_name: str, key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    pace = Pace()
    print(f"seed {SEED!r}")
    with (
        RecordingProxy(seaweedfs.endpoint_url, on_request=slowly) as proxy,
        closing(ServerBucket(seaweedfs, endpoint_url=proxy.endpoint_url)) as behind_proxy,
        closing(ServerBucket(seaweedfs)) as bucket,
    ):
        number = FIRST
        while counts["kills"] < KILLS:
            plan = Plan.drawn(f"{SEED}/{number}")
            key = key_file if plan.encrypted else None
            monkeypatch.setenv("S3DUCT_STATE_DIR", str(tmp_path / "bystander"))  # of puts that nobody kills
            trial = Trial(
                plan,
                stream=Stream(behind_proxy, f"{unique_name}/{number}", key),
                proxy=proxy,
                s3duct=connect(bucket, monkeypatch, key_file=key),
                folder=tmp_path / f"trial-{number}",
                use_state=lambda folder: monkeypatch.setenv("S3DUCT_STATE_DIR", str(folder)),
                pace=pace,
                counts=counts,
            )
            try:
                trial.run()
            except AssertionError as error:
                show(counts)
                raise AssertionError(f"KILLS_SEED={SEED} KILLS_FIRST={number}: {plan}") from error
            number += 1
    show(counts)
    assert not counts["chunks sent again although on record"]


def show(counts: Counter[str]) -> None:
    """Print what was done so far."""
    for what, count in sorted(counts.items()):
        print(f"{count:>14,}  {what}")
