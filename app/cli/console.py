"""Everything that people read: messages on stderr, one line each, never on stdout."""

import contextlib
import sys

from s3duct.domain.errors import S3ductError

_PREFIX = "s3duct"


def say(text: str) -> None:
    """Write one line to stderr."""
    write_line(f"{_PREFIX}: {printable(text)}")


def write_line(line: str) -> None:
    """Write one line to stderr as it is. A stderr that is closed or full is no reason to fail."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def warn(text: str) -> None:
    """Write one warning."""
    say(f"warning: {text}")


def report(error: S3ductError) -> None:
    """Write one error and its hint."""
    say(f"error: {error.message}")
    if error.hint:
        say(f"hint: {error.hint}")


def printable(text: str) -> str:
    """Keep text from the bucket or the network from driving the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
