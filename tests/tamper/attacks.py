"""The three axes of the matrix, and how the variants of an attack are listed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S")


class Attack(Enum):
    """What is done."""

    FLIP = "flip"
    TRUNCATE = "truncate"
    EXTEND = "extend"
    SWAP = "swap"
    DROP = "drop"
    DUPLICATE = "duplicate"
    SPLICE = "splice"
    ROLL_BACK = "roll-back"
    RESEAL = "re-seal"
    DOWNGRADE = "downgrade"


class Target(Enum):
    """What it is done to."""

    CHUNK = "chunk"
    MANIFEST = "manifest"
    JOURNAL = "journal"
    BUCKET_JOURNAL = "bucket journal"


@dataclass(frozen=True)
class Variant(Generic[S]):
    """One way to carry out an attack. `work` does it to a scene."""

    target: Target
    attack: Attack
    name: str
    work: Callable[[S], Awaitable[None]]

    def __str__(self) -> str:
        """As test ids and expectations call it."""
        return f"{self.attack.value}:{self.name}"


class Catalogue(Generic[S]):
    """Lists the variants of all attacks on one target."""

    def __init__(self, target: Target) -> None:
        """Begin empty."""
        self._target = target
        self.variants: list[Variant[S]] = []

    def add(self, attack: Attack, name: str, work: Callable[[S], Awaitable[None]]) -> None:
        """List one."""
        self.variants.append(Variant(self._target, attack, name, work))

    def variant(
        self, attack: Attack
    ) -> Callable[[Callable[[S], Awaitable[None]]], Callable[[S], Awaitable[None]]]:
        """List a function by its name."""

        def note(work: Callable[[S], Awaitable[None]]) -> Callable[[S], Awaitable[None]]:
            self.add(attack, getattr(work, "__name__", "").replace("_", "-"), work)
            return work

        return note
