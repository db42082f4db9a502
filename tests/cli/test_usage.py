"""Wrong usage: one line that says what is wrong, one that says what to do, exit code 2, and nothing is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import Outcome, run
from tests.support.data import random_bytes

USAGE = 2
HEX_KEY = "00112233445566778899aabbccddeeff" * 2

PUT = ("put", "--bucket", "file:///nowhere/at/all", "--name", "n")
GET = ("get", "--bucket", "file:///nowhere/at/all", "--name", "n")


def is_told(outcome: Outcome) -> str:
    """The error line, if everything on stderr is as it should be."""
    assert outcome.code == USAGE, outcome.stderr
    assert outcome.stdout == b""
    lines = [line for line in outcome.lines if not line.startswith("s3duct: warning: ")]
    assert len(lines) == 2, outcome.stderr
    error, hint = lines
    assert error.startswith("s3duct: error: "), error
    assert hint.startswith("s3duct: hint: "), hint
    assert not error.endswith(".")
    return error.removeprefix("s3duct: error: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["frob"],
        ["put"],
        ["put", "--bucket", "b"],
        ["put", "--name", "n"],
        ["put", "--bucket"],
        [*PUT, "surplus"],
        [*PUT, "--frob"],
        [*PUT, "--deep"],
        [*GET, "--clobber"],
        [*PUT, "--quiet=perhaps"],
    ],
    ids=" ".join,
)
def test_the_command_line(arguments: list[str]) -> None:
    is_told(run(*arguments))


@pytest.mark.parametrize(
    ("arguments", "which"), [(["put"], "put "), (["get", "--frob"], "get "), (["frob"], "")]
)
def test_the_help_that_is_pointed_to_is_that_of_the_command(arguments: list[str], which: str) -> None:
    assert run(*arguments).lines[-1] == f"s3duct: hint: see s3duct {which}--help"


@pytest.mark.parametrize(
    ("bucket", "hint"),
    [
        ("/srv/backup", "file:///srv/backup"),
        ("./backup", "file:///srv/backup"),
        ("gs://backup", "s3://name or file:///path"),
        ("backup/db", "--prefix"),
    ],
)
def test_a_bucket_that_is_none_is_told_how_to_write_it(bucket: str, hint: str) -> None:
    outcome = run("list", "--bucket", bucket)
    is_told(outcome)
    assert hint in outcome.lines[-1]


@pytest.mark.parametrize("name", [".manifest.json", "db/.manifest.json", ".manifest.json/db", "db/.resume"])
def test_a_name_that_the_objects_of_another_stream_have_is_refused(name: str, tmp_path: Path) -> None:
    """On a disk it would be a folder where the manifest of `db` is to be a file."""
    bucket = tmp_path / "bucket"
    is_told(run("put", "--bucket", f"file://{bucket}", "--name", name, stdin=b"x"))
    assert not list(bucket.glob("*"))


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--chunk-size", "0"),
        ("--chunk-size", "-5M"),
        ("--chunk-size", "1023"),
        ("--chunk-size", "6T"),
        ("--chunk-size", "12 parsecs"),
        ("--chunk-size", "1.3"),
        ("--name", ""),
        ("--name", "/n"),
        ("--name", "a//b"),
        ("--name", "a/../b"),
        ("--name", "a\nb"),
        ("--name", "n" * 1100),
        ("--prefix", "//"),
        ("--bucket", ""),
        ("--bucket", "s3://"),
        ("--bucket", "http://b"),
        ("--bucket", "file://relative"),
        ("--bucket", "b/with/path"),
        ("--tag", "no-equals-sign"),
        ("--tag", "=value"),
        ("--storage-class", "ICEBERG"),
        ("--summary", "xml"),
        ("--progress", "fast"),
        ("--memory-limit", "1K"),
        ("--memory-limit", "much"),
        ("--buffer-chunks", "0"),
        ("--buffer-chunks", "few"),
        ("--addressing-style", "sideways"),
        ("--key", "hex:1234"),
        ("--key", "file:/nonexistent/key"),
        ("--key", "file:/etc/passwd"),
        ("--key", "env:S3DUCT_TEST_UNSET"),
        ("--key", HEX_KEY),
        ("--key", ""),
    ],
)
def test_values(flag: str, value: str) -> None:
    arguments = list(PUT)
    if flag in arguments:
        arguments[arguments.index(flag) + 1] = value
    else:
        arguments += [flag, value]

    error = is_told(run(*arguments, stdin=b"data"))

    if value.startswith("hex:"):
        assert value.removeprefix("hex:") not in error


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "nonsense", "http://", "127.0.0.1:9000"])
def test_an_endpoint_that_is_no_url(url: str) -> None:
    error = is_told(run("get", "--bucket", "b", "--name", "n", "--endpoint-url", url))

    assert "endpoint" in error


def test_sealing_the_manifest_needs_a_key(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(random_bytes(32, "usage"))
    flags = [*PUT, "--encrypt-manifest"]

    assert "--encrypt-manifest" in is_told(run(*flags, stdin=b"data"))
    assert "--encrypt-manifest" in is_told(run(*flags, "--key", f"file:{key}", "--no-encrypt", stdin=b"data"))


@pytest.mark.parametrize(
    ("content", "fits"),
    [
        (bytes(range(32)), True),
        (b"00" * 32, True),
        (b"0A" * 32 + b"\n", True),
        (b"", False),
        (bytes(31), False),
        (bytes(33), False),
        (b"zz" * 32, False),
    ],
    ids=["raw", "hex", "hex and a line end", "empty", "short", "long", "not hex"],
)
def test_what_a_key_file_may_hold(tmp_path: Path, content: bytes, fits: bool) -> None:
    key = tmp_path / "key"
    key.write_bytes(content)
    outcome = run(
        "put", "--bucket", f"file://{tmp_path}/b", "--name", "n", "--key", f"file:{key}", stdin=b"data"
    )

    if fits:
        outcome.expect(0)
    else:
        assert "key" in is_told(outcome)


def test_a_key_in_the_environment(tmp_path: Path) -> None:
    flags = ("--bucket", f"file://{tmp_path}/b", "--name", "n", "--key", "env:BACKUP_KEY")

    run("put", *flags, stdin=b"data", environment={"BACKUP_KEY": HEX_KEY}).expect(0)

    assert run("get", *flags, environment={"BACKUP_KEY": HEX_KEY.upper()}).expect(0).stdout == b"data"
    is_told(run("get", *flags, environment={"BACKUP_KEY": HEX_KEY[:-1]}))


@pytest.mark.parametrize("verb", ["get", "verify", "list"])
def test_a_folder_that_is_not_there_is_not_made_by_readers(tmp_path: Path, verb: str) -> None:
    name = () if verb == "list" else ("--name", "n")

    outcome = run(verb, "--bucket", f"file://{tmp_path}/none", *name).expect(5)

    assert outcome.lines[0].startswith("s3duct: error: ")
    assert not (tmp_path / "none").exists()
