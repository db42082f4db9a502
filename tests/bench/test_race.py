"""A contestant that does not give back what it was given is found out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from s3duct.domain.sizes import MIB
from tests.bench.contestants import Contestant
from tests.bench.measure import CommandFailed
from tests.bench.race import GET, PUT, Payload, Race, WrongBytes, make_payload, rotated
from tests.servers import S3Server
from tests.support.buckets import ServerBucket

KEEPS = 'cat > "$HOME/kept"'
SIZE = 2 * MIB + 3


@pytest.fixture
def payload(tmp_path: Path) -> Payload:
    return make_payload(tmp_path / "payload", SIZE)


def shell(script: str) -> tuple[str, ...]:
    return "/bin/sh", "-c", script


def race(server: S3Server, home: Path, *, put: str = KEEPS, get: str = 'cat "$HOME/kept"') -> Race:
    return Race(server, [Contestant("one", "a contestant", [shell(put)], [shell(get)])], home, print)


def test_a_payload_is_as_long_as_asked(payload: Payload) -> None:
    assert payload.path.stat().st_size == payload.size_bytes == SIZE


def test_every_round_has_a_put_and_a_get(rclone_s3: S3Server, tmp_path: Path, payload: Payload) -> None:
    runs = list(race(rclone_s3, tmp_path).run(payload, 2))
    assert [(run.round, run.direction) for run in runs] == [(1, PUT), (1, GET), (2, PUT), (2, GET)]
    assert [run.usage.output_bytes for run in runs] == [0, SIZE, 0, SIZE]


def test_missing_bytes_are_found(rclone_s3: S3Server, tmp_path: Path, payload: Payload) -> None:
    with pytest.raises(WrongBytes, match="one: 100 bytes instead of"):
        list(race(rclone_s3, tmp_path, get='head -c 100 "$HOME/kept"').run(payload, 1))


def test_other_bytes_are_found(rclone_s3: S3Server, tmp_path: Path, payload: Payload) -> None:
    altered = 'tr "\\000" "\\001" < "$HOME/kept"'
    with pytest.raises(WrongBytes, match="one: what it restores is not what it stored"):
        list(race(rclone_s3, tmp_path, get=altered).run(payload, 1))


def test_a_contestant_that_fails_ends_the_race(rclone_s3: S3Server, tmp_path: Path, payload: Payload) -> None:
    with pytest.raises(CommandFailed, match="no room"):
        list(race(rclone_s3, tmp_path, put="echo no room >&2; exit 1").run(payload, 1))


def test_a_warm_up_finds_wrong_flags_and_leaves_no_figures(rclone_s3: S3Server, tmp_path: Path) -> None:
    race(rclone_s3, tmp_path).warm_up()
    with pytest.raises(CommandFailed, match="no such option"):
        race(rclone_s3, tmp_path, get="echo no such option >&2; exit 2").warm_up()


def test_the_store_is_empty_after_each_turn(rclone_s3: S3Server, tmp_path: Path, payload: Payload) -> None:
    put = 'cat > "$HOME/kept"; echo {endpoint}/{bucket}/{name} >> "$HOME/told"'
    with closing(ServerBucket(rclone_s3)) as bucket:
        bucket.write("one-1/object", b"left by a contestant")
        list(race(rclone_s3, tmp_path, put=put).run(payload, 1))
        assert bucket.listing("") == {}
    told = (tmp_path / "told").read_text()
    assert told == f"{rclone_s3.endpoint_url}/{rclone_s3.bucket}/one-1\n"


def test_what_a_contestant_prepares_is_no_run(rclone_s3: S3Server, tmp_path: Path, payload: Payload) -> None:
    one = Contestant(
        "one",
        "a contestant",
        [shell(f'test -e "$HOME/prepared" && {KEEPS}')],
        [shell('cat "$HOME/kept"')],
        prepare=[shell('touch "$HOME/prepared"')],
    )
    assert len(list(Race(rclone_s3, [one], tmp_path, print).run(payload, 1))) == 2


def test_each_round_begins_with_the_next_contestant() -> None:
    field = [Contestant(label, "", (), ()) for label in "abc"]
    orders = ["".join(one.label for one in rotated(field, number)) for number in range(4)]
    assert orders == ["abc", "bca", "cab", "abc"]
