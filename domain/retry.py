"""The one retry policy: which error, at which attempt, after how long, is worth another try.

Exponential back-off with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"); ADR 0016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from s3duct.domain.durations import HOUR_S
from s3duct.domain.errors import S3ductError, StoreUnavailable, UsageError

DEFAULT_RETRY_FOR_S = 6 * HOUR_S
# A store that asks for more than this has not understood the question.
_LONGEST_RETRY_AFTER_S = 0.25 * HOUR_S


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Budget and pace of retries, in seconds.

    The budget counts from the first failure of an operation, or from the last success of any operation of the run since
    then: it is meant for one spell of trouble. `max_retries` is how often one operation may be tried again.
    """

    budget_s: float = float(DEFAULT_RETRY_FOR_S)
    base_s: float = 0.5
    cap_s: float = 60.0
    max_retries: int | None = None

    def next_delay_s(
        self, error: S3ductError, *, attempt: int, failing_for_s: float, jitter: float
    ) -> float | None:
        """Return how long to wait before the next attempt, or None to give up.

        Args:
            error: what the last attempt failed with; what it says of `retry_after_s` comes before the back-off.
            attempt: how many attempts have failed, from 1.
            failing_for_s: how much of the budget is used up.
            jitter: a random number, at least 0 and below 1.
        """
        if not error.retryable or failing_for_s >= self.budget_s or self.retries_left(attempt) == 0:
            return None
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 32))
        return min(_asked_for_s(error) + ceiling * jitter, self.budget_s - failing_for_s)

    def left_s(self, failing_for_s: float) -> float | None:
        """How much of the budget is left; None if time is no limit."""
        return None if math.isinf(self.budget_s) else max(self.budget_s - failing_for_s, 0.0)

    def retries_left(self, attempt: int) -> int | None:
        """How many more tries there are after `attempt` failures; None if their number is no limit."""
        return None if self.max_retries is None else max(self.max_retries + 1 - attempt, 0)


NO_RETRIES = RetryPolicy(budget_s=0.0)


def parse_retry_policy(*, retry_for_s: float | None, max_retries: int | None) -> RetryPolicy:
    """Return the policy that the two flags ask for: a number alone has no limit in time, both together end with the first.

    Raises:
        UsageError: the number is negative.
    """
    if max_retries is not None and max_retries < 0:
        raise UsageError("--retries is below 0", hint="0 means that nothing is tried again")
    if retry_for_s is None:
        retry_for_s = DEFAULT_RETRY_FOR_S if max_retries is None else math.inf
    return RetryPolicy(budget_s=float(retry_for_s), max_retries=max_retries)


def _asked_for_s(error: S3ductError) -> float:
    if not isinstance(error, StoreUnavailable) or error.retry_after_s is None:
        return 0.0
    return min(max(error.retry_after_s, 0.0), _LONGEST_RETRY_AFTER_S)
