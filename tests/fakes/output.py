"""An output in memory that keeps unfinished parts, as a disk does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s3duct.domain.errors import OutputExists, RunInProgress
from s3duct.domain.ports.output import Output, OutputPart


class FakeOutput(Output):
    """Holds the finished `content` (None: there is none) and unfinished `parts` by identity.

    `begun` lists the identities that were asked for, `reads` and `writes` offsets and sizes. `before_write` is called with
    the offset before each write: it may raise, as a full disk would.
    """

    def __init__(self, content: bytes | None = None, *, replace: bool = False) -> None:
        """Begin with that content."""
        self.content = content
        self.parts: dict[str, bytearray] = {}
        self.held: set[str] = set()
        self.begun: list[str] = []
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int]] = []
        self.before_write: Callable[[int], None] = lambda _: None
        self._replace = replace

    @property
    def replaceable(self) -> bool:
        """Whether content may be written."""
        return self.content is None or self._replace

    def check(self) -> None:
        """Look whether there is content."""
        if not self.replaceable:
            raise OutputExists("there is an output already")

    def begin(self, identity: str) -> OutputPart:
        """Take the part."""
        self.check()
        self.begun.append(identity)
        if identity in self.held:
            raise RunInProgress("another run writes there")
        self.held.add(identity)
        self.parts.setdefault(identity, bytearray())
        return _FakePart(self, identity)


class _FakePart(OutputPart):
    def __init__(self, output: FakeOutput, identity: str) -> None:
        self._output = output
        self._identity = identity
        self._position = 0
        self._open = True

    @property
    def name(self) -> str:
        return f"part of {self._identity}"

    @property
    def others(self) -> Sequence[str]:
        return [f"part of {identity}" for identity in self._output.parts if identity != self._identity]

    def read_into(self, view: memoryview, *, offset_bytes: int) -> int:
        piece = self._content[offset_bytes : offset_bytes + len(view)]
        view[: len(piece)] = piece
        self._output.reads.append((offset_bytes, len(piece)))
        return len(piece)

    def go_on_at(self, offset_bytes: int) -> None:
        assert offset_bytes <= len(self._content)
        self._position = offset_bytes

    def write_all(self, view: memoryview) -> None:
        self._output.before_write(self._position)
        stop = self._position + len(view)
        self._content[self._position : stop] = view
        self._output.writes.append((self._position, len(view)))
        self._position = stop

    def commit(self, size_bytes: int) -> None:
        assert size_bytes <= len(self._content)
        if not self._output.replaceable:
            raise OutputExists("an output has come into being meanwhile")
        self._output.content = bytes(self._content[:size_bytes])
        del self._output.parts[self._identity]
        self._let_go()

    def close(self) -> None:
        if self._open and not self._content:
            del self._output.parts[self._identity]
        self._let_go()

    def _let_go(self) -> None:
        if self._open:
            self._open = False
            self._output.held.discard(self._identity)

    @property
    def _content(self) -> bytearray:
        return self._output.parts[self._identity]
