"""Help that teaches, the version, and completion."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.command import run

STORE = {"--bucket", "--prefix", "--region", "--endpoint-url", "--addressing-style", "--profile"}
LIMITS = {"--memory-limit", "--diskspace-limit", "--buffer-chunks", "--scratch-dir"}
OUTPUT = {"--summary", "--progress", "--quiet", "-q", "--verbose", "-v"}
OPENING = {"--key", "--age-identity", "--age-passphrase-fd"}
TRUST = {
    "--expect-manifest-sha256",
    "--strict-manifest",
    "--allow-unauthenticated",
    "--allow-unencrypted",
}
STREAM = STORE | OPENING | {"--name"}

FLAGS = {
    "put": STREAM
    | LIMITS
    | OUTPUT
    | {
        "--chunk-size",
        "--age-recipient",
        "--age-recipients-file",
        "--no-encrypt",
        "--encrypt-manifest",
        "--no-encrypt-manifest",
        "--tag",
        "--description",
        "--storage-class",
        "--strict-resume",
        "--no-strict-resume",
        "--resume",
        "--no-resume",
        "--clobber",
        "--allow-empty",
        "--expected-size",
        "--min-size",
    },
    "get": STREAM
    | TRUST
    | LIMITS
    | OUTPUT
    | {"--no-decrypt", "--output", "-o", "--force", "--offset", "--length"},
    "list": STORE | OPENING | {"--json"},
    "verify": STREAM | TRUST | LIMITS | OUTPUT | {"--deep"},
}


@pytest.mark.parametrize("verb", FLAGS)
def test_help_names_every_flag_and_gives_an_example(verb: str) -> None:
    # Long names are broken in two on narrow terminals.
    outcome = run(verb, "--help", environment={"COLUMNS": "160"}).expect(0)
    text = outcome.stdout.decode()

    named = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", text))

    assert FLAGS[verb] - named == set()
    assert f"s3duct {verb} --bucket" in text
    assert "Example: " in text
    assert outcome.stderr == ""


def test_help_lists_the_commands() -> None:
    for arguments in ([], ["--help"]):
        text = run(*arguments).expect(0).stdout.decode()

        assert all(re.search(rf"(?m)^\W*{verb} ", text) for verb in FLAGS)


def test_the_version_is_the_distribution_s() -> None:
    outcome = run("--version").expect(0)

    assert (outcome.stdout, outcome.stderr) == (f"{metadata.version('s3duct')}\n".encode(), "")


def test_the_version_with_verbose_says_what_hashes() -> None:
    for flags in (["--version", "--verbose"], ["-v", "--version"]):
        outcome = run(*flags).expect(0)
        first, python, hashing = outcome.stdout.decode().splitlines()
        assert first == f"s3duct {metadata.version('s3duct')}"
        assert python.startswith(f"Python {platform.python_version()}")
        assert hashing.startswith("SHA-256: ")
        assert "SHA3-256: " in hashing
    off = run("--version", "--verbose", environment={"S3DUCT_NATIVE": "0"}).expect(0)
    assert off.stdout.decode().splitlines()[2] == "SHA-256: hashlib; SHA3-256: hashlib"


def test_help_of_completion_tells_how_to_install_it() -> None:
    text = run("completion", "--help").expect(0).stdout.decode()

    assert "--shell" in text
    assert all(shell in text for shell in ("bash", "zsh", "fish"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_written_for_each_shell(tmp_path: Path, shell: str) -> None:
    script = tmp_path / "completion"

    startup = [Path.home() / name for name in (".bashrc", ".zshrc")]
    for file in startup:
        file.write_text("# mine\n")
    run("completion", "--shell", shell, "--output", script).expect(0)
    assert [file.read_text() for file in startup] == ["# mine\n"] * 2

    text = script.read_text()
    assert "s3duct" in text
    assert all(verb in text for verb in FLAGS)
    assert "--chunk-size" in text or "chunk-size" in text


def test_bash_completes_commands_and_flags(tmp_path: Path) -> None:
    script = tmp_path / "completion"
    run("completion", "--shell", "bash", "--output", script).expect(0)
    complete = """
        source "$1"
        function_name=$(complete -p s3duct | sed -n 's/.*-F \\([^ ]*\\) .*/\\1/p')
        COMP_WORDS=(s3duct put --chunk-s) COMP_CWORD=2 COMP_LINE="s3duct put --chunk-s" COMP_POINT=20
        "$function_name" s3duct --chunk-s put
        echo "${COMPREPLY[@]}"
    """

    finished = subprocess.run(
        ["bash", "--norc", "-c", complete, "bash", script],
        check=True,
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )

    assert finished.stdout.split() == ["--chunk-size"]
