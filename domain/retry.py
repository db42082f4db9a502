"""The one retry policy: which error, at which attempt, after how long, is worth another try.

Exponential back-off with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").
"""

from __future__ import annotations

from dataclasses import dataclass

from s3duct.domain.errors import S3ductError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Budget and pace of retries, in seconds. The budget counts from the first failure of one operation."""

    budget_s: float = 900.0
    base_s: float = 0.5
    cap_s: float = 30.0

    def next_delay_s(
        self, error: S3ductError, *, attempt: int, failing_for_s: float, jitter: float
    ) -> float | None:
        """Return how long to wait before the next attempt, or None to give up.

        Args:
            error: what the last attempt failed with.
            attempt: how many attempts have failed, from 1.
            failing_for_s: time since the first failure.
            jitter: a random number, at least 0 and below 1.
        """
        if not error.retryable or failing_for_s >= self.budget_s:
            return None
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 32))
        return min(ceiling * jitter, self.budget_s - failing_for_s)


NO_RETRIES = RetryPolicy(budget_s=0.0)
