"""The user at the controlling terminal. Standard input and output carry data: nobody is asked there."""

import contextlib
import getpass
import os
import termios
from collections.abc import Iterator
from typing import Any

from s3duct.app.cli.console import printable, say
from s3duct.domain.ports.user import User

_TERMINAL = "/dev/tty"
# The attributes of the terminal while a secret is asked for, and echo is off.
_attributes: list[list[Any]] = []
# The terminal on which a live line has hidden the cursor.
_without_cursor: list[str] = []
_SHOW_CURSOR = b"\x1b[?25h\r\n"


class TerminalUser(User):
    """Asks on the terminal; without one, nobody answers."""

    def say(self, text: str) -> bool:
        """Say it on stderr."""
        say(text)
        return True

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        """Ask for a line, without echo if it is secret."""
        try:
            os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))  # getpass would ask on stdin otherwise
            if secret:
                with _remembered():
                    return getpass.getpass(f"{printable(prompt)}: ")
            return _ask_openly(f"{printable(prompt)}: ")
        except (
            EOFError,
            OSError,
            UnicodeDecodeError,
        ):  # a terminal that does not speak UTF-8 is asked in vain
            return None

    def confirm(self, prompt: str, *, yes: str, no: str | None) -> bool | None:
        """Ask for the number in front of the answer."""
        choices = f"1: {yes}" if no is None else f"1: {yes}, 2: {no}"
        answer = self.ask(f"{prompt} ({choices})", secret=False)
        if answer is None:
            return None
        return answer.strip() == "1"


def _ask_openly(prompt: str) -> str | None:
    descriptor = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as terminal:
        os.write(descriptor, prompt.encode("utf-8", "replace"))
        line = terminal.readline()
    return line.rstrip("\r\n") if line else None


@contextlib.contextmanager
def _remembered() -> Iterator[None]:
    descriptor = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
    try:
        _attributes.append(termios.tcgetattr(descriptor))
    finally:
        os.close(descriptor)
    try:
        yield
    finally:
        _attributes.clear()


@contextlib.contextmanager
def cursor_hidden() -> Iterator[None]:
    """Remember that the cursor of stderr's terminal, if it is one, is hidden meanwhile."""
    try:
        _without_cursor.append(os.ttyname(2))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        _without_cursor.clear()


def restore() -> None:
    """Give the terminal back what others have taken from it and cannot give back any more: the process ends at once."""
    _show_cursor()
    _echo()


def _show_cursor() -> None:
    for name in _without_cursor:
        with contextlib.suppress(OSError):
            # Not waited for: its user may have stopped its output.
            descriptor = os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(descriptor, _SHOW_CURSOR)


def _echo() -> None:
    """It is off while another thread asks for a secret."""
    if not _attributes:
        return
    with contextlib.suppress(OSError, termios.error):
        descriptor = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
        termios.tcsetattr(descriptor, termios.TCSANOW, _attributes[0])
