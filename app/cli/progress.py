"""Listeners that show a run's events on stderr: a live line on terminals, plain lines elsewhere."""

import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from s3duct.app.cli.console import say, warn
from s3duct.app.cli.options import OutputOptions
from s3duct.app.cli.terminal import cursor_hidden
from s3duct.app.cli.trouble import Trouble
from s3duct.domain.events import (
    BytesMoved,
    ChunkFaulty,
    ChunkFinished,
    ChunkStarted,
    Detail,
    Event,
    Notice,
    ResumeStarted,
    TransferStarted,
)
from s3duct.domain.sizes import format_size

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_PLAIN_EVERY_S = 10.0


class Counters:
    """What has happened so far."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self.started_s = time.monotonic()
        self.bytes_moved = 0
        self.total_bytes: int | None = None
        self.total_chunks: int | None = None
        self.chunks_started = 0
        self.chunks_done = 0

    def count(self, event: Event) -> None:
        """Take one event into account."""
        match event:
            case TransferStarted():
                self.total_bytes, self.total_chunks = event.total_bytes, event.total_chunks
            case BytesMoved():
                self.bytes_moved += event.size_bytes
            case ChunkStarted():
                self.chunks_started += 1
            case ChunkFinished() | ChunkFaulty():
                self.chunks_done += 1
            case _:
                pass

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning, never zero."""
        return max(time.monotonic() - self.started_s, 1e-3)

    def line(self) -> str:
        """Bytes, rate, chunks, in flight; why it waits."""
        total = "" if self.total_bytes is None else f" of {format_size(self.total_bytes)}"
        chunks = "" if self.total_chunks is None else f" of {self.total_chunks}"
        in_flight = max(self.chunks_started - self.chunks_done, 0)
        rate = format_size(int(self.bytes_moved / self.elapsed_s))
        trouble = self.trouble.line()
        return (
            f"{format_size(self.bytes_moved)}{total}, {rate}/s, "
            f"{self.chunks_done}{chunks} chunks done, {in_flight} in flight{trouble and f'; {trouble}'}"
        )


class Display(Protocol):
    """Shows the counters while they change."""

    def update(self, counters: Counters) -> None:
        """Show them, if it is time to."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class NoDisplay:
    """Shows nothing."""

    def update(self, counters: Counters) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class PlainDisplay:
    """One line every ten seconds, for logs."""

    def __init__(self) -> None:
        self._next_s = time.monotonic() + _PLAIN_EVERY_S

    def update(self, counters: Counters) -> None:
        """Write a line if one is due."""
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + _PLAIN_EVERY_S
            say(counters.line())

    def close(self) -> None:
        """Nothing to put back."""


class RichDisplay:
    """A live line at the foot of the terminal. It is drawn anew all the time: what it says of waiting counts down."""

    def __init__(self, counters: Counters) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TimeElapsedColumn
        from rich.text import Text

        class LineColumn(ProgressColumn):
            """The counters as they are now."""

            def render(self, task: object) -> Text:
                """Put them into words, all on one line."""
                return Text(counters.line(), no_wrap=True, overflow="ellipsis")

        self._progress: RichProgress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=20),
            LineColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
        )
        self._task: TaskID = self._progress.add_task("starting", total=None)
        self._cursor = ExitStack()
        self._cursor.enter_context(cursor_hidden())
        self._progress.start()

    def update(self, counters: Counters) -> None:
        """Redraw."""
        self._progress.update(
            self._task,
            total=counters.total_bytes,
            completed=counters.bytes_moved,
        )

    def close(self) -> None:
        """Remove the line."""
        self._progress.stop()
        self._cursor.close()


class ProgressListener:
    """Hears the events of one run and shows them as the flags say. Use as a context manager."""

    def __init__(self, options: OutputOptions) -> None:
        self._options = options
        self.counters = Counters(Trouble(quiet=options.quiet, verbose=options.verbose))
        self._display: Display = NoDisplay()

    def __enter__(self) -> "ProgressListener":
        self._display = _display_for(self._options, self.counters)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._display.close()

    def __call__(self, event: Event) -> None:
        """Count, show, and say what has to be said."""
        self.counters.count(event)
        self.counters.trouble(event)
        self._display.update(self.counters)
        if not self._options.quiet:
            self._say(event)

    def _say(self, event: Event) -> None:
        match event:
            case Notice():
                warn(event.message)
            case Detail() if self._options.verbose:
                say(event.message)
            case ChunkFaulty():
                warn(f"chunk {event.index}: {event.reason}")
            case ResumeStarted():
                say(
                    f"resuming: {event.stored_chunks} chunks ({format_size(event.stored_bytes)}) are stored already"
                )
            case ChunkFinished() if self._options.verbose:
                how = "confirmed" if event.resumed else "done"
                say(f"chunk {event.index} {how}, {format_size(event.size_bytes)}")
            case _:
                pass


def _display_for(options: OutputOptions, counters: Counters) -> Display:
    mode = options.progress
    if options.quiet or mode == "none" or sys.stderr is None:  # None: closed when the process began
        return NoDisplay()
    if mode == "rich" or (mode == "auto" and sys.stderr.isatty()):
        return RichDisplay(counters)
    return PlainDisplay()
