"""Holds a source to what is known about its size."""

from __future__ import annotations

from s3duct.domain.errors import SourceError
from s3duct.domain.ports.pipe import Source

_HINT = "no manifest was written, what is stored is kept"


class SizedSource(Source):
    """Another source, refused when it grows beyond what is expected or ends before that."""

    def __init__(self, source: Source, *, expected_bytes: int | None, min_bytes: int) -> None:
        """Begin at the start of `source`; None and 0 expect nothing."""
        self._source = source
        self._expected_bytes = expected_bytes
        self._min_bytes = min_bytes
        self._read_bytes = 0

    def read_into(self, view: memoryview) -> int:
        """Read, and raise `SourceError` as soon as the size is wrong."""
        size = self._source.read_into(view)
        self._read_bytes += size
        expected = self._expected_bytes
        if expected is not None and self._read_bytes > expected:
            raise SourceError(f"the input is larger than the {expected} bytes of --expected-size", hint=_HINT)
        if not size:
            self._check_end()
        return size

    def completeness_warning(self, total_bytes: int) -> str:
        """What the source says."""
        return self._source.completeness_warning(total_bytes)

    def _check_end(self) -> None:
        read, expected = self._read_bytes, self._expected_bytes
        if expected is not None and read != expected:
            raise SourceError(
                f"the input ended after {read} bytes, but --expected-size is {expected} bytes", hint=_HINT
            )
        if read < self._min_bytes:
            raise SourceError(
                f"the input ended after {read} bytes, but --min-size is {self._min_bytes} bytes", hint=_HINT
            )
