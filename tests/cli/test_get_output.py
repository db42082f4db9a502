"""get --output and get --offset/--length as users type them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.buckets import FolderBucket
from tests.support.command import COMMAND, Outcome, run
from tests.support.data import KIB, random_bytes
from tests.support.streams import Stream

CONTENT = random_bytes(300 * KIB, "restore")
CHUNK = 32 * KIB
CHUNKS = 10


@pytest.fixture
def stream(folder_bucket: FolderBucket, key_file: Path) -> Stream:
    key_file.chmod(0o600)
    stream = Stream(folder_bucket, "backup", key_file)
    stream.put(CONTENT, "--chunk-size", "32K")
    return stream


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "restored"
    folder.mkdir()
    return folder


def fails(outcome: Outcome, message: str, hint: str = "") -> None:
    assert outcome.stdout == b""
    errors = [line for line in outcome.lines if line.startswith("s3duct: error: ")]
    assert len(errors) == 1, outcome.stderr
    assert message in errors[0]
    assert "Traceback" not in outcome.stderr
    if hint:
        assert any(hint in line for line in outcome.lines if line.startswith("s3duct: hint: ")), (
            outcome.stderr
        )


def filled_up(stream: Stream, target: Path, *flags: str, kib: int = 100) -> Outcome:
    """Get on a machine where no file may be larger than `kib`: what a full disk does, without one."""
    command = [str(COMMAND), "get", *stream.flags, "--progress", "none", "--output", str(target), *flags]
    finished = subprocess.run(
        ["bash", "-c", f'ulimit -f {kib}; exec "$@"', "bash", *command], check=False, capture_output=True
    )
    return Outcome(finished.returncode, finished.stdout, len(finished.stdout), "", finished.stderr.decode())


@pytest.mark.parametrize("flag", ["--output", "-o"])
def test_a_file_is_written_and_stdout_is_left_alone(stream: Stream, folder: Path, flag: str) -> None:
    target = folder / "out.tar"

    outcome = stream.get(flag, target)

    assert outcome.stdout == b""
    assert target.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [target]
    (line,) = outcome.lines
    assert re.fullmatch(
        rf"s3duct: restored 'backup' to {re.escape(repr(str(target)))}: 300 KiB in 10 chunks, .*, every chunk verified",
        line,
    )


def test_the_file_has_the_mode_that_a_redirection_gives(stream: Stream, folder: Path) -> None:
    subprocess.run(
        [
            "bash",
            "-c",
            'umask 026; : > redirected; exec "$@"',
            "bash",
            COMMAND,
            "get",
            *stream.flags,
            "-o",
            "out",
        ],
        check=True,
        cwd=folder,
        capture_output=True,
    )
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("redirected", "out")}
    assert modes == {"redirected": 0o640, "out": 0o640}


def test_a_dash_is_stdout(stream: Stream, folder: Path) -> None:
    assert stream.get("--output=-").stdout == CONTENT
    assert list(folder.iterdir()) == []


def test_the_environment_names_the_file(stream: Stream, folder: Path) -> None:
    run("get", *stream.flags, environment={"S3DUCT_OUTPUT": str(folder / "out")}).expect(0)
    assert (folder / "out").read_bytes() == CONTENT


def test_a_file_that_is_there_is_replaced_by_force_alone(stream: Stream, folder: Path) -> None:
    target = folder / "out"
    target.write_bytes(b"precious")

    fails(stream.get("-o", target, code=6), "there is a file", "--force replaces it")
    assert target.read_bytes() == b"precious"

    stream.get("-o", target, "--force")
    assert target.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [target]


def test_force_without_a_file_is_a_mistake(stream: Stream) -> None:
    fails(stream.get("--force", code=2), "--force", "--output FILE")


def test_damage_replaces_nothing_and_names_what_is_good(stream: Stream, folder: Path) -> None:
    target = folder / "out"
    target.write_bytes(b"precious")
    key = f"{stream.folder}chunk-000004"
    body = stream.bucket.read(key)
    stream.bucket.write(key, body[:-1] + bytes([body[-1] ^ 1]))

    outcome = stream.get("-o", target, "--force", code=3)

    fails(outcome, "chunk 4")
    assert target.read_bytes() == b"precious"
    (part,) = folder.glob(".out.*.s3duct-part")
    assert part.name in outcome.stderr
    assert part.read_bytes() == CONTENT[: 4 * CHUNK]
    stream.bucket.write(key, body)
    again = stream.get("-o", target, "--force")
    assert "4 of them there before" in again.stderr
    assert target.read_bytes() == CONTENT


def test_a_disk_that_fills_up_keeps_the_part(stream: Stream, folder: Path) -> None:
    target = folder / "out"

    outcome = filled_up(stream, target)

    fails(outcome, "cannot write", "make room and run the same command again")
    assert outcome.code == 9
    assert not target.exists()
    again = stream.get("-o", target, "--summary", "json")
    summary = json.loads(again.lines[-1])
    assert target.read_bytes() == CONTENT
    assert (summary["chunks_kept"], summary["chunks_downloaded"]) == (3, 7)
    assert (summary["output"], summary["output_bytes"]) == (str(target), len(CONTENT))


def test_two_at_once(stream: Stream, folder: Path) -> None:
    target = folder / "out"
    filled_up(stream, target)
    (part,) = folder.glob(".out.*.s3duct-part")
    with part.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        fails(stream.get("-o", target, code=14), "another get writes", "wait for it")
    stream.get("-o", target)
    assert target.read_bytes() == CONTENT


def test_sealed_bytes_go_into_a_file_and_go_on(stream: Stream, folder: Path) -> None:
    target = folder / "out"
    sealed = b"".join(stream.bucket.read(key) for key in stream.chunk_keys())
    without_key = Stream(stream.bucket, stream.name)

    assert filled_up(without_key, target, "--no-decrypt").code == 9
    outcome = without_key.get("--no-decrypt", "-o", target)

    assert "3 of them there before" in outcome.stderr
    assert target.read_bytes() == sealed


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("", "is a folder", "name a file in it"),
        ("missing/out", "No such file or directory", ""),
        ("file/out", "Not a directory", ""),
        ("around", "around", ""),
    ],
)
def test_what_cannot_be_written_is_told_before_the_bucket_is_asked(
    folder_bucket: FolderBucket, folder: Path, name: str, message: str, hint: str
) -> None:
    (folder / "file").touch()
    (folder / "around").symlink_to("around")
    nothing = Stream(folder_bucket, "nothing")  # the code would be 5

    fails(nothing.get("-o", folder / name, code=9), message, hint)


def test_devices_pipes_and_links(stream: Stream, folder: Path) -> None:
    stream.get("-o", "/dev/null")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)

    fails(stream.get("-o", "/dev/full", code=9), "No space left")

    pipe, found = folder / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    stream.get("-o", pipe)
    reader.join()
    assert found == [CONTENT]

    (folder / "link").symlink_to("target")
    stream.get("-o", folder / "link")
    assert (folder / "link").is_symlink()
    assert (folder / "target").read_bytes() == CONTENT


def test_stdout_by_its_path(stream: Stream) -> None:
    assert stream.get("-o", "/dev/stdout").stdout == CONTENT


# --- ranges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "start", "stop"),
    [
        (("--offset", "100"), 100, len(CONTENT)),
        (("--length", "5"), 0, 5),
        (("--offset", "64K", "--length", "1K"), 64 * KIB, 65 * KIB),
        (("--offset", "33000", "--length", "0.25M"), 33_000, 33_000 + 256 * KIB),
        (("--offset", "300K"), len(CONTENT), len(CONTENT)),
    ],
)
def test_a_range_goes_to_stdout_and_to_a_file(
    stream: Stream, folder: Path, flags: tuple[str, ...], start: int, stop: int
) -> None:
    assert stream.get(*flags).stdout == CONTENT[start:stop]
    outcome = stream.get(*flags, "-o", folder / "out", "--summary", "json")
    assert (folder / "out").read_bytes() == CONTENT[start:stop]
    summary = json.loads(outcome.lines[-1])
    assert (summary["offset"], summary["output_bytes"]) == (start, stop - start)
    assert summary["total_bytes"] == len(CONTENT)
    assert summary["chunks_downloaded"] == (-(-stop // CHUNK) - start // CHUNK if start < stop else 0)


def test_the_summary_says_which_part(stream: Stream) -> None:
    outcome = stream.get("--offset", "40000", "--length", "100")

    assert re.fullmatch(
        r"s3duct: restored bytes 40000 to 40100 of 'backup': 100 B in 1 chunk, .*, every chunk verified\n",
        outcome.stderr,
    )


def test_a_range_beyond_the_end(stream: Stream) -> None:
    fails(stream.get("--offset", "301K", code=2), "beyond the end of the stream", "offsets count from 0")

    outcome = stream.get("--offset", "299K", "--length", "5K")
    assert outcome.stdout == CONTENT[299 * KIB :]
    assert f"warning: the stream ends at {len(CONTENT)} bytes" in outcome.stderr


@pytest.mark.parametrize(
    "flags", [("--offset", "-1"), ("--offset", "x"), ("--length", "0"), ("--length", "1.5"), ("--length=-5",)]
)
def test_what_is_no_range(stream: Stream, flags: tuple[str, ...]) -> None:
    outcome = stream.get(*flags, code=2)
    assert outcome.stdout == b""
    assert "Traceback" not in outcome.stderr


def test_sealed_bytes_have_no_offsets(stream: Stream) -> None:
    outcome = stream.get("--no-decrypt", "--offset", "5", code=2)
    fails(outcome, "sealed bytes", "leave --no-decrypt away")


def test_two_ranges_make_the_stream(stream: Stream, folder: Path) -> None:
    """A consumer that has got so far asks for the rest."""
    head = stream.get("--length", "100000").stdout
    rest = stream.get("--offset", str(len(head))).stdout
    assert head + rest == CONTENT
