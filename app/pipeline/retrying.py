"""The one place that tries again: an operation, the domain's policy, and a clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from s3duct.app.pipeline.mark import Mark
from s3duct.app.pipeline.pacing import Pacer
from s3duct.domain.errors import S3ductError
from s3duct.domain.events import Listener, RetryScheduled, RetrySucceeded
from s3duct.domain.ports.clock import Clock
from s3duct.domain.ports.entropy import Entropy
from s3duct.domain.retry import RetryPolicy

T = TypeVar("T")


class Retrier:
    """Runs the operations of one run until they succeed, fail for good, or have used up the policy's budget."""

    def __init__(self, policy: RetryPolicy, *, clock: Clock, entropy: Entropy, listener: Listener) -> None:
        """Take the policy and what it needs."""
        self._policy = policy
        self._clock = clock
        self._entropy = entropy
        self._listener = listener
        self._pacer = Pacer(listener)
        self._most_wait: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._succeeded_at_s = float("-inf")

    def sibling(
        self,
        policy: Callable[[RetryPolicy], RetryPolicy] = lambda policy: policy,
        *,
        most_wait_s: float | None = None,
    ) -> Retrier:
        """Return one that keeps pace with this one, but whose successes are none of this one's.

        Args:
            policy: may make another policy out of this one's.
            most_wait_s: for how long it waits for a turn; then it goes without. None: for as long as it takes.
        """
        other = Retrier(
            policy(self._policy), clock=self._clock, entropy=self._entropy, listener=self._listener
        )
        other._pacer = self._pacer
        if most_wait_s is not None:
            other._most_wait = lambda: self._clock.until(self._clock.monotonic_s() + most_wait_s)
        return other

    async def run(
        self,
        operation: str,
        attempt: Callable[[], Awaitable[T]],
        *,
        before: Callable[[], Awaitable[None]] | None = None,
        arriving: Mark | None = None,
    ) -> T:
        """Run `attempt`, anew each time, until it succeeds; return what it returned.

        It must be safe to repeat: an attempt that failed may have taken effect all the same. Nor may it wait for another
        operation: it holds one of the turns that a throttling store leaves. What must be true at each attempt, and needs
        operations of its own, belongs into `before`, which is called in front of each, holds no turn, and tries by itself.
        `arriving` stands for the bytes of an attempt that may begin before they are all there (see `Pacer.turn`).

        Raises:
            S3ductError: the last attempt's error, if it cannot be retried or the budget is used up.
        """
        failures = 0
        first_failure_s = 0.0
        while True:
            if before is not None:
                await before()
            asked_at_s = self._clock.monotonic_s()
            try:
                async with self._pacer.turn(arriving, most_wait=self._most_wait):
                    # Who waits for others, or for the producer, does not fail meanwhile.
                    first_failure_s += self._clock.monotonic_s() - asked_at_s
                    result = await attempt()
            except S3ductError as error:
                now_s = self._clock.monotonic_s()
                first_failure_s = first_failure_s if failures else now_s
                failures += 1
                # Once anything has succeeded, the store was there again: what fails now is a new spell of trouble.
                failing_for_s = now_s - max(first_failure_s, self._succeeded_at_s)
                delay_s = self._schedule(operation, error, failures, failing_for_s)
                if delay_s is None:
                    raise
            else:
                self._note_success(operation, failures, first_failure_s)
                return result
            await self._clock.sleep(delay_s)

    def _schedule(
        self, operation: str, error: S3ductError, failures: int, failing_for_s: float
    ) -> float | None:
        """Return how long to wait, and say so; None to give up."""
        delay_s = self._policy.next_delay_s(
            error, attempt=failures, failing_for_s=failing_for_s, jitter=self._entropy.unit()
        )
        if delay_s is not None:
            retries_left = self._policy.retries_left(failures)
            self._listener(
                RetryScheduled(
                    operation,
                    error.message,
                    failures,
                    delay_s,
                    self._policy.left_s(failing_for_s),
                    None if retries_left is None else retries_left - 1,
                )
            )
        return delay_s

    def _note_success(self, operation: str, failures: int, first_failure_s: float) -> None:
        self._succeeded_at_s = self._clock.monotonic_s()
        if failures:
            self._listener(RetrySucceeded(operation, failures, self._succeeded_at_s - first_failure_s))
