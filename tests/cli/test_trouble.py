"""While a run waits, it says why and until when; a log is not flooded."""

from __future__ import annotations

import pytest

from s3duct.app.cli.trouble import Trouble
from s3duct.domain.events import BytesMoved, PaceChanged, RetryScheduled, RetrySucceeded

REFUSED = "the store does not answer (connection refused)"
LEFT_S = 6 * 3600 - 100


class Said:
    """A trouble over a clock that the test moves."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.now_s = 1000.0
        self.lines: list[str] = []
        self.trouble = Trouble(
            quiet=quiet, verbose=verbose, clock=lambda: self.now_s, speak=self.lines.append
        )

    def fail(self, operation: str = "a", *, attempt: int = 1, delay_s: float = 40) -> None:
        self.trouble(RetryScheduled(operation, REFUSED, attempt, delay_s, LEFT_S))


def test_it_says_why_and_until_when() -> None:
    said = Said()
    said.fail()
    assert said.lines == [f"{REFUSED}: next try in 40 s, giving up in 5 h 58 min"]


def test_the_live_line_counts_down_and_is_empty_once_all_is_well() -> None:
    said = Said()
    assert said.trouble.line() == ""
    said.fail()
    said.fail("b", delay_s=90)
    said.now_s += 15
    assert said.trouble.line() == f"{REFUSED}: next try in 25 s, giving up in 5 h 58 min"
    said.now_s += 30
    assert said.trouble.line() == f"{REFUSED}: trying again, giving up in 5 h 57 min"
    said.trouble(RetrySucceeded("a", 1, 45))
    assert "next try in 45 s" in said.trouble.line()
    said.trouble(RetrySucceeded("b", 1, 45))
    assert said.trouble.line() == ""
    assert said.lines[-1] == "the store answers again, after 45 s"


@pytest.mark.parametrize(("left", "text"), [(0, "1 more try"), (4, "5 more tries")])
def test_a_number_of_tries_is_told_as_such(left: int, text: str) -> None:
    said = Said()
    said.trouble(RetryScheduled("a", REFUSED, 1, 2, None, left))
    assert said.lines == [f"{REFUSED}: next try in 2 s, giving up after {text}"]


def test_ten_uploads_that_fail_for_an_hour_do_not_flood_a_log() -> None:
    said = Said()
    for attempt in range(1, 361):
        for number in range(10):
            said.fail(f"upload {number}", attempt=attempt, delay_s=10)
        said.now_s += 9
    assert 100 < len(said.lines) <= 360 / 10 * 9 + 1


def test_a_short_hiccup_is_told_once() -> None:
    said = Said()
    said.fail()
    said.now_s += 2
    said.trouble(RetrySucceeded("a", 1, 2))
    assert len(said.lines) == 1


def test_verbose_tells_of_every_operation_and_of_the_pace() -> None:
    said = Said(verbose=True)
    said.fail("upload of a")
    said.fail("upload of b", attempt=7)
    said.trouble(PaceChanged(3))
    assert said.lines[0].startswith("upload of a failed 1x: the store does not")
    assert said.lines[1].startswith("upload of b failed 7x: ")
    assert said.lines[2].endswith(": 3")


def test_the_live_line_tells_of_a_slower_pace() -> None:
    said = Said()
    said.trouble(PaceChanged(2))
    said.trouble(BytesMoved(1))
    assert said.trouble.line() == "slowed down to 2 at once"
    said.trouble(PaceChanged(None))
    assert said.trouble.line() == ""
    assert said.lines == []


def test_quiet_says_nothing() -> None:
    said = Said(quiet=True)
    said.fail()
    said.now_s += 60
    said.trouble(RetrySucceeded("a", 1, 60))
    assert said.lines == []
