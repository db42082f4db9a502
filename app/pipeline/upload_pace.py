"""Whether the store takes chunks fast enough for one request each (ADR 0028).

One request for a chunk spares both ends work and costs less where requests are paid for. But all of it is sent again when it
fails, and a line that is dead shows later: so only where a chunk takes seconds. The first upload, which goes in parts, shows
that; those that begin meanwhile wait for it, which is no longer than a part takes.
"""

from __future__ import annotations

import asyncio

from s3duct.domain.ports.clock import Clock

# As long as one request may take, by what the uploads before it have shown.
_LONGEST_S = 10.0


class UploadPace:
    """How fast one upload among those at once was, lately. Used from one event loop."""

    def __init__(self, clock: Clock) -> None:
        """Know nothing yet."""
        self._clock = clock
        self._bytes_per_s: float | None = None
        self._first: UploadWatch | None = None

    async def allows(self, size_bytes: int) -> bool:
        """Whether so much may go in one request; waits for what an upload under way shows if nothing is known."""
        if self._bytes_per_s is None and self._first is not None:
            await self._first.has_shown.wait()
        return self._bytes_per_s is not None and size_bytes <= self._bytes_per_s * _LONGEST_S

    def watch(self) -> UploadWatch:
        """Begin to look at an upload that begins now."""
        watch = UploadWatch(self, self._clock)
        if self._bytes_per_s is None and self._first is None:
            self._first = watch
        return watch

    def note(self, bytes_per_s: float) -> None:
        """The latest upload says how fast it is now."""
        self._bytes_per_s = bytes_per_s

    def forget(self, watch: UploadWatch) -> None:
        """An upload has ended; what is known comes of others."""
        if self._first is watch:
            self._first = None

    def distrust(self) -> None:
        """An upload has failed: the next one shows anew."""
        self._bytes_per_s = None


class UploadWatch:
    """Looks at one upload. Use it as a context manager around the upload: leaving it with an error is a failure."""

    def __init__(self, pace: UploadPace, clock: Clock) -> None:
        self.has_shown = asyncio.Event()
        self._pace = pace
        self._clock = clock
        self._began_s = clock.monotonic_s()

    def __enter__(self) -> UploadWatch:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None and issubclass(kind, Exception):
            self._pace.distrust()
        self._pace.forget(self)
        self.has_shown.set()

    def taken(self, size_bytes: int) -> None:
        """So much at least is with the store by now."""
        took_s = self._clock.monotonic_s() - self._began_s
        if size_bytes > 0 and took_s > 0:
            self._pace.note(size_bytes / took_s)
            self.has_shown.set()
