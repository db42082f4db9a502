"""A released s3duct as a command over a test's bucket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.command import Input, Outcome, run
from tests.support.streams import Stream

# Their own flags; 0.3.0 knows neither --quiet nor --progress.
_QUIET = {"0.3.0": (), "0.4.0": ("--quiet",)}


@dataclass(frozen=True, slots=True)
class Oracle:
    """One released version. `stream` says where; its key is passed on in the same form."""

    version: str
    command: Path

    def put(self, stream: Stream, content: Input, *flags: str) -> Outcome:
        """Store."""
        sealing = () if stream.encrypts else ("--no-encrypt",)
        return self._run("put", stream, *sealing, *flags, stdin=content).expect(0)

    def get(self, stream: Stream, *flags: str, code: int = 0) -> bytes:
        """Restore."""
        return self._run("get", stream, *flags).expect(code).stdout

    def verify(self, stream: Stream, *flags: str) -> Outcome:
        """Verify."""
        return self._run("verify", stream, *flags).expect(0)

    def _run(self, verb: str, stream: Stream, *flags: str, stdin: Input = None) -> Outcome:
        return run(
            *(verb, *stream.flags, *_QUIET[self.version], *flags),
            stdin=stdin,
            environment=stream.bucket.environment,
            command=self.command,
        )
