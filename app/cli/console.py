"""Everything that people read: messages on stderr, one line each; on stdout only what a command was asked for."""

import contextlib
import io
import sys

from s3duct.domain.errors import S3ductError, SinkClosed, SinkError

_PREFIX = "s3duct"


def say(text: str) -> None:
    """Write one line to stderr."""
    write_line(f"{_PREFIX}: {printable(text)}")


def write_line(line: str) -> None:
    """Write one line to stderr as it is. A stderr that is closed or full is no reason to fail."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def write_result(text: str) -> None:
    """Write text to stdout, whole lines, at once.

    Raises:
        SinkClosed, SinkError: nobody reads it, or it cannot be written.
    """
    if sys.stdout is None:  # closed when the process began
        raise SinkError("cannot write the output: stdout is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise SinkClosed("the consumer closed the pipe early") from error
    except (OSError, ValueError) as error:
        raise SinkError(f"cannot write the output: {getattr(error, 'strerror', None) or error}") from error


def take_any_character() -> None:
    """Let stdout write what its encoding lacks as an escape: a name in the bucket is no reason to fail."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


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
