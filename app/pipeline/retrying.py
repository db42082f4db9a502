"""The one place that tries again: an operation, the domain's policy, and a clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from s3duct.domain.errors import S3ductError
from s3duct.domain.events import Listener, RetryScheduled
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.entropy import Entropy
from s3duct.domain.retry import RetryPolicy

T = TypeVar("T")


class Retrier:
    """Runs operations until they succeed, fail for good, or have used up the policy's budget."""

    def __init__(self, policy: RetryPolicy, *, clock: Clock, entropy: Entropy, listener: Listener) -> None:
        """Take the policy and what it needs."""
        self._policy = policy
        self._clock = clock
        self._entropy = entropy
        self._listener = listener

    async def run(self, operation: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run `attempt`, anew each time, until it succeeds; return what it returned.

        Raises:
            S3ductError: the last attempt's error, if it cannot be retried or the budget is used up.
        """
        failures = 0
        failing_since = 0.0
        while True:
            try:
                return await attempt()
            except S3ductError as error:
                now = self._clock.monotonic_s()
                failing_since = failing_since if failures else now
                failures += 1
                delay_s = self._policy.next_delay_s(
                    error, attempt=failures, failing_for_s=now - failing_since, jitter=self._entropy.unit()
                )
                if delay_s is None:
                    raise
                self._listener(RetryScheduled(operation, error.message, failures, delay_s))
            await self._clock.sleep(delay_s)
