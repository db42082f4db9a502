"""A put that does not continue the unfinished run says so, exits with 7, and changes nothing; the right one goes on."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.support.buckets import Bucket, FolderBucket, ServerBucket
from tests.support.command import Outcome, until
from tests.support.data import KIB, random_bytes
from tests.support.journals import journal_files, read_journal, state_folder
from tests.support.streams import Stream

CHUNK = 64 * KIB
CONTENT = random_bytes(10 * CHUNK + 5, "resume")
FLAGS = ("--chunk-size", "64K")
STORED = 6
RESUME = 7


def interrupt(stream: Stream, *flags: str, content: bytes = CONTENT, chunks: int = STORED) -> None:
    """Store `chunks` chunks, then die."""
    over = threading.Event()

    def producer() -> Iterator[bytes]:
        yield content[: chunks * CHUNK]
        over.wait(60)

    def stored() -> bool:
        journal = read_journal(stream.name)
        return journal is not None and len(journal.records) == chunks

    with stream.start("put", *FLAGS, *flags, stdin=producer()) as running:
        try:
            until(stored, f"{chunks} chunks are on record")
            running.process.kill()
            running.process.wait()
        finally:
            over.set()


def test_what_is_not_a_continuation_is_refused_and_changes_nothing(
    folder_bucket: FolderBucket, unique_name: str, key_file: Path, other_key_file: Path
) -> None:
    stream = Stream(folder_bucket, unique_name, key_file)
    plain = Stream(folder_bucket, unique_name)
    other_last = CONTENT[: STORED * CHUNK - 1] + b"X" + CONTENT[STORED * CHUNK :]
    refused = [
        ("differs from the stored part at chunk 0", stream, b"X" + CONTENT[1:], FLAGS),
        (f"differs from the stored part at chunk {STORED - 1}", stream, other_last, FLAGS),
        ("the input ended after 3 chunks", stream, CONTENT[: 3 * CHUNK], FLAGS),
        ("the input ended within chunk 3", stream, CONTENT[: 3 * CHUNK + 10], FLAGS),
        ("another chunk size (64 KiB, now 128 KiB)", stream, CONTENT, ("--chunk-size", "128K")),
        ("another key", dataclasses.replace(stream, key_file=other_key_file), CONTENT, FLAGS),
        ("another encryption method (aes-256-gcm, now none)", plain, CONTENT, FLAGS),
        ("another manifest encryption", stream, CONTENT, (*FLAGS, "--encrypt-manifest")),
    ]
    interrupt(stream)
    before = folder_bucket.stored(stream.folder), journal_files()

    for message, attempt, content, flags in refused:
        outcome = attempt.put(content, *flags, code=RESUME)
        tells(outcome, message)
        assert (folder_bucket.stored(stream.folder), journal_files()) == before, message

    again = stream.put(CONTENT, *FLAGS)
    assert f"{STORED} of them stored before" in again.stderr
    stream.restores(CONTENT)


def test_a_server_keeps_what_is_stored_too(
    s3_bucket: ServerBucket, unique_name: str, key_file: Path, other_key_file: Path
) -> None:
    stream = Stream(s3_bucket, unique_name, key_file)
    interrupt(stream)
    before = s3_bucket.stored(stream.folder), journal_files()

    tells(stream.put(b"X" + CONTENT[1:], *FLAGS, code=RESUME), "differs from the stored part at chunk 0")
    tells(stream.put(CONTENT, "--chunk-size", "128K", code=RESUME), "another chunk size")
    tells(
        dataclasses.replace(stream, key_file=other_key_file).put(CONTENT, *FLAGS, code=RESUME), "another key"
    )

    assert (s3_bucket.stored(stream.folder), journal_files()) == before
    assert f"{STORED} of them stored before" in stream.put(CONTENT, *FLAGS).stderr
    stream.restores(CONTENT)


def test_a_plain_run_is_not_continued_with_a_key_or_another_storage_class(
    folder_bucket: FolderBucket, unique_name: str, key_file: Path
) -> None:
    stream = Stream(folder_bucket, unique_name)
    sealed = Stream(folder_bucket, unique_name, key_file)
    interrupt(stream)
    before = folder_bucket.stored(stream.folder), journal_files()

    tells(sealed.put(CONTENT, *FLAGS, code=RESUME), "another encryption method (none, now aes-256-gcm)")
    tells(stream.put(CONTENT, *FLAGS, "--storage-class", "STANDARD", code=RESUME), "another storage class")

    assert (folder_bucket.stored(stream.folder), journal_files()) == before
    assert f"{STORED} of them stored before" in stream.put(CONTENT, *FLAGS).stderr


def test_a_shorter_input_is_taken_where_that_is_said(
    bucket: Bucket, unique_name: str, key_file: Path
) -> None:
    stream = Stream(bucket, unique_name, key_file)
    interrupt(stream)
    shorter = CONTENT[: 3 * CHUNK + 10]

    stream.put(shorter, *FLAGS, code=RESUME)
    outcome = stream.put(shorter, *FLAGS, "--no-strict-resume")

    assert "3 of them stored before" in outcome.stderr
    stream.restores(shorter)
    stream.verify("--deep")
    # What the shorter stream does not name is gone, and so is the journal.
    assert len(stream.chunk_keys()) == 4
    assert read_journal(unique_name) is None


def test_an_empty_input_does_not_end_an_unfinished_run(folder_bucket: FolderBucket, unique_name: str) -> None:
    """A producer that died at once must not cost what is stored."""
    stream = Stream(folder_bucket, unique_name)
    interrupt(stream)
    before = folder_bucket.stored(stream.folder), journal_files()

    assert stream.put(b"", *FLAGS, code=RESUME).stdout == b""
    assert stream.put(b"", *FLAGS, "--no-strict-resume", code=8).stdout == b""

    assert (folder_bucket.stored(stream.folder), journal_files()) == before
    assert f"{STORED} of them stored before" in stream.put(CONTENT, *FLAGS).stderr


def test_starting_over_leaves_the_stored_part_aside(folder_bucket: FolderBucket, unique_name: str) -> None:
    """The new run writes none of the old one's keys, so nobody can mix the two."""
    stream = Stream(folder_bucket, unique_name)
    interrupt(stream)
    old = folder_bucket.stored(stream.folder)
    other = random_bytes(3 * CHUNK, "another input")

    outcome = stream.put(other, *FLAGS, "--no-resume")

    assert "stored before" not in outcome.stderr
    stream.restores(other)
    stream.verify()
    now = folder_bucket.stored(stream.folder)
    assert {key: now.get(key) for key in old} == old
    assert all("/gen-" in record["s3_key"] for record in stream.manifest()["chunks"])
    assert read_journal(unique_name) is None


def test_another_destination_is_a_run_of_its_own(tmp_path: Path, unique_name: str) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    first, second = (Stream(FolderBucket(folder), unique_name) for folder in folders)
    interrupt(first)
    before = first.bucket.stored(first.folder)

    outcome = second.put(CONTENT, *FLAGS)

    assert "unfinished put" in outcome.stderr
    assert str(folders[0]) in outcome.stderr
    second.restores(CONTENT)
    assert first.bucket.stored(first.folder) == before
    assert f"{STORED} of them stored before" in first.put(CONTENT, *FLAGS).stderr
    first.restores(CONTENT)


def test_another_prefix_is_a_run_of_its_own(folder_bucket: FolderBucket, unique_name: str) -> None:
    first = Stream(folder_bucket, unique_name, prefix="one")
    second = Stream(folder_bucket, unique_name, prefix="two")
    interrupt(first)

    second.put(CONTENT, *FLAGS)

    assert f"{STORED} of them stored before" in first.put(CONTENT, *FLAGS).stderr
    first.restores(CONTENT)
    second.restores(CONTENT)


def test_a_torn_last_line_costs_one_chunk(folder_bucket: FolderBucket, unique_name: str) -> None:
    """The journal's last write was cut off by the crash: the chunk it was about is sent again, if no copy has the line."""
    stream = Stream(folder_bucket, unique_name)
    interrupt(stream)
    for key in folder_bucket.listing(stream.folder):
        if key.endswith(".jsonl"):
            folder_bucket.delete(key)
    (path,) = _journal_paths()
    path.write_bytes(path.read_bytes()[:-40])

    outcome = stream.put(CONTENT, *FLAGS)

    assert f"{STORED - 1} of them stored before" in outcome.stderr
    stream.restores(CONTENT)


def test_a_damaged_journal_is_told_and_kept(folder_bucket: FolderBucket, unique_name: str) -> None:
    stream = Stream(folder_bucket, unique_name)
    interrupt(stream)
    (path,) = _journal_paths()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{ nonsense\n", *lines[2:]]))
    before = folder_bucket.stored(stream.folder), journal_files()

    outcome = stream.put(CONTENT, *FLAGS, code=RESUME)

    assert "journal" in outcome.stderr
    assert (folder_bucket.stored(stream.folder), journal_files()) == before
    stream.put(CONTENT, *FLAGS, "--no-resume")
    stream.restores(CONTENT)


def test_two_puts_of_one_name_at_once(folder_bucket: FolderBucket, unique_name: str) -> None:
    stream = Stream(folder_bucket, unique_name)
    over = threading.Event()

    def producer() -> Iterator[bytes]:
        yield CONTENT[: 3 * CHUNK]
        over.wait(60)
        yield CONTENT[3 * CHUNK :]

    with stream.start("put", *FLAGS, stdin=producer()) as first:
        until(lambda: read_journal(unique_name) is not None, "the first put has begun")
        try:
            second = stream.put(CONTENT, *FLAGS, code=14)
        finally:
            over.set()
        assert "another put" in second.stderr
        first.wait().expect(0)
    stream.restores(CONTENT)


def tells(outcome: Outcome, message: str) -> None:
    """One line says what is wrong, one what to do."""
    error, hint = (line for line in outcome.lines if line.startswith(("s3duct: error: ", "s3duct: hint: ")))
    assert message in error
    assert "--no-resume" in hint or "--no-strict-resume" in hint


def _journal_paths() -> list[Path]:
    return sorted(state_folder().glob("*.jsonl"))
