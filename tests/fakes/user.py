"""A user of age plugins whose answers are known beforehand."""

from __future__ import annotations

from collections.abc import Callable

from s3duct.domain.ports.user import User


class FakeUser(User):
    """Remembers what it is shown and asked; `on_say` is called while a message is being shown."""

    def __init__(
        self,
        *,
        answer: str | None = None,
        choice: bool | None = None,
        on_say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.said: list[str] = []
        self.asked: list[tuple[str, bool]] = []
        self.confirmed: list[tuple[str, str, str | None]] = []
        self._answer = answer
        self._choice = choice
        self._on_say = on_say

    def say(self, text: str) -> bool:
        self.said.append(text)
        self._on_say(text)
        return True

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        self.asked.append((prompt, secret))
        return self._answer

    def confirm(self, prompt: str, *, yes: str, no: str | None) -> bool | None:
        self.confirmed.append((prompt, yes, no))
        return self._choice
