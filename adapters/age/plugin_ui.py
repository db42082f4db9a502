"""How an age plugin reaches the user: what it says, what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

_SHOWN_CHARACTERS = 400
_SPACES = re.compile(r"\s+")


class PluginUi(Protocol):
    """The user, as a plugin sees them. Texts are one printable line and begin with the name of the plugin.

    Calls come from any thread, one after another.
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


class NoUi(PluginUi):
    """Nobody is there: every request of a plugin fails."""

    def say(self, text: str) -> bool:
        """Show nothing."""
        return False

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        """Nobody answers."""
        return None

    def confirm(self, prompt: str, *, yes: str, no: str | None) -> bool | None:
        """Nobody answers."""
        return None


NO_UI = NoUi()


def printable(text: bytes, *, without: Iterable[str] = ()) -> str:
    """Return what a plugin wrote as one line that is safe to show.

    Args:
        text: UTF-8, hostile: control characters could command a terminal.
        without: secrets; they are left out wherever they occur.
    """
    decoded = text.decode("utf-8", "replace")
    for secret in without:
        decoded = re.sub(re.escape(secret), "(secret)", decoded, flags=re.IGNORECASE)
    shown = "".join(character if character.isprintable() else " " for character in decoded)
    shown = _SPACES.sub(" ", shown).strip()
    return shown if len(shown) <= _SHOWN_CHARACTERS else shown[: _SHOWN_CHARACTERS - 1] + "…"
