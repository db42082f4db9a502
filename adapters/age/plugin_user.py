"""What an age plugin says, made safe to show; and the user who is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable

from s3duct.domain.ports.user import User

_SHOWN_CHARACTERS = 400
_SPACES = re.compile(r"\s+")


class Nobody(User):
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


NOBODY = Nobody()


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
