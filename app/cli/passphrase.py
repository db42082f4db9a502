"""Asks for the passphrase of an identity file: on the terminal, or from a descriptor that a script gives.

Standard input carries data: it is never asked there.
"""

import os
from collections.abc import Callable

from s3duct.app.cli.terminal import TerminalUser
from s3duct.domain.errors import KeySpecError, UsageError

Source = Callable[[str], str]

_STDERR = 2
_LONGEST = 4096


def ask_on_terminal(what: str) -> str:
    """Ask on the controlling terminal, without echo. Raises `KeySpecError` if there is none."""
    answer = TerminalUser().ask(f"Passphrase for {what}", secret=True)
    if answer is None:
        raise KeySpecError(
            f"{what} is protected by a passphrase, and nobody gave it at a terminal",
            hint="give it through a descriptor: --age-passphrase-fd 3 3<FILE",
        )
    return answer


def read_from(descriptor: int, *, taken: tuple[int, ...]) -> Source:
    """Return a source of passphrases that reads a line of `descriptor` for each.

    Args:
        descriptor: open for reading.
        taken: descriptors that carry data.

    Raises:
        UsageError: it is one of those, or stderr.
    """
    if descriptor < 0 or descriptor in (*taken, _STDERR):
        raise UsageError(
            f"descriptor {descriptor} cannot give the passphrase of an identity file",
            hint="use one that is free: --age-passphrase-fd 3 3<FILE",
        )
    return lambda what: _read_line(descriptor, what)


def _read_line(descriptor: int, what: str) -> str:
    """Read byte by byte: what follows the line is for somebody else."""
    line = bytearray()
    try:
        while len(line) <= _LONGEST and (byte := os.read(descriptor, 1)) not in (b"", b"\n"):
            line += byte
    except (OSError, OverflowError) as error:  # no descriptor has such a number
        reason = getattr(error, "strerror", None) or "Bad file descriptor"
        raise KeySpecError(
            f"cannot read the passphrase for {what} from descriptor {descriptor}: {reason}"
        ) from error
    if not line or len(line) > _LONGEST:
        amount = "no passphrase" if not line else f"more than {_LONGEST} bytes"
        raise KeySpecError(f"descriptor {descriptor} gave {amount} for {what}")
    return line.removesuffix(b"\r").decode("utf-8", "surrogateescape")
