"""What a command does not need, it does not import: that is what makes it start fast (ADR 0022)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.command import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.servers import S3Server

ACTING = {
    "asyncio",
    "botocore",
    "cryptography",
    "dependency_injector",
    "obstore",
    "platformdirs",
    "rich.progress",
    "s3duct.adapters",
    "s3duct.app.api",
    "s3duct.app.container",
    "s3duct.app.pipeline",
    "s3duct.app.usecases",
    "s3duct.domain.journal_codec",
}
KEY = "hex:" + "5a" * 32
AGE, JOURNALS = "s3duct.adapters.age", "s3duct.adapters.journal_file"
PUT, LIST = "s3duct.app.usecases.put", "s3duct.app.usecases.list_streams"
LOCAL, PROGRAMS = "s3duct.adapters.object_store.local", "s3duct.adapters.child_process"

# Says what is loaded, and whether garbage is collected, at the moment the process would end.
SCRIPT = """
import gc, json, os, sys
leave = os._exit
def tell(code):
    os.write(DESCRIPTOR, json.dumps([code, gc.isenabled(), sorted(sys.modules)]).encode())
    leave(code)
os._exit = tell
from s3duct.app.cli import main
main()
"""


def imported_by(
    *arguments: str, code: int = 0, stdin: bytes = b"", environment: dict[str, str] | None = None
) -> set[str]:
    """Run the command line; return the modules that were imported, packages of them included."""
    exit_code, _, modules = end_of(*arguments, stdin=stdin, environment=environment)
    assert exit_code == code
    return set(modules)


def end_of(
    *arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None
) -> tuple[int, bool, list[str]]:
    """Run the command line; return its exit code, whether garbage was collected, and the modules that were imported."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as told:
        try:
            subprocess.run(
                [sys.executable, "-c", SCRIPT.replace("DESCRIPTOR", str(writing)), *arguments],
                input=stdin,
                capture_output=True,
                check=False,
                pass_fds=[writing],
                env={**os.environ, **(environment or {})},
            )
        finally:
            os.close(writing)
        exit_code, collects, modules = json.load(told)
    return exit_code, collects, modules


@pytest.fixture
def folder(tmp_path: Path) -> Sequence[str]:
    """A local store that holds the stream `there`."""
    where = ("--bucket", (tmp_path / "store").as_uri())
    run("put", *where, "--name", "there", stdin=b"content").expect(0)
    return where


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", 0),
        ("--version", 0),
        ("--help", 0),
        ("put --help", 0),
        ("get --help", 0),
        ("put --no-such-flag", 2),
        ("no-such-command", 2),
    ],
)
def test_what_needs_the_flags_alone_imports_nothing_that_acts(line: str, code: int) -> None:
    assert imported_by(*line.split(), code=code) & ACTING == set()


def test_a_command_does_not_import_the_flags_of_another() -> None:
    imported = imported_by("list", "--help")

    assert {name for name in imported if name.startswith("s3duct.app.cli.commands.")} == {
        "s3duct.app.cli.commands.list"
    }


def test_keygen_imports_no_store_and_no_vendor_of_one(tmp_path: Path) -> None:
    imported = imported_by("keygen", "aes", str(tmp_path / "key"))

    assert imported & {"botocore", "obstore", "rich.progress", AGE, JOURNALS, PUT, LIST} == set()


def test_a_get_of_a_plain_stream_imports_no_cipher_and_nothing_of_put(folder: Sequence[str]) -> None:
    imported = imported_by("get", *folder, "--name", "there")

    assert (
        imported & {"botocore", "cryptography", "rich.progress", AGE, JOURNALS, PUT, LIST, PROGRAMS} == set()
    )
    assert "obstore" in imported


def test_garbage_is_left_alone_while_loading_and_collected_while_data_moves(folder: Sequence[str]) -> None:
    assert end_of("--help")[:2] == (0, False)
    assert end_of("get", *folder, "--name", "there")[:2] == (0, True)


def test_a_list_imports_nothing_of_put_and_get(folder: Sequence[str]) -> None:
    imported = imported_by("list", *folder)

    assert (
        imported
        & {"botocore", "cryptography", "rich.progress", AGE, JOURNALS, PUT, "s3duct.app.usecases.get"}
        == set()
    )


def test_a_put_imports_no_cipher_that_it_does_not_use(folder: Sequence[str]) -> None:
    plain = imported_by("put", *folder, "--name", "plain", stdin=b"content")
    sealed = imported_by("put", *folder, "--name", "sealed", "--key", KEY, stdin=b"content")

    assert plain & {"botocore", "cryptography", "rich.progress", AGE, LIST, PROGRAMS} == set()
    assert sealed & {"botocore", "rich.progress", AGE, LIST, PROGRAMS} == set()
    assert "cryptography" in sealed


def test_a_bucket_needs_no_botocore_if_the_environment_says_everything(
    rclone_s3: S3Server, unique_name: str
) -> None:
    where = ("--bucket", rclone_s3.bucket, "--endpoint-url", rclone_s3.endpoint_url, "--name", unique_name)
    run("put", *where, stdin=b"content", environment=rclone_s3.environment()).expect(0)

    for verb in ("get", "verify"):
        imported = imported_by(verb, *where, environment=rclone_s3.environment())

        assert imported & {"botocore", "cryptography", "rich.progress", AGE, JOURNALS, LOCAL, PUT} == set()
