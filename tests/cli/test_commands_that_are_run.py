"""`put -- COMMAND` and `get -- COMMAND` with real programs: what they are given, how they fail, what is left."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.buckets import FolderBucket
from tests.support.command import COMMAND, Outcome, Running, run, until
from tests.support.data import KIB, MIB, random_bytes
from tests.support.journals import read_journal
from tests.support.processes import is_alive, numbers_in
from tests.support.streams import Stream

PRODUCER, CONSUMER = 15, 16
CHUNKS = ("--chunk-size", "64K", "--no-encrypt")


@pytest.fixture
def stream(folder_bucket: FolderBucket, unique_name: str) -> Stream:
    return Stream(folder_bucket, unique_name)


def error_of(outcome: Outcome) -> str:
    (error,) = [line for line in outcome.lines if line.startswith("s3duct: error: ")]
    assert "Traceback" not in outcome.stderr
    return error.removeprefix("s3duct: error: ")


# --- put ---------------------------------------------------------------------------------------------------------------


def test_put_stores_what_a_command_writes_and_reads_none_of_its_flags(stream: Stream) -> None:
    stream.put(None, *CHUNKS, "--", "printf", "%s|", "--name", "-v", "--", "--help", "", "a b")
    stream.restores(b"--name|-v|--|--help||a b|")


def test_a_key_flag_of_the_command_sets_no_key_of_ours_aside(stream: Stream, key_file: Path) -> None:
    environment = {"S3DUCT_KEY": f"file:{key_file}"}
    flags = ("--chunk-size", "64K", "--", "echo", "--age-recipient", "--no-encrypt")
    run("put", *stream.flags, *flags, environment=environment).expect(0)
    assert stream.manifest()["encrypted"] is True


def test_tar_goes_there_and_back(stream: Stream, tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "from" / "file").write_bytes(random_bytes(200 * KIB, "tar"))
    stream.put(None, *CHUNKS, "--", "tar", "-C", tmp_path / "from", "-c", "-v", ".")
    stream.get("--", "tar", "-C", tmp_path / "to", "-x", "-v")
    assert (tmp_path / "to" / "file").read_bytes() == (tmp_path / "from" / "file").read_bytes()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["false"], "the producer false exited with status 1"),
        (["sh", "-c", "echo partial; exit 3"], "the producer sh exited with status 3"),
        (["sh", "-c", "echo partial; kill -9 $$"], "the producer sh was ended by SIGKILL"),
    ],
    ids=["false", "status", "signal"],
)
def test_a_command_that_fails_stores_no_stream(stream: Stream, command: list[str], told: str) -> None:
    outcome = stream.put(None, *CHUNKS, "--", *command, code=PRODUCER)
    assert error_of(outcome) == told
    assert stream.bucket.keys(stream.folder) == []
    assert read_journal(stream.name) is not None


def test_an_unknown_command_is_wrong_usage_and_its_arguments_are_not_repeated(stream: Stream) -> None:
    outcome = stream.put(None, *CHUNKS, "--", "/no/such/dump", "--password=hunter2", code=2)
    assert error_of(outcome).startswith("cannot run dump: ")
    assert "hunter2" not in outcome.stderr
    assert read_journal(stream.name) is None


def test_no_argument_of_a_command_that_fails_is_repeated(stream: Stream) -> None:
    for verb, code in (("put", PRODUCER), ("get", CONSUMER)):
        outcome = run(
            verb, *stream.flags, "--verbose", "--", "sh", "-c", "cat >/dev/null; exit 1", "hunter2"
        ).expect(code)
        assert "hunter2" not in outcome.stderr
        if verb == "put":
            stream.put(b"for get", *CHUNKS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["put", "--name", "n"], []),
        (["list"], ["true"]),
        (["put"], ["true"]),
        (["verify", "--name", "n"], ["true"]),
    ],
    ids=["no command", "list", "no name", "verify"],
)
def test_a_command_line_that_makes_no_sense(stream: Stream, before: list[str], after: list[str]) -> None:
    assert error_of(run(*before, *stream.bucket.flags, "--", *after).expect(2))


def test_a_command_that_fails_halfway_is_continued(stream: Stream, tmp_path: Path) -> None:
    content = random_bytes(20 * 64 * KIB + 5, "halfway")
    (tmp_path / "data").write_bytes(content)
    script = f"if test -e '{tmp_path}/second'; then cat '{tmp_path}/data'; else head -c 700000 '{tmp_path}/data'; exit 7; fi"
    command = ("--", "sh", "-c", script)
    stream.put(None, *CHUNKS, *command, code=PRODUCER)
    assert stream.chunk_keys() != []
    (tmp_path / "second").touch()
    outcome = stream.put(None, *CHUNKS, *command)
    assert "10 of them stored before" in outcome.stderr
    stream.restores(content)


def test_the_whole_of_stderr_passes_through_and_holds_nothing_up(stream: Stream) -> None:
    """More than any pipe holds. The program writes where s3duct does."""
    words = [str(COMMAND), "put", *stream.flags, *CHUNKS, "--quiet", "--"]
    words += ["sh", "-c", "head -c 200000000 /dev/zero >&2; echo done"]
    passed = 0
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while piece := process.stderr.read(1 << 20):
            passed += len(piece)
    assert (process.returncode, passed) == (0, 200_000_000)
    stream.restores(b"done\n")


def test_the_command_has_the_standard_input(stream: Stream) -> None:
    stream.put(b"some text", *CHUNKS, "--", "tr", "a-z", "A-Z")
    stream.restores(b"SOME TEXT")


def test_a_command_that_has_closed_its_output_still_decides(stream: Stream) -> None:
    stream.put(None, *CHUNKS, "--", "sh", "-c", "echo data; exec 1>&-; sleep 1; exit 9", code=PRODUCER)
    assert stream.chunk_keys() == []


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--expected-size", "6"], 0),
        (["--expected-size", "5"], 8),
        (["--expected-size", "7"], 8),
        (["--min-size", "6"], 0),
        (["--min-size", "1K"], 8),
        (["--expected-size", "six"], 2),
        (["--expected-size", "1K", "--min-size", "1M"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_known_about_the_size_is_held_to(stream: Stream, flags: list[str], code: int) -> None:
    stream.put(b"sixsix", *CHUNKS, *flags, code=code)
    assert bool(stream.bucket.keys(stream.folder)) == (code == 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_is_passed_on_and_the_command_has_ended_before_put(
    stream: Stream, tmp_path: Path, number: signal.Signals
) -> None:
    short = number.name.removeprefix("SIG")
    script = f"trap 'echo got >> {tmp_path}/got; exit 0' {short}; echo $$ > '{tmp_path}/pids'; while :; do sleep 0.05; done"
    with stream.start("put", *CHUNKS, "--", "sh", "-c", script) as running:
        until(lambda: bool(numbers_in(tmp_path / "pids")), "the command runs")
        outcome = running.send(number)
    assert outcome.code == 128 + number, outcome.stderr
    assert error_of(outcome) == "stopped by a signal"
    assert (tmp_path / "got").exists(), outcome.stderr
    assert (tmp_path / "got").read_text() == "got\n"
    assert not any(is_alive(pid) for pid in numbers_in(tmp_path / "pids"))


def test_a_command_that_ignores_signals_is_ended_all_the_same(stream: Stream, tmp_path: Path) -> None:
    script = f"trap '' TERM INT HUP; sleep 600 & echo $$ $! > '{tmp_path}/pids'; while :; do sleep 1; done"
    with stream.start("put", *CHUNKS, "--", "sh", "-c", script) as running:
        until(lambda: len(numbers_in(tmp_path / "pids")) == 2, "the command runs")
        assert running.send(signal.SIGTERM).code == 143
    assert [pid for pid in numbers_in(tmp_path / "pids") if is_alive(pid)] == []


@pytest.mark.parametrize("verb", ["put", "get"])
def test_a_second_signal_takes_the_command_along(stream: Stream, tmp_path: Path, verb: str) -> None:
    """It must not see the end of its input because nobody is left to write it."""
    stream.put(random_bytes(MIB, "second"), *CHUNKS)
    script = f"trap '' TERM; echo $$ > '{tmp_path}/pids'; sleep 2; cat; echo end > '{tmp_path}/end'"
    other = Stream(stream.bucket, stream.name + "-other") if verb == "put" else stream
    flags = CHUNKS if verb == "put" else ()
    with other.start(verb, *flags, "--", "sh", "-c", script) as running:
        until(lambda: bool(numbers_in(tmp_path / "pids")), "the command runs")
        running.process.send_signal(signal.SIGTERM)
        until(lambda: "stopping" in running.stderr_so_far, "the first one is heard")
        assert running.send(signal.SIGTERM).code == 143
    (pid,) = numbers_in(tmp_path / "pids")
    until(lambda: not is_alive(pid), "the command has gone")
    assert not (tmp_path / "end").exists()


def test_a_terminal_is_shared_with_the_command(stream: Stream, tmp_path: Path) -> None:
    """It may ask there, as pg_dump does for a password; and Ctrl-C reaches it from there, so not from s3duct again."""
    (tmp_path / "program").write_text(_ASKS_AND_COUNTS)
    leader, follower = os.openpty()
    words = ["setsid", "--ctty", "--wait", str(COMMAND), "put", *stream.flags, *CHUNKS, "--progress", "none"]
    words += [
        "--",
        sys.executable,
        str(tmp_path / "program"),
        str(tmp_path / "answer"),
        str(tmp_path / "counted"),
    ]
    with subprocess.Popen(words, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        try:
            shown = _shown_until(leader, b"Password: ")
            os.write(leader, b"sesame\n")
            until((tmp_path / "answer").exists, "it is answered")
            os.write(leader, b"\x03")
            shown += _shown_until(leader, b"hint: ")
            code = process.wait(60)
        finally:
            process.kill()
            os.close(leader)
    assert code == 130, shown.decode()
    assert (tmp_path / "answer").read_text() == "sesame\n"
    assert (tmp_path / "counted").read_text() == "1"


_ASKS_AND_COUNTS = """
import pathlib, signal, sys, time
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
with open("/dev/tty", "r+b", buffering=0) as terminal:
    terminal.write(b"Password: ")
    answer = terminal.readline()
pathlib.Path(sys.argv[1]).write_bytes(answer)
while not heard:
    time.sleep(0.01)
time.sleep(0.5)
pathlib.Path(sys.argv[2]).write_text(str(len(heard)))
"""


def _shown_until(leader: int, text: bytes) -> bytes:
    shown = b""
    while text not in shown and select.select([leader], [], [], 30)[0]:
        try:
            shown += os.read(leader, 1 << 16)
        except OSError:  # nobody has the terminal any more
            break
    return shown


# --- get ---------------------------------------------------------------------------------------------------------------


def test_get_feeds_a_command_and_passes_its_output_on(stream: Stream) -> None:
    content = random_bytes(3 * MIB, "feed")
    stream.put(content, *CHUNKS)
    assert stream.get("--", "cat").stdout == content


def test_a_consumer_that_fails_after_it_has_read_everything_fails_the_get(stream: Stream) -> None:
    stream.put(b"text", *CHUNKS)
    outcome = stream.get("--", "sh", "-c", "cat; exit 4", code=CONSUMER)
    assert outcome.stdout == b"text"
    assert error_of(outcome) == "the consumer sh exited with status 4"


def test_a_consumer_that_wants_no_more_ends_get_as_a_pipe_would(stream: Stream) -> None:
    stream.put(random_bytes(MIB, "head"), *CHUNKS)
    outcome = stream.get("--", "head", "-c", "10", code=141)
    assert len(outcome.stdout) == 10


def test_a_consumer_of_a_damaged_stream_is_ended_and_never_sees_an_end(
    stream: Stream, tmp_path: Path
) -> None:
    content = random_bytes(5 * 64 * KIB, "damaged")
    stream.put(content, *CHUNKS)
    chunk = stream.bucket.folder / stream.chunk_keys()[3]  # type: ignore[attr-defined] # a FolderBucket
    chunk.write_bytes(bytes(64 * KIB))
    script = f"cat > '{tmp_path}/taken'; echo end > '{tmp_path}/end'"
    outcome = stream.get("--", "sh", "-c", script, code=3)
    assert not (tmp_path / "end").exists()
    assert content.startswith((tmp_path / "taken").read_bytes())
    assert any("sh was ended: its input is not whole" in line for line in outcome.lines)


def test_no_consumer_is_run_for_a_stream_that_is_not_there(stream: Stream, tmp_path: Path) -> None:
    stream.get("--", "touch", tmp_path / "ran", code=5)
    assert not (tmp_path / "ran").exists()


def test_get_may_feed_a_command_although_stdout_is_a_terminal(stream: Stream) -> None:
    stream.put(b"text", *CHUNKS)
    leader, follower = os.openpty()
    subprocess.run([COMMAND, "get", *stream.flags, "--quiet", "--", "cat"], check=True, stdout=follower)
    assert os.read(leader, 100) == b"text"
    os.close(follower)
    os.close(leader)


def test_nohup_keeps_put_running(stream: Stream, tmp_path: Path) -> None:
    script = f"echo $$ > '{tmp_path}/pids'; sleep 1; echo data"
    with Running(
        ["put", *stream.flags, *CHUNKS, "--", "sh", "-c", script], command=_ignoring_hangups(tmp_path)
    ) as running:
        until(lambda: bool(numbers_in(tmp_path / "pids")), "the command runs")
        assert running.send(signal.SIGHUP).code == 0
    stream.restores(b"data\n")


def _ignoring_hangups(folder: Path) -> Path:
    path = folder / "quietly"
    path.write_text(f'#!/bin/sh\ntrap "" HUP\nexec "{COMMAND}" "$@"\n')
    path.chmod(0o700)
    return path
