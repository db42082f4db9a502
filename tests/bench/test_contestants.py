"""Who is not there is named, and the rest takes part."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import contestants, peers
from tests.bench.contestants import Contestant, Field, Keys
from tests.bench.native import HASHES_NATIVELY
from tests.bench.peers import Peers
from tests.servers import S3Server

OURS = ["ours-aes", "ours-aes-512M", "ours-plain", "ours-age", "ours-age-pq"]
OURS += ["ours-aes-hashlib"] if HASHES_NATIVELY else []
THEIRS = ["0.4.0-aes", "0.4.0-plain", "aws", "s5cmd", "rclone", "age+aws", "restic"]
ALL = ("s3duct 0.4.0", "aws", "s5cmd", "rclone", "age", "restic")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "aes", tmp_path / "age", "age1x", tmp_path / "age-pq", "age1pq1x")


@pytest.fixture
def nothing_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))


def there(*names: str) -> Peers:
    return Peers({name: Path("/programs") / name for name in names}, ("one: it is not there",))


def find(keys: Keys, *names: str) -> Field:
    return contestants.find(keys, there(*names), "64M", Path("/scratch"))


def labels(field: Field) -> list[str]:
    return [contestant.label for contestant in field.contestants]


def named(field: Field, label: str) -> Contestant:
    (found,) = [contestant for contestant in field.contestants if contestant.label == label]
    return found


def test_without_peers_ours_run_alone_and_it_is_told(keys: Keys) -> None:
    field = find(keys)
    assert labels(field) == OURS
    assert "one: it is not there" in field.absent


def test_with_all_of_them_everyone_runs(keys: Keys) -> None:
    assert labels(find(keys, *ALL)) == [*OURS, *THEIRS]


@pytest.mark.parametrize("missing", ["age", "aws"])
def test_a_pipeline_needs_all_of_its_programs(keys: Keys, missing: str) -> None:
    assert "age+aws" not in labels(find(keys, *(name for name in ALL if name != missing)))


@pytest.mark.usefixtures("nothing_on_path")
def test_each_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = peers.find(tmp_path)
    assert found.programs == {}
    assert [reason.partition(":")[0] for reason in found.absent] == [
        *("s3duct 0.4.0", "aws", "s5cmd", "rclone"),
        *("age", "restic"),
    ]


@pytest.mark.usefixtures("nothing_on_path")
def test_programs_are_found_and_asked_for_their_version(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "aws-cli/9 $1"\necho more\n')
    program.chmod(0o700)
    found = peers.find(tmp_path)
    assert found.programs == {"aws": program}
    assert found.versions() == {"aws": "aws-cli/9 --version"}


def test_what_is_installed_is_not_installed_again(tmp_path: Path) -> None:
    (tmp_path / ".installed").write_text("\n".join(peers.PACKAGES))
    said: list[str] = []
    peers.install(tmp_path, said.append)
    assert said == []


def test_putting_with_age_needs_no_identity(keys: Keys) -> None:
    (put,), (get,) = named(find(keys), "ours-age-pq").put, named(find(keys), "ours-age-pq").get
    assert "age1pq1x" in put
    assert str(keys.age_pq) not in put
    assert str(keys.age_pq) in get


def test_one_of_ours_takes_the_default_chunk_size(keys: Keys) -> None:
    (put,) = named(find(keys), "ours-aes-512M").put
    assert "--chunk-size" not in put
    assert "--chunk-size" in named(find(keys), "ours-aes").put[0]


def test_everyone_is_told_server_and_name(keys: Keys) -> None:
    server = S3Server("one", "http://127.0.0.1:1", bucket="box")
    for contestant in find(keys, *ALL).contestants:
        for pipeline in (contestant.put, contestant.get, contestant.prepare):
            commands = contestants.filled_in(pipeline, server, "stream-7")
            shown = " ".join(part for command in commands for part in command)
            assert "{" not in shown
            if pipeline:
                assert {"http://127.0.0.1:1", "box", "stream-7"} <= {
                    known for known in ("http://127.0.0.1:1", "box", "stream-7") if known in shown
                }


def test_a_contestant_sees_nothing_of_who_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("S3DUCT_KEY", "hex:00")
    seen = contestants.environment(tmp_path)
    assert {"AWS_PROFILE", "S3DUCT_KEY"}.isdisjoint(seen)
    assert seen["HOME"] == str(tmp_path)
