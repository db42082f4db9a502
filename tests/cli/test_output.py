"""What is said: summaries, lists, progress, warnings; and on which of the two streams."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.buckets import FolderBucket
from tests.support.command import COMMAND, Outcome, run
from tests.support.data import KIB, random_bytes
from tests.support.streams import Stream

CONTENT = random_bytes(100 * KIB, "output")
FLAGS = ("--chunk-size", "32K")
HEX_KEY = "00112233445566778899aabbccddeeff" * 2

# The keys of s3duct 0.4.0; ours may add to them.
PUT_KEYS = {
    *(
        "version",
        "status",
        "stream",
        "chunks_uploaded",
        "chunks_resumed",
        "chunks_new",
        "total_bytes",
        "chunk_size",
    ),
    *(
        "stream_sha256",
        "stream_sha3_256",
        "final_chain",
        "encrypted",
        "encryption_method",
        "manifest_key",
        "warnings",
    ),
}
GET_KEYS = {
    *(
        "status",
        "stream",
        "chunks_downloaded",
        "total_bytes",
        "stream_sha256",
        "stream_sha3_256",
        "chain_verified",
    ),
    *("raw_mode", "encrypted", "encryption_method"),
}
VERIFY_KEYS = {
    *("status", "stream", "deep", "chain_verified", "chunks_total", "chunks_ok", "chunks_mismatched"),
    *("chunks_missing", "errors"),
}


def summary_of(outcome: Outcome) -> dict[str, object]:
    """The one line on stderr, as JSON."""
    (line,) = outcome.lines
    summary = json.loads(line)
    assert isinstance(summary, dict)
    return summary


def test_the_summary_of_put_as_json(folder_bucket: FolderBucket, unique_name: str, key_file: Path) -> None:
    stream = Stream(folder_bucket, unique_name, key_file)

    outcome = stream.put(CONTENT, *FLAGS, "--summary", "json")

    summary = summary_of(outcome)
    assert set(summary) >= PUT_KEYS
    expected = {
        "status": "complete",
        "stream": unique_name,
        "chunks_uploaded": 4,
        "chunks_resumed": 0,
        "chunks_new": 4,
        "total_bytes": len(CONTENT),
        "chunk_size": 32 * KIB,
        "encrypted": True,
        "encryption_method": "aes-256-gcm",
        "manifest_key": f"{unique_name}/.manifest.json",
        "warnings": [],
        "final_chain": stream.manifest()["final_chain"],
    }
    assert {key: summary[key] for key in expected} == expected
    assert outcome.stdout == b""


def test_the_summary_of_get_as_json(folder_bucket: FolderBucket, unique_name: str, key_file: Path) -> None:
    stream = Stream(folder_bucket, unique_name, key_file)
    stream.put(CONTENT, *FLAGS)

    outcome = stream.get("--summary", "json")
    raw = summary_of(Stream(folder_bucket, unique_name).get("--summary", "json", "--no-decrypt"))

    summary = summary_of(outcome)
    assert set(summary) >= GET_KEYS
    assert (summary["status"], summary["chunks_downloaded"], summary["total_bytes"]) == (
        "complete",
        4,
        len(CONTENT),
    )
    assert (summary["chain_verified"], summary["raw_mode"], summary["encrypted"]) == (True, False, True)
    assert (raw["chain_verified"], raw["raw_mode"]) == (False, True)
    assert outcome.stdout == CONTENT


def test_the_summary_of_verify_as_json(folder_bucket: FolderBucket, unique_name: str) -> None:
    stream = Stream(folder_bucket, unique_name)
    stream.put(CONTENT, *FLAGS)

    summary = summary_of(stream.verify("--deep", "--summary", "json"))
    assert set(summary) >= VERIFY_KEYS
    assert (summary["status"], summary["deep"], summary["chain_verified"]) == ("ok", True, True)
    assert (summary["chunks_total"], summary["chunks_ok"], summary["errors"]) == (4, 4, 0)

    folder_bucket.delete(f"{stream.folder}chunk-000002")
    verdict = stream.verify("--quiet", code=3).lines[-1]
    assert verdict.startswith(f"s3duct: error: '{unique_name}' is damaged: 1 chunk missing")
    failed = summary_of(stream.verify("--summary", "json", "--quiet", code=3))
    assert (failed["status"], failed["chunks_missing"], failed["chunks_ok"], failed["errors"]) == (
        "failed",
        [2],
        3,
        1,
    )


def test_summaries_as_text_are_one_line(folder_bucket: FolderBucket, unique_name: str) -> None:
    stream = Stream(folder_bucket, unique_name)

    put = stream.put(CONTENT, *FLAGS, "--no-encrypt")
    get = stream.get()
    verify = stream.verify()

    pace = r"\d+\.\d s, [\d.]+ [KMG]?i?B/s"
    name = re.escape(f"'{unique_name}'")
    digest = hashlib.sha256(folder_bucket.read(stream.manifest_key)).hexdigest()
    assert re.fullmatch(
        rf"s3duct: stored {name}: 100 KiB in 4 chunks, {pace}, not encrypted, manifest SHA-256 {digest}\n",
        put.stderr,
    )
    assert re.fullmatch(
        rf"s3duct: restored {name}: 100 KiB in 4 chunks, {pace}, every chunk verified\n", get.stderr
    )
    assert re.match(rf"s3duct: verified {name}: 4 chunks, 100 KiB, ", verify.stderr)
    assert len(verify.lines) == 1


def test_verify_does_not_say_more_than_it_checked(
    folder_bucket: FolderBucket, unique_name: str, key_file: Path
) -> None:
    """s3duct 0.3.0 records no digests of sealed bytes."""
    Stream(folder_bucket, unique_name, key_file).put(CONTENT, *FLAGS)
    keyless = Stream(folder_bucket, unique_name)
    assert "every sealed byte" in keyless.verify("--deep").stderr
    manifest = keyless.manifest()
    for record in manifest["chunks"]:
        del record["encrypted_sha256"]
    folder_bucket.write(keyless.manifest_key, json.dumps(manifest).encode())

    assert "sizes only" in keyless.verify("--deep").stderr


@pytest.mark.parametrize("flag", ["--quiet", "-q"])
def test_quiet_says_nothing(folder_bucket: FolderBucket, unique_name: str, flag: str) -> None:
    stream = Stream(folder_bucket, unique_name)

    for outcome in (
        stream.put(CONTENT, *FLAGS, flag, "--key", f"hex:{HEX_KEY}"),
        stream.get(flag, "--key", f"hex:{HEX_KEY}"),
        stream.verify("--deep", flag, "--key", f"hex:{HEX_KEY}"),
    ):
        assert outcome.stderr == ""


def test_quiet_says_errors_all_the_same(folder_bucket: FolderBucket, unique_name: str) -> None:
    outcome = Stream(folder_bucket, unique_name).get("--quiet", code=5)

    assert outcome.lines[0] == f"s3duct: error: there is no stream {unique_name!r}"


def test_no_summary(folder_bucket: FolderBucket, unique_name: str) -> None:
    stream = Stream(folder_bucket, unique_name)

    assert stream.put(CONTENT, *FLAGS, "--no-encrypt", "--summary", "none").stderr == ""


def test_verbose_names_every_chunk(folder_bucket: FolderBucket, unique_name: str) -> None:
    stream = Stream(folder_bucket, unique_name)

    for outcome in (stream.put(CONTENT, *FLAGS, "--verbose"), stream.get("-v")):
        for index in range(4):
            assert sum(f"chunk {index} " in line for line in outcome.lines) == 1


def test_plain_progress_is_lines(folder_bucket: FolderBucket, unique_name: str) -> None:
    """One every ten seconds; nothing in them drives a terminal."""

    def producer() -> Iterator[bytes]:
        for start in range(0, 30 * KIB, KIB):
            yield CONTENT[start : start + KIB]
            time.sleep(0.5)

    stream = Stream(folder_bucket, unique_name)

    outcome = run(
        "put",
        *stream.flags,
        "--chunk-size",
        "4K",
        "--progress",
        "plain",
        "--summary",
        "none",
        stdin=producer(),
    ).expect(0)

    lines = [line for line in outcome.lines if "warning" not in line]
    assert lines
    for line in lines:
        assert re.fullmatch(r"s3duct: [\d.]+ KiB, [\d.]+ K?i?B/s, \d+ chunks done, \d+ in flight", line)


def test_warnings_about_keys(folder_bucket: FolderBucket, unique_name: str, key_file: Path) -> None:
    """One for a key that everybody can see, one for no key; none where all is well or was said."""
    stream = Stream(folder_bucket, unique_name)
    visible = "warning: a key given as hex: is visible in the process list"
    unencrypted = "warning: no key: the stream is stored unencrypted"

    outcome = stream.put(CONTENT, *FLAGS, "--key", f"hex:{HEX_KEY}")
    assert visible in outcome.stderr
    assert visible in stream.get("--key", f"hex:{HEX_KEY}").stderr
    environment = {"S3DUCT_KEY": f"hex:{HEX_KEY}"}
    assert visible not in run("verify", *stream.flags, environment=environment).expect(0).stderr
    assert unencrypted in stream.put(CONTENT, *FLAGS, "--clobber").stderr
    assert "warning: " not in stream.put(CONTENT, *FLAGS, "--clobber", "--no-encrypt").stderr
    assert "warning: " not in stream.put(CONTENT, *FLAGS, "--clobber", "--key", f"file:{key_file}").stderr


# --- list --------------------------------------------------------------------------------------------------------


@pytest.fixture
def some_streams(folder_bucket: FolderBucket, key_file: Path) -> FolderBucket:
    Stream(folder_bucket, "plain").put(
        CONTENT, *FLAGS, "--tag", "env=prod", "--tag", "a=b=c", "--description", "Ünï"
    )
    Stream(folder_bucket, "db/aes", key_file).put(CONTENT, *FLAGS)
    Stream(folder_bucket, "db/sealed", key_file).put(CONTENT, *FLAGS, "--encrypt-manifest")
    folder_bucket.write("odd/.manifest.json", b"{ not json")
    return folder_bucket


def test_list_as_a_table(some_streams: FolderBucket) -> None:
    outcome = run("list", *some_streams.flags).expect(0)

    header, *rows = outcome.stdout.decode().splitlines()
    assert header.split("  ")[0] == "NAME"
    assert [row.split()[0] for row in rows] == ["db/aes", "db/sealed", "odd", "plain"]
    date = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"db/aes +4 +100 KiB  {date}  aes-256-gcm", rows[0])
    assert re.fullmatch(rf"db/sealed +- +-  {date}  sealed manifest", rows[1])
    assert re.fullmatch(rf"odd +- +-  {date}  unreadable: .*", rows[2])
    assert re.fullmatch(rf"plain +4 +100 KiB  {date}  none", rows[3])
    assert outcome.stderr == ""


def test_list_as_json(some_streams: FolderBucket, key_file: Path) -> None:
    outcome = run("list", *some_streams.flags, "--json", "--key", f"file:{key_file}").expect(0)

    aes, sealed, odd, plain = json.loads(outcome.stdout)
    assert (aes["name"], aes["encrypted"], aes["encryption_method"]) == ("db/aes", True, "aes-256-gcm")
    assert (sealed["name"], sealed["encrypted_manifest"], sealed["total_bytes"]) == (
        "db/sealed",
        True,
        len(CONTENT),
    )
    assert (odd["name"], odd["sealed"]) == ("odd", False)
    assert odd["problem"]
    assert (plain["chunks"], plain["total_bytes"], plain["chunk_size"]) == (4, len(CONTENT), 32 * KIB)
    assert (plain["tags"], plain["description"]) == ({"env": "prod", "a": "b=c"}, "Ünï")


def test_sealed_manifests_are_shown_as_such_without_the_key(some_streams: FolderBucket) -> None:
    streams = json.loads(run("list", *some_streams.flags, "--json").expect(0).stdout)

    assert [stream["name"] for stream in streams if stream["sealed"]] == ["db/sealed"]


def test_list_under_a_prefix(some_streams: FolderBucket) -> None:
    streams = json.loads(run("list", *some_streams.flags, "--json", "--prefix", "db/").expect(0).stdout)

    assert [stream["name"] for stream in streams] == ["aes", "sealed"]


def test_list_of_nothing(folder_bucket: FolderBucket) -> None:
    assert run("list", *folder_bucket.flags).expect(0).stdout == b""
    assert run("list", *folder_bucket.flags, "--json").expect(0).stdout == b"[]\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_the_encoding_of_stdout_lacks_is_escaped(folder_bucket: FolderBucket, encoding: str) -> None:
    """A name that somebody else gave must not end the listing."""
    Stream(folder_bucket, "\u0161\U0001f600").put(b"data")

    outcome = run("list", *folder_bucket.flags, environment={"PYTHONIOENCODING": encoding}).expect(0)

    assert rb"\u0161\U0001f600" in outcome.stdout


@pytest.mark.parametrize("way", [">&-", ">/dev/full"])
@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["keygen"]], ids=" ".join)
def test_a_result_that_cannot_be_written_is_told(
    some_streams: FolderBucket, tmp_path: Path, words: list[str], way: str
) -> None:
    flags = ["age", str(tmp_path / "key")] if words == ["keygen"] else some_streams.flags

    finished = subprocess.run(
        ["bash", "-c", f'"$@" {way}', "bash", COMMAND, *words, *flags],
        check=False,
        capture_output=True,
        text=True,
    )

    assert finished.returncode == 9
    assert "s3duct: error: cannot write the output: " in finished.stderr


def test_what_the_bucket_holds_does_not_drive_the_terminal(folder_bucket: FolderBucket) -> None:
    evil = "\x1b[2J\n\x9b2J"
    for name, fields in {
        "another": {"version": 1, "name": evil},
        "method": {"version": 1, "name": "method", "encryption_method": evil},
    }.items():
        genuine = {"chunk_count": 0, "chunk_size": 1024, "total_bytes": 0, "chunks": [], "final_chain": ""}
        folder_bucket.write(f"{name}/.manifest.json", json.dumps(genuine | fields).encode())

    listed = run("list", *folder_bucket.flags).expect(0)
    got = Stream(folder_bucket, "another").get(code=3)

    assert len(listed.stdout.splitlines()) == 3
    for text in (listed.stdout.decode(), got.stderr):
        assert "\x1b" not in text
        assert "\x9b" not in text
