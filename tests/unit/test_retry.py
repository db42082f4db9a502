from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.domain.errors import (
    AccessDenied,
    ChunkDamaged,
    S3ductError,
    StoreThrottled,
    StoreUnavailable,
    UsageError,
)
from s3duct.domain.retry import NO_RETRIES, RetryPolicy, parse_retry_policy

LOST = StoreUnavailable("the connection was lost")

positive = st.floats(0.001, 10_000)
policies = st.builds(RetryPolicy, budget_s=positive, base_s=positive, cap_s=positive)
jitters = st.floats(0, 1, exclude_max=True)


@given(policies, st.integers(1, 10**6), st.floats(0, 20_000), jitters)
def test_a_delay_lies_between_nothing_and_the_cap_and_within_the_budget(
    policy: RetryPolicy, attempt: int, failing_for_s: float, jitter: float
) -> None:
    delay_s = policy.next_delay_s(LOST, attempt=attempt, failing_for_s=failing_for_s, jitter=jitter)
    if failing_for_s >= policy.budget_s:
        assert delay_s is None
    else:
        assert delay_s is not None
        assert 0 <= delay_s <= policy.cap_s
        assert failing_for_s + delay_s <= policy.budget_s * (1 + 1e-12)


@given(policies, st.integers(1, 100), st.floats(0, 20_000), jitters)
@pytest.mark.parametrize("error", [AccessDenied("no"), ChunkDamaged("broken"), S3ductError("odd")])
def test_what_a_retry_cannot_help_is_given_up_at_once(
    error: S3ductError, policy: RetryPolicy, attempt: int, failing_for_s: float, jitter: float
) -> None:
    assert policy.next_delay_s(error, attempt=attempt, failing_for_s=failing_for_s, jitter=jitter) is None


@given(policies, st.lists(st.tuples(st.floats(0, 100), jitters), min_size=1, max_size=200))
def test_no_run_of_failures_waits_beyond_the_budget(
    policy: RetryPolicy, failures: list[tuple[float, float]]
) -> None:
    """Attempts take time too: the last one may end late, but it began within the budget."""
    now_s = 0.0
    for attempt, (takes_s, jitter) in enumerate(failures, start=1):
        delay_s = policy.next_delay_s(LOST, attempt=attempt, failing_for_s=now_s, jitter=jitter)
        if delay_s is None:
            assert now_s >= policy.budget_s
            return
        assert now_s + delay_s <= policy.budget_s * (1 + 1e-12)
        now_s += delay_s + takes_s


def test_the_ceiling_doubles_up_to_the_cap() -> None:
    policy = RetryPolicy(budget_s=1e9, base_s=0.5, cap_s=30)
    almost_one = 1 - 2**-53
    delays = [policy.next_delay_s(LOST, attempt=n, failing_for_s=0, jitter=almost_one) for n in range(1, 12)]
    assert delays == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30])


@given(st.integers(1, 100), jitters)
def test_jitter_is_full_so_that_clients_spread_over_the_whole_ceiling(attempt: int, jitter: float) -> None:
    policy = RetryPolicy(budget_s=1e9)
    half = policy.next_delay_s(LOST, attempt=attempt, failing_for_s=0, jitter=0.5)
    assert half is not None
    assert half > 0
    assert policy.next_delay_s(LOST, attempt=attempt, failing_for_s=0, jitter=jitter) == pytest.approx(
        2 * half * jitter
    )
    assert policy.next_delay_s(LOST, attempt=attempt, failing_for_s=0, jitter=0.0) == 0


def test_throttling_is_retried_like_an_outage() -> None:
    policy = RetryPolicy()
    assert policy.next_delay_s(StoreThrottled("slow down"), attempt=1, failing_for_s=0, jitter=0.5) == 0.25


def test_no_retries_means_none() -> None:
    assert NO_RETRIES.next_delay_s(LOST, attempt=1, failing_for_s=0, jitter=0.0) is None


def test_by_default_it_goes_on_for_hours() -> None:
    assert RetryPolicy().budget_s == 6 * 3600
    assert parse_retry_policy(retry_for_s=None, max_retries=None) == RetryPolicy()


def test_the_two_limits_can_be_set_apart_or_together() -> None:
    assert parse_retry_policy(retry_for_s=90, max_retries=None).budget_s == 90
    by_number = parse_retry_policy(retry_for_s=None, max_retries=4)
    assert (by_number.budget_s, by_number.max_retries) == (math.inf, 4)
    both = parse_retry_policy(retry_for_s=90, max_retries=4)
    assert (both.budget_s, both.max_retries) == (90, 4)
    with pytest.raises(UsageError):
        parse_retry_policy(retry_for_s=None, max_retries=-1)


@given(st.integers(0, 50), st.integers(1, 100))
def test_one_operation_is_tried_again_as_often_as_allowed_and_no_more(allowed: int, attempt: int) -> None:
    policy = parse_retry_policy(retry_for_s=None, max_retries=allowed)
    delay_s = policy.next_delay_s(LOST, attempt=attempt, failing_for_s=1e6, jitter=0.5)
    assert (delay_s is None) == (attempt > allowed)
    assert policy.retries_left(attempt) == max(allowed + 1 - attempt, 0)
    assert policy.left_s(1e6) is None


@given(st.floats(-10, 1e9), jitters)
def test_what_the_store_asks_for_comes_before_the_back_off_within_reason(
    asked_s: float, jitter: float
) -> None:
    policy = RetryPolicy(budget_s=1e6)
    error = StoreThrottled("slow down", retry_after_s=asked_s)
    delay_s = policy.next_delay_s(error, attempt=1, failing_for_s=0, jitter=jitter)
    assert delay_s is not None
    assert delay_s == pytest.approx(min(max(asked_s, 0), 900) + 0.5 * jitter)


def test_what_the_store_asks_for_does_not_stretch_the_budget() -> None:
    error = StoreThrottled("slow down", retry_after_s=60)
    assert RetryPolicy(budget_s=10).next_delay_s(error, attempt=1, failing_for_s=4, jitter=0) == 6
