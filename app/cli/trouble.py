"""Says why a run waits for the store, and until when: on the live line, and in lines that do not flood a log."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from s3duct.app.cli.console import say
from s3duct.domain.durations import format_duration
from s3duct.domain.events import Event, PaceChanged, RetryScheduled, RetrySucceeded

_LINE_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class _Wait:
    event: RetryScheduled
    since_s: float

    def describe(self, now_s: float) -> str:
        """Why, until the next try, until the end."""
        event, waited_s = self.event, now_s - self.since_s
        next_in_s = event.delay_s - waited_s
        coming = f"next try in {format_duration(next_in_s)}" if next_in_s > 0 else "trying again"
        end = ""
        if event.retries_left is not None:
            tries = event.retries_left + 1
            end = f", giving up after {tries} more {'try' if tries == 1 else 'tries'}"
        elif event.left_s is not None:
            end = f", giving up in {format_duration(event.left_s - waited_s)}"
        return f"{event.reason}: {coming}{end}"


class Trouble:
    """Listens for retries. `verbose` tells of every single one, with the operation."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
        speak: Callable[[str], None] = say,
    ) -> None:
        """Begin with a store that answers."""
        self._quiet = quiet
        self._verbose = verbose
        self._clock = clock
        self._speak = speak
        self._waiting: dict[str, _Wait] = {}
        self._since_s = 0.0
        self._spoken_s = float("-inf")
        self._at_once: int | None = None

    def __call__(self, event: Event) -> None:
        """Take one event into account; say what has to be said."""
        match event:
            case RetryScheduled():
                self._note_failure(event)
            case RetrySucceeded():
                self._note_success(event)
            case PaceChanged():
                self._at_once = event.at_once
                if self._verbose:
                    self._say(f"operations at once, by the store's answers: {event.at_once or 'no limit'}")
            case _:
                pass

    def line(self) -> str:
        """What the live line adds; empty as long as all is well."""
        texts = [] if self._at_once is None else [f"slowed down to {self._at_once} at once"]
        if self._waiting:
            soonest = min(self._waiting.values(), key=lambda wait: wait.since_s + wait.event.delay_s)
            texts.append(soonest.describe(self._clock()))
        return "; ".join(texts)

    def _note_failure(self, event: RetryScheduled) -> None:
        now_s = self._clock()
        if not self._waiting:
            self._since_s = now_s
        wait = self._waiting[event.operation] = _Wait(event, now_s)
        if self._verbose:
            self._say(f"{event.operation} failed {event.attempt}x: {wait.describe(now_s)}")
        elif now_s - self._spoken_s >= _LINE_EVERY_S:
            self._spoken_s = now_s
            self._say(wait.describe(now_s))

    def _note_success(self, event: RetrySucceeded) -> None:
        self._waiting.pop(event.operation, None)
        lasted_s = self._clock() - self._since_s
        if not self._waiting and (self._verbose or lasted_s >= _LINE_EVERY_S):
            self._say(f"the store answers again, after {format_duration(lasted_s)}")

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._speak(text)
