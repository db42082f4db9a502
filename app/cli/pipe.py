"""Takes stdin or stdout for data or for a command that is run, and keeps everything else off it."""

import os
import sys

from s3duct.domain.errors import UsageError

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def occupy_closed() -> None:
    """Put an empty file in the place of each standard descriptor that is closed; call it before anything else is opened.

    What is opened first would take the number of the missing one: a journal, or a file of the command behind `--`, would
    become stderr. Python's own stream remains None.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= _STDERR:
        os.set_inheritable(descriptor, True)
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def take_stdin() -> int:
    """Return a descriptor of the data on stdin; stdin itself becomes empty, so that no child can eat data.

    Raises:
        UsageError: stdin is a terminal, or closed.
    """
    if _is_terminal(_STDIN):
        raise UsageError(
            "stdin is a terminal: put stores what is piped into it",
            hint="try: tar c DIRECTORY | s3duct put --bucket BUCKET --name NAME",
        )
    descriptor = _duplicate(_STDIN, "stdin", was_open=sys.stdin is not None)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _STDIN)
    os.close(nothing)
    return descriptor


def lend_stdin() -> int:
    """Return a descriptor of stdin, whatever it is, for the command behind `--`; nobody else reads it from now on."""
    return _lend(_STDIN, was_open=sys.stdin is not None)


def lend_stdout() -> int:
    """Return a descriptor of stdout, whatever it is, for the command behind `--`; what others print goes to stderr."""
    if sys.stdout is not None:
        sys.stdout.flush()
    descriptor = _lend(_STDOUT, was_open=sys.stdout is not None)
    os.dup2(_STDERR, _STDOUT)
    return descriptor


def take_stdout() -> int:
    """Return a descriptor of stdout for data; what anything else prints goes to stderr from now on.

    Raises:
        UsageError: stdout is a terminal, or closed.
    """
    if _is_terminal(_STDOUT):
        raise UsageError(
            "stdout is a terminal: get writes raw data",
            hint="pipe it into a command or a file: s3duct get --bucket BUCKET --name NAME > FILE",
        )
    descriptor = _duplicate(_STDOUT, "stdout", was_open=sys.stdout is not None)
    sys.stdout.flush()
    os.dup2(_STDERR, _STDOUT)
    return descriptor


def _lend(standard: int, *, was_open: bool) -> int:
    """Duplicate a descriptor and put an empty one in its place; one that was closed is lent as an empty one."""
    nothing = os.open(os.devnull, os.O_RDWR)
    if not was_open:
        return nothing
    descriptor = os.dup(standard)
    os.dup2(nothing, standard)
    os.close(nothing)
    return descriptor


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _duplicate(descriptor: int, name: str, *, was_open: bool) -> int:
    """Duplicate a descriptor; children do not inherit the new one.

    One that was closed when the process began is an empty file by now: Python remembers (its stream is None).
    """
    try:
        if was_open:
            return os.dup(descriptor)
    except OSError:
        pass
    raise UsageError(f"{name} is closed", hint=f"give the command a {name}: a pipe or a file")
