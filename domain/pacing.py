"""How many operations may be under way at once, by what the store says: additive increase, multiplicative decrease.

Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in Computer Networks" (1989).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

# A store that asks to slow down has been asked for too much for a while: the way back is slow.
_STEP = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """A limit that follows the store's answers. A value: each answer gives the next one.

    `limit` is None as long as nothing was throttled. `ceiling` is how many were under way when that began: a limit that
    has grown back to it is lifted. `halved_at` is the number of the last operation that had begun when it was last halved.
    """

    limit: float | None = None
    ceiling: int = 0
    halved_at: int = 0

    @property
    def at_once(self) -> int | None:
        """The limit in whole operations, at least 1; None: there is none."""
        return None if self.limit is None else max(int(self.limit), 1)

    def admits(self, under_way: int) -> bool:
        """Whether one more may begin beside `under_way` others."""
        at_once = self.at_once
        return at_once is None or under_way < at_once

    def throttled(self, *, number: int, begun: int, under_way: int) -> Pace:
        """Halve the limit, unless the operation had begun before it was last halved: then it says nothing of the new one.

        Args:
            number: of the operation that was throttled, in the order in which they began.
            begun: number of the last operation that has begun.
            under_way: how many are, the throttled one included.
        """
        if number <= self.halved_at:
            return self
        before = under_way if self.limit is None else min(self.limit, under_way)
        return Pace(max(before / 2, 1.0), max(self.ceiling, under_way), begun)

    def succeeded(self) -> Pace:
        """Add one for every two whole rounds of successes; lift the limit once it is back where it was."""
        if self.limit is None:
            return self
        limit = self.limit + _STEP / self.limit
        return replace(self, limit=None, ceiling=0) if limit >= self.ceiling else replace(self, limit=limit)
