"""What a run reports while it goes on. Progress lines, summaries and embedders are listeners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events. Listeners are called on the event loop's thread and must not block or raise."""


@dataclass(frozen=True, slots=True)
class TransferStarted(Event):
    """A put or get begins. Totals are None where they are not known in advance."""

    stream: str
    total_bytes: int | None = None
    total_chunks: int | None = None


@dataclass(frozen=True, slots=True)
class ResumeStarted(Event):
    """An unfinished run is continued: that much is stored already (put), or verified where it was restored to (get)."""

    stored_chunks: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class BytesMoved(Event):
    """`size_bytes` plain bytes more were read from the source (put) or written to the sink (get)."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class ChunkStarted(Event):
    """A chunk is in flight from now on."""

    index: int


@dataclass(frozen=True, slots=True)
class ChunkFinished(Event):
    """A chunk is stored (put), written out (get) or checked (verify); `resumed`: by an earlier run, and confirmed now."""

    index: int
    size_bytes: int
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class ChunkFaulty(Event):
    """Verify found a chunk that is missing or wrong."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class RetryScheduled(Event):
    """An operation failed and is tried again after `delay_s` seconds.

    `attempt` counts its failures from 1. It is given up if it still fails after `left_s` seconds, or after `retries_left`
    tries besides the next one; None where there is no such limit.
    """

    operation: str
    reason: str
    attempt: int
    delay_s: float
    left_s: float | None = None
    retries_left: int | None = None


@dataclass(frozen=True, slots=True)
class RetrySucceeded(Event):
    """An operation that had failed `attempts` times, over `failing_s` seconds, has succeeded."""

    operation: str
    attempts: int
    failing_s: float


@dataclass(frozen=True, slots=True)
class PaceChanged(Event):
    """The store asked to slow down, or has answered well since: `at_once` operations at once (None: no limit)."""

    at_once: int | None


@dataclass(frozen=True, slots=True)
class BackpressureStarted(Event):
    """What comes next, a chunk to be read or to be fetched, waits: `reason` says for what."""

    reason: str


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something the user should read; nothing failed."""

    message: str


@dataclass(frozen=True, slots=True)
class Detail(Event):
    """Something for who wants to know more; nothing failed, and nothing is to be done about it."""

    message: str


Listener = Callable[[Event], None]


def ignore_events(event: Event) -> None:
    """The listener that listens to nothing."""
