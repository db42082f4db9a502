"""Flags that say which part of a stream get writes, and where to.

No `from __future__ import annotations` here: cyclopts reads the annotations.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from s3duct.app.cli import pipe
from s3duct.domain.errors import UsageError
from s3duct.domain.sizes import parse_size

if TYPE_CHECKING:
    from s3duct.domain.ports.output import Output

RESTORE = Group("What is written, and where to", sort_key=4)


@Parameter(name="*", group=RESTORE)
@dataclass(frozen=True, kw_only=True)
class RestoreOptions:
    """Where a stream goes."""

    output: Annotated[
        Path | None,
        Parameter(
            name=["--output", "-o"],
            help="Write to this file instead of stdout. It takes its name when it is complete; interrupted, the same "
            "command goes on from what is there.",
        ),
    ] = None
    force: Annotated[
        bool,
        Parameter(negative=(), help="Replace the file of --output, once the restored one is complete."),
    ] = False
    offset: Annotated[
        str | None, Parameter(help="Begin at this byte of the stream, counted from 0: a size like 1G.")
    ] = None
    length: Annotated[
        str | None,
        Parameter(
            help="Write at most so many bytes: a size like 64K. What is beyond the end is cut, with a warning."
        ),
    ] = None

    @property
    def to_stdout(self) -> bool:
        """Whether data goes to stdout."""
        return self.output is None or str(self.output) == "-"

    @property
    def path(self) -> str | None:
        """Name of the file, for messages."""
        return None if self.to_stdout else str(self.output)

    @property
    def offset_bytes(self) -> int:
        """Where to begin. Raises `UsageError`."""
        return 0 if self.offset is None else parse_size(self.offset)

    @property
    def length_bytes(self) -> int | None:
        """How much to write at most. Raises `UsageError`."""
        return None if self.length is None else parse_size(self.length)

    def open(self) -> "Output":
        """Take stdout, or the file.

        Raises:
            UsageError: stdout is a terminal or closed; or there is nothing that could be replaced.
        """
        from s3duct.app.api import output_at, output_of_sink, sink_of_descriptor

        if self.output is not None and not self.to_stdout:
            return output_at(self.output, replace=self.force)
        if self.force:
            raise UsageError(
                "--force replaces the file of --output, and there is none", hint="name it: --output FILE"
            )
        return output_of_sink(sink_of_descriptor(pipe.take_stdout()))

    def hand_to(self, command: tuple[str, ...]) -> "Output":
        """Take a command, which gets stdout.

        Raises:
            UsageError: there is a file as well; or there is no such program.
        """
        from s3duct.app.api import consumer, output_of_sink

        if self.output is not None or self.force:
            raise UsageError(
                "the stream goes to a file or to a command, not to both",
                hint="leave --output or -- COMMAND away",
            )
        return output_of_sink(consumer(command, stdout=pipe.lend_stdout()))
