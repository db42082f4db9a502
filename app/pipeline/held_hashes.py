"""Hashes of chunks that are on their way: held, while nothing waits for them, for those of others (ADR 0020, 0028)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from s3duct.app.pipeline.batches import Patience
from s3duct.app.pipeline.carried_lane import CarriedLane

# How long they may wait for those of others, with which they go faster.
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class _Held:
    patience: Patience
    end_of_it: asyncio.TimerHandle
    carried: CarriedLane | None

    def end_patience(self) -> None:
        self.end_of_it.cancel()
        self.patience.end()


class HeldHashes:
    """Which chunks' hashes are held, by index; on one event loop."""

    def __init__(self) -> None:
        """Hold none."""
        self._held: dict[int, _Held] = {}

    def hold(self, index: int, carried: CarriedLane | None) -> Patience:
        """Hold those of chunk `index`, one of them perhaps `carried`, until they are wanted, two seconds at most."""
        patience = Patience()
        timer = asyncio.get_running_loop().call_later(_PATIENCE_S, patience.end)
        self._held[index] = _Held(patience, timer, carried)
        return patience

    def want(self, last_index: int) -> None:
        """Chunk `last_index` goes on record now: those in front are wanted as well, for records are linked in order."""
        for index in [index for index in self._held if index <= last_index]:
            held = self._held.pop(index)
            held.end_patience()
            if held.carried is not None:
                held.carried.let_go()

    def expect_no_others(self) -> None:
        """No more chunks will come: there is nothing to wait for. What is carried is still taken along."""
        for held in self._held.values():
            held.end_patience()
