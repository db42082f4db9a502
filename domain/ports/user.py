"""Port: the human at the terminal, for those who hold keys (age plugins, hardware behind them)."""

from __future__ import annotations

from typing import Protocol


class User(Protocol):
    """Whoever started the program. Calls block, and come from any thread, one after another.

    Texts are one printable line.
    """

    def say(self, text: str) -> bool:
        """Show a message ("touch your key"). False if there is nobody to see it."""
        ...

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        """Ask for a line of text; `secret`: do not show what is typed. None if nobody answers."""
        ...

    def confirm(self, prompt: str, *, yes: str, no: str | None) -> bool | None:
        """Let the user choose between `yes` and `no` (if named). None if nobody answers."""
        ...
