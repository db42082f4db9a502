"""Who is not there is named, and the rest takes part."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import contestants
from tests.bench.contestants import BASELINE, Contestant, Field, Keys

OURS = ["ours-plain", "ours-aes", "ours-age", "ours-age-pq"]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "aes", tmp_path / "age", "age1x", tmp_path / "age-pq", "age1pq1x")


@pytest.fixture
def oracles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of released versions."""
    folder = tmp_path / "oracles"
    monkeypatch.setattr("tests.support.released.ORACLES", folder)
    return folder


@pytest.fixture
def released(oracles: Path) -> Path:
    """A released command, as far as its presence goes."""
    command = oracles / "0.4.0" / "bin" / "s3duct"
    command.parent.mkdir(parents=True)
    command.touch()
    return command


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, empty."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put_on(path: Path, *names: str) -> None:
    for name in names:
        (path / name).touch(mode=0o700)


def labels(field: Field) -> list[str]:
    return [contestant.label for contestant in field.contestants]


def named(field: Field, label: str) -> Contestant:
    (found,) = [contestant for contestant in field.contestants if contestant.label == label]
    return found


@pytest.mark.usefixtures("oracles")
def test_without_the_released_command_ours_run_alone(keys: Keys, tmp_path: Path) -> None:
    field = contestants.find(keys, tmp_path)
    assert labels(field) == OURS
    assert field.absent == ("0.4.0: not installed (make oracles)",)


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize("there", [(), ("age",), ("age-keygen",)])
def test_without_the_age_commands_the_released_one_runs_without_age(
    keys: Keys, tmp_path: Path, path: Path, there: tuple[str, ...]
) -> None:
    put_on(path, *there)
    field = contestants.find(keys, tmp_path)
    assert labels(field) == [*OURS, "0.4.0-plain", "0.4.0-aes"]
    assert field.absent == ("0.4.0-age: there is no age command",)


def test_with_all_of_them_everyone_runs(keys: Keys, tmp_path: Path, path: Path, released: Path) -> None:
    put_on(path, "age", "age-keygen")
    field = contestants.find(keys, tmp_path)
    assert labels(field) == [*OURS, "0.4.0-plain", "0.4.0-aes", "0.4.0-age"]
    assert field.absent == ()
    assert named(field, "0.4.0-age").command == released
    assert BASELINE in labels(field)
    assert {contestant.rival for contestant in field.contestants} - {None} <= set(labels(field))


@pytest.mark.usefixtures("oracles")
def test_putting_with_age_needs_no_identity(keys: Keys, tmp_path: Path) -> None:
    field = contestants.find(keys, tmp_path)
    assert named(field, "ours-age-pq").put_flags == ("--age-recipient", "age1pq1x")
    assert named(field, "ours-age-pq").get_flags == ("--age-identity", str(keys.age_pq))


def test_a_contestant_sees_nothing_of_who_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("S3DUCT_KEY", "hex:00")
    seen = contestants.environment(tmp_path)
    assert {"AWS_PROFILE", "S3DUCT_KEY"}.isdisjoint(seen)
    assert seen["HOME"] == str(tmp_path)
