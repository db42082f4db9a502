from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.retrying import Retrier
from s3duct.domain.errors import AccessDenied, S3ductError, StoreThrottled, StoreUnavailable
from s3duct.domain.events import RetryScheduled, RetrySucceeded, ignore_events
from s3duct.domain.retry import NO_RETRIES, RetryPolicy
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.unit.saying import run, settle

if TYPE_CHECKING:
    from s3duct.domain.events import Event


class Bench:
    """A retrier over fakes, and an operation that fails as often as it is told; each attempt takes `takes_s`."""

    def __init__(self, policy: RetryPolicy, *, units: tuple[float, ...] = (0.5,), takes_s: float = 0) -> None:
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.attempts = 0
        self.began_s: list[float] = []
        self._takes_s = takes_s
        self.retrier = Retrier(
            policy, clock=self.clock, entropy=FakeEntropy(units=units), listener=self.events.append
        )

    def run(self, failures: Callable[[int], Exception | None]) -> str:
        async def attempt() -> str:
            self.attempts += 1
            assert self.attempts < 10_000, "it goes on and on"
            self.began_s.append(self.clock.monotonic_s())
            self.clock.advance(self._takes_s)
            error = failures(self.attempts)
            if error is not None:
                raise error
            return f"attempt {self.attempts}"

        return run(self.retrier.run("chunk 7", attempt))


def lost(attempt: int) -> StoreUnavailable:
    return StoreUnavailable(f"lost {attempt}")


def test_what_succeeds_is_done_once() -> None:
    bench = Bench(RetryPolicy())
    assert bench.run(lambda _: None) == "attempt 1"
    assert (bench.attempts, bench.clock.naps, bench.events) == (1, [], [])


def test_it_tries_again_after_each_delay_and_says_so() -> None:
    bench = Bench(RetryPolicy(budget_s=100, base_s=1, cap_s=8))
    assert bench.run(lambda n: lost(n) if n < 4 else None) == "attempt 4"
    assert bench.clock.naps == [0.5, 1, 2]
    assert bench.events == [
        RetryScheduled("chunk 7", "lost 1", 1, 0.5, 100),
        RetryScheduled("chunk 7", "lost 2", 2, 1, 99.5),
        RetryScheduled("chunk 7", "lost 3", 3, 2, 98.5),
        RetrySucceeded("chunk 7", 3, 3.5),
    ]


def test_a_number_of_retries_is_a_limit_of_its_own() -> None:
    bench = Bench(RetryPolicy(budget_s=float("inf"), base_s=1, cap_s=8, max_retries=3))
    with pytest.raises(StoreUnavailable, match="lost 4"):
        bench.run(lost)
    scheduled = [event for event in bench.events if isinstance(event, RetryScheduled)]
    assert [(event.attempt, event.left_s, event.retries_left) for event in scheduled] == [
        (1, None, 2),
        (2, None, 1),
        (3, None, 0),
    ]


def test_what_the_store_asks_for_is_waited_for() -> None:
    bench = Bench(RetryPolicy(base_s=1))
    bench.run(lambda n: StoreThrottled("slower", retry_after_s=20) if n < 2 else None)
    assert bench.clock.naps == [20.5]


def test_the_budget_begins_anew_after_any_success() -> None:
    """One operation fails for longer than the budget, in short spells: in between, another one succeeds."""
    clock = FakeClock()
    policy = RetryPolicy(budget_s=10, base_s=4, cap_s=4)
    retrier = Retrier(policy, clock=clock, entropy=FakeEntropy(units=(0.5,)), listener=ignore_events)

    async def well() -> None:
        return

    async def failing() -> None:
        if clock.monotonic_s() < 50:
            await retrier.run("another", well)
        raise lost(1)

    with pytest.raises(StoreUnavailable):
        run(retrier.run("chunk 7", failing))
    assert clock.monotonic_s() == 58  # the last success was at 48


@pytest.mark.parametrize("error", [AccessDenied("no"), OSError("odd"), KeyboardInterrupt()])
def test_what_a_retry_cannot_help_is_raised_as_it_is(error: BaseException) -> None:
    bench = Bench(RetryPolicy())

    def failures(attempt: int) -> Exception | None:
        if attempt == 2:
            raise error
        return lost(attempt)

    with pytest.raises(type(error)) as caught:
        bench.run(failures)
    assert caught.value is error
    assert bench.attempts == 2


def test_without_a_budget_there_is_one_attempt() -> None:
    bench = Bench(NO_RETRIES)
    with pytest.raises(StoreUnavailable, match="lost 1"):
        bench.run(lost)
    assert (bench.attempts, bench.clock.naps) == (1, [])


@given(
    st.builds(RetryPolicy, budget_s=st.floats(0, 100), base_s=st.floats(0.1, 10), cap_s=st.floats(0.1, 30)),
    st.lists(st.floats(0.1, 1, exclude_max=True), min_size=1, max_size=5).map(tuple),
    st.floats(0.01, 20),
)
def test_no_attempt_begins_after_the_budget_and_the_last_error_is_raised(
    policy: RetryPolicy, units: tuple[float, ...], takes_s: float
) -> None:
    bench = Bench(policy, units=units, takes_s=takes_s)
    with pytest.raises(StoreUnavailable) as caught:
        bench.run(lost)
    assert caught.value.message == f"lost {bench.attempts}"
    assert len(bench.events) == len(bench.clock.naps) == bench.attempts - 1
    first_failure_s = bench.began_s[0] + takes_s
    assert all(began_s <= (first_failure_s + policy.budget_s) * (1 + 1e-9) for began_s in bench.began_s)
    assert bench.clock.monotonic_s() >= first_failure_s + policy.budget_s - 1e-6


def test_the_budget_counts_from_the_first_failure_of_each_operation() -> None:
    """Not from the beginning of the run: an upload may take hours before it fails."""
    bench = Bench(RetryPolicy(budget_s=10, base_s=4, cap_s=4), takes_s=1_000)
    for _ in range(2):
        bench.attempts = 0
        assert bench.run(lambda n: lost(n) if n < 2 else None) == "attempt 2"
    assert bench.clock.naps == [2, 2]


def test_the_mood_may_change_between_attempts() -> None:
    bench = Bench(RetryPolicy())
    sequence: list[S3ductError] = [StoreUnavailable("a"), StoreThrottled("b"), AccessDenied("c")]
    with pytest.raises(AccessDenied, match="c"):
        bench.run(lambda n: sequence[n - 1])
    assert bench.attempts == 3


def test_a_success_beside_it_prolongs_no_budget() -> None:
    """Signs of life of one kind say nothing about what fails all the while."""
    bench = Bench(RetryPolicy(budget_s=10, base_s=1, cap_s=1))
    sibling = bench.retrier.sibling()
    attempts = 0

    async def succeeds() -> None:
        return

    async def fails() -> None:
        nonlocal attempts
        attempts += 1
        assert attempts < 1000, "it goes on and on"
        await sibling.run("sign of life", succeeds)
        raise lost(attempts)

    with pytest.raises(StoreUnavailable):
        run(bench.retrier.run("chunk 7", fails))
    assert sum(bench.clock.naps) <= 10


def test_to_wait_for_the_producer_uses_up_no_budget() -> None:
    """At a slow pace an upload begins when its chunk is there, hours after it was refused for the first time."""
    bench, mark, attempts = Bench(RetryPolicy(budget_s=10, base_s=1, cap_s=1)), Mark(), 0

    async def attempt() -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise StoreThrottled("slow down") if attempts == 1 else lost(attempts)

    async def scene() -> None:
        running = asyncio.ensure_future(bench.retrier.run("chunk 7", attempt, arriving=mark))
        await settle()
        assert attempts == 1
        bench.clock.advance(1_000)
        mark.finish()
        await running

    run(scene())
    assert attempts == 3
