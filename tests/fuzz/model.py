"""What a fuzzer needs to know of a parser: how to call it, what it may refuse with, and what it accepts."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from s3duct.domain.errors import S3ductError
from tests.unit.saying import assert_well_said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Shape(Enum):
    """What valid input is made of, and so how it is best damaged."""

    BYTES = auto()
    LINES = auto()
    JSON = auto()


@dataclass(frozen=True)
class Target:
    """One parser.

    `check` parses its input and asserts what must hold of everything that is accepted. It raises one of `refusals`, or it
    has accepted. `seeds` gives inputs that are accepted, the same ones whenever it is asked in one process. `tokens` are
    pieces of text that a mutation would hardly find. `slow` tells that one call takes milliseconds.
    """

    name: str
    check: Callable[[bytes], None]
    refusals: tuple[type[S3ductError], ...]
    seeds: Callable[[], Sequence[bytes]]
    shape: Shape = Shape.BYTES
    tokens: tuple[bytes, ...] = ()
    slow: bool = False
    longest: int = 4096

    def accepts(self, data: bytes) -> bool:
        """Parse `data`; anything but acceptance or a refusal that is well said is let through."""
        try:
            self.check(data)
        except self.refusals as refusal:
            assert_well_said(refusal)
            return False
        return True


@contextmanager
def must_hold() -> Iterator[None]:
    """Let no refusal of what has been accepted pass for a refusal of the input."""
    try:
        yield
    except S3ductError as error:
        raise AssertionError(f"what was accepted is refused in the end: {error}") from error


def text_of(data: bytes) -> str:
    """Any bytes as text, so that every text can come out: also the lone surrogates that Python and JSON allow."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")
