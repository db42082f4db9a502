"""Identity files under a passphrase: asked for on the terminal, or read from a descriptor; never from the data."""

from __future__ import annotations

import base64
import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.support import age_keys
from tests.support.age_keys import identity_file, key_pair
from tests.support.buckets import FolderBucket
from tests.support.command import COMMAND, Outcome, run
from tests.support.controlling_terminal import converse
from tests.support.streams import Stream

PASSPHRASES = ["correct horse battery staple", "pässwörd, the second"]
CONTENT = b"what is piped in"


@pytest.fixture
def protected(tmp_path: Path) -> list[Path]:
    """Two files, the second one armored. That others' files open, whose scrypt takes its time: `../interop`."""
    paths = [tmp_path / f"{number}.age" for number in range(len(PASSPHRASES))]
    for number, path in enumerate(paths):
        sealed = age_keys.protected(key_pair("x25519", number).file, PASSPHRASES[number])
        path.write_bytes(armored(sealed) if number == 1 else sealed)
        path.chmod(0o600)
    return paths


def armored(sealed: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(sealed).decode(), 64)
    return "\n".join(
        ["-----BEGIN AGE ENCRYPTED FILE-----", *lines, "-----END AGE ENCRYPTED FILE-----", ""]
    ).encode()


@pytest.fixture
def stored(folder_bucket: FolderBucket, unique_name: str) -> Stream:
    """A stream that only the owner of the first identity can read."""
    stream = Stream(folder_bucket, unique_name)
    stream.put(CONTENT, "--age-recipient", key_pair("x25519").recipient)
    return stream


def with_passphrase(given: str, *arguments: str | Path, stdin: bytes = b"") -> Outcome:
    """Run the command with `--age-passphrase-fd` of a pipe that holds `given`."""
    reader, writer = os.pipe()
    os.write(writer, given.encode())
    os.close(writer)
    try:
        finished = subprocess.run(
            [COMMAND, *arguments, "--age-passphrase-fd", str(reader)],
            check=False,
            input=stdin,
            capture_output=True,
            pass_fds=[reader],
        )
    finally:
        os.close(reader)
    return Outcome(finished.returncode, finished.stdout, len(finished.stdout), "", finished.stderr.decode())


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nand what follows"], ids=repr)
def test_get_reads_it_from_a_descriptor(stored: Stream, protected: list[Path], end: str) -> None:
    flags = [*stored.flags, "--age-identity", str(protected[0])]

    assert with_passphrase(PASSPHRASES[0] + end, "get", *flags).expect(0).stdout == CONTENT


def test_a_line_for_each_file_in_their_order(
    folder_bucket: FolderBucket, unique_name: str, protected: list[Path]
) -> None:
    stream = Stream(folder_bucket, unique_name)
    flags = [*stream.flags, *(word for path in protected for word in ("--age-identity", str(path)))]

    with_passphrase("\n".join(PASSPHRASES), "put", *flags, stdin=CONTENT).expect(0)

    recipients = ",".join(key_pair("x25519", number).recipient for number in range(2))
    assert stream.manifest()["encryption_recipient"] == recipients
    assert with_passphrase("\n".join(PASSPHRASES), "get", *flags).expect(0).stdout == CONTENT
    with_passphrase("\n".join(reversed(PASSPHRASES)), "get", *flags).expect(4)
    with_passphrase(PASSPHRASES[0], "get", *flags).expect(2)


def test_the_wrong_one_is_told(stored: Stream, protected: list[Path]) -> None:
    flags = ["--age-identity", str(protected[0])]
    for verb in ("get", "verify"):
        outcome = with_passphrase("another", verb, *stored.flags, *flags).expect(4)
        assert f"the passphrase does not open the age identity file '{protected[0]}'" in outcome.lines[0]
        assert outcome.stdout == b""
    before = stored.bucket.listing("")

    with_passphrase("another", "put", *stored.flags, *flags, "--clobber", stdin=CONTENT).expect(4)

    assert stored.bucket.listing("") == before


@pytest.mark.parametrize("given", ["", "\n", "x" * 5000], ids=["nothing", "an empty line", "too much"])
def test_no_passphrase_in_the_descriptor(stored: Stream, protected: list[Path], given: str) -> None:
    outcome = with_passphrase(given, "get", *stored.flags, "--age-identity", str(protected[0])).expect(2)

    assert "passphrase" in outcome.lines[0] or "bytes" in outcome.lines[0]
    assert "xxxx" not in outcome.stderr


@pytest.mark.parametrize(
    ("verb", "descriptor"), [("put", 0), ("get", 1), ("put", 2), ("get", 2), ("verify", 2), ("put", -1)]
)
def test_descriptors_of_data_and_messages_are_refused(
    stored: Stream, protected: list[Path], verb: str, descriptor: int
) -> None:
    flags = ["--age-identity", str(protected[0]), f"--age-passphrase-fd={descriptor}"]
    if verb == "put":
        flags.append("--clobber")

    outcome = run(verb, *stored.flags, *flags, stdin=f"{PASSPHRASES[0]}\n".encode() + CONTENT).expect(2)

    assert f"descriptor {descriptor} cannot give the passphrase" in outcome.lines[0]
    assert "--age-passphrase-fd 3 3<FILE" in outcome.lines[1]


def test_a_descriptor_that_is_not_open(stored: Stream, protected: list[Path]) -> None:
    flags = ["--age-identity", str(protected[0]), "--age-passphrase-fd", "77"]

    assert "descriptor 77" in run("get", *stored.flags, *flags).expect(2).lines[0]


def test_readers_may_take_it_from_stdin(stored: Stream, protected: list[Path]) -> None:
    flags = ["--age-identity", str(protected[0]), "--age-passphrase-fd", "0"]
    for verb in ("get", "verify"):
        run(verb, *stored.flags, *flags, stdin=PASSPHRASES[0].encode()).expect(0)


def test_it_is_asked_for_on_the_terminal_and_not_shown(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path, protected: list[Path]
) -> None:
    """put leaves its data alone."""
    data = tmp_path / "data"
    data.write_bytes(b"wrong passphrase\n" + CONTENT)
    flags = Stream(folder_bucket, unique_name, age_identity=protected[0]).flags

    put = converse("put", *flags, answers=[PASSPHRASES[0]], stdin=data)
    got = converse("get", *flags, answers=[PASSPHRASES[0]])

    assert (put.code, put.stderr.count("error")) == (0, 0), put
    assert (got.code, got.stdout) == (0, data.read_bytes())
    for dialogue in (put, got):
        assert f"Passphrase for the age identity file '{protected[0]}': " in dialogue.shown
        assert PASSPHRASES[0] not in dialogue.shown + dialogue.stderr


def test_the_wrong_one_on_the_terminal(stored: Stream, protected: list[Path]) -> None:
    flags = [*stored.flags, "--age-identity", str(protected[0])]
    for answer, code in (("another", 4), ("", 4), ("\x04", 2)):
        dialogue = converse("get", *flags, answers=[answer])

        assert (dialogue.code, dialogue.stdout) == (code, b""), dialogue
        assert dialogue.stderr.startswith("s3duct: error: ")


def test_without_a_terminal_it_says_how_to_give_it(stored: Stream, protected: list[Path]) -> None:
    for verb in ("get", "put"):
        flags = [
            *stored.flags,
            "--age-identity",
            str(protected[0]),
            *(["--clobber"] if verb == "put" else []),
        ]

        finished = subprocess.run(
            [COMMAND, verb, *flags],
            check=False,
            input=PASSPHRASES[0].encode() + b"\n",
            capture_output=True,
            start_new_session=True,
        )

        assert (finished.returncode, finished.stdout) == (2, b"")
        error, hint = finished.stderr.decode().splitlines()
        assert "nobody gave it at a terminal" in error
        assert "--age-passphrase-fd 3 3<FILE" in hint


def test_no_terminal_is_needed_for_keys_without_a_passphrase(
    folder_bucket: FolderBucket, unique_name: str, tmp_path: Path
) -> None:
    """A run from a timer has none."""
    stream = Stream(folder_bucket, unique_name, age_identity=identity_file(tmp_path, "x25519"))

    subprocess.run([COMMAND, "put", *stream.flags], check=True, input=CONTENT, start_new_session=True)

    stream.restores(CONTENT)
