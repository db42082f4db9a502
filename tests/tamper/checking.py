"""Holds what came of a reading against what was expected."""

from __future__ import annotations

from s3duct.domain.errors import ChunkMissing, S3ductError, WrongKey
from tests.tamper.outcomes import EXIT_CODES, Broken, Harmless, Inapplicable, Outcome, Refused, Undetected
from tests.tamper.readers import Reader, Reading
from tests.tamper.scene import GENUINE, Scene
from tests.unit.saying import assert_well_said


def check(expected: Outcome, scene: Scene, reader: Reader, reading: Reading) -> None:
    """Compare; nothing unverified may have been given out, whatever was expected."""
    assert not isinstance(expected, Inapplicable)
    raw = reader.work == "raw" and bool(scene.in_place["encrypted"])
    pieces = scene.raw_pieces if raw else scene.pieces
    if isinstance(expected, Refused):
        assert reading.data == b""
        assert_refused(reading.error, expected)
    elif isinstance(expected, Broken):
        _check_broken(expected, scene, reader, reading, pieces)
    else:
        _check_all(expected, reader, reading, pieces, raw=raw)


def assert_refused(error: S3ductError | None, expected: Refused) -> None:
    """It is one of the errors expected, says so in one line, and names the flag that overrides it, no other."""
    assert error is not None
    assert type(error) in expected.errors, f"{error!r}, {error.hint}"
    assert error.exit_code == EXIT_CODES[type(error)]
    assert_well_said(error)
    assert expected.hint in error.hint
    if "--allow" not in expected.hint:
        assert "--allow" not in error.hint


def _check_broken(
    expected: Broken, scene: Scene, reader: Reader, reading: Reading, pieces: list[bytes]
) -> None:
    opened = reader.opens and scene.mode.method != "plain"
    if expected.inside_alone and not opened:
        _check_all(Undetected("seen only when opened"), reader, reading, pieces, raw=True)
    elif reader.writes:
        assert reading.data == b"".join(pieces[: expected.victims[0]])
        assert_refused(reading.error, Refused((expected.error,)))
    elif expected.error is WrongKey:
        assert_refused(reading.error, Refused((WrongKey,)))
    else:
        assert reading.error is None
        assert reading.found is not None
        missing = expected.error is ChunkMissing
        seen = reader.work == "deep" or missing or not expected.same_size or reader.tags
        assert reading.found.missing == (expected.victims if missing else ())
        assert reading.found.mismatched == (expected.victims if seen and not missing else ())
        assert reading.data == b""


def _check_all(
    expected: Harmless | Undetected, reader: Reader, reading: Reading, pieces: list[bytes], *, raw: bool
) -> None:
    assert reading.error is None, f"{reading.error!r}, {reading.error.hint}"
    if not reader.writes:
        assert reading.found is not None
        assert reading.found.ok
        return
    assert reading.data == b"".join(pieces)
    if not raw:
        assert (reading.data == GENUINE) is isinstance(expected, Harmless)
