"""Any interleaving of puts of one name: machines that start, sleep, wake up, die, are lost, and take over from one another.

The runs are really under way at once; what each of them does next, and when, is drawn. Two things hold at every moment: a
visible manifest names its own chunks and no missing one (`invariant.watched` looks at every write), and what a run's journal
has on record is not sent again. In the end, whatever is lying about, a put that takes over ends well.

FAULT_FACTOR=100 runs so many times as many examples.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from s3duct.domain.errors import RunInProgress
from tests.fakes.hooked_store import Phase
from tests.fakes.hooks import refused, unavailable
from tests.fakes.journal import FakeJournalStore
from tests.fault.three_machines import ThreeMachines
from tests.usecases.world import CHUNK, content

COUNTS: Counter[str] = Counter()
FACTOR = int(os.environ.get("FAULT_FACTOR") or 1)
MACHINES = st.permutations("abc")
SIZES = [CHUNK + 5, 2 * CHUNK, 3 * CHUNK + 5]
# Beginnings of one another, another one, and nothing; by name, so that a failure can be read.
CONTENTS = {f"{seed}:{size}": content(size, seed) for seed in (0, 1) for size in SIZES} | {"empty": b""}
LONGEST = f"0:{SIZES[-1]}"
INPUTS = st.sampled_from([LONGEST] * 10 + list(CONTENTS))
OPTIONS = st.fixed_dictionaries(
    {
        "clobber": st.booleans(),
        "resume": st.sampled_from([True, True, True, False]),
        "strict_resume": st.sampled_from([True, True, True, False]),
        "takeover": st.booleans(),
    }
)
# Which of the runs that are under way, and how many halves of operations: a put takes some fifty.
WHICH = st.integers(0, 2)
STEPS = st.sampled_from(range(1, 50))
PHASES = st.sampled_from([Phase.BEFORE, Phase.AFTER])


class Machines(RuleBasedStateMachine):
    """Three machines, one bucket, one name."""

    all: ThreeMachines

    @initialize(
        data=INPUTS,
        options=OPTIONS,
        steps=STEPS,
        sealed=st.booleans(),
        max_chunks=st.sampled_from([1, 3]),
        conditions=st.sampled_from([True, True, False]),
    )
    def begin(
        self,
        data: str,
        options: dict[str, Any],
        steps: int,
        sealed: bool,
        max_chunks: int,
        conditions: bool,
    ) -> None:
        """The first put is under way."""
        self.all = ThreeMachines(sealed=sealed, max_chunks=max_chunks, conditions=conditions, counts=COUNTS)
        self.all.start("a", CONTENTS[data], options)
        self.all.go_on("a", steps)

    # --- one run ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.all.live) < len(self.all.disks))
    @rule(
        machines=MACHINES,
        data=INPUTS,
        options=OPTIONS,
        replaces=st.booleans(),
        waits=st.booleans(),
        steps=STEPS,
    )
    def start(
        self, machines: str, data: str, options: dict[str, Any], replaces: bool, waits: bool, steps: int
    ) -> None:
        """A put begins, perhaps when the claims of others are stale."""
        COUNTS["steps"] += 1
        if waits:
            self.all.first.let_claims_go_stale()
        if replaces and self.all.seen[-1] is not None:  # it would be refused at once
            options = {**options, "clobber": True}
        self.all.start(self.all.free(machines), CONTENTS[data], options)
        self.all.go_on(list(self.all.live)[-1], steps)

    @precondition(lambda self: bool(self.all.live))
    @rule(which=WHICH, options=OPTIONS)
    def start_twice(self, which: int, options: dict[str, Any]) -> None:
        """On one machine: the second one is refused, unless the first has let go of its journal at its very end."""
        COUNTS["steps"] += 1
        machine = self.all.busy(which)
        if self.all.disks[machine].held:
            error = self.all.run_beside(machine, options)
            assert isinstance(error, RunInProgress), error

    @precondition(lambda self: bool(self.all.live))
    @rule(which=WHICH, steps=STEPS)
    def go_on(self, which: int, steps: int) -> None:
        COUNTS["steps"] += 1
        self.all.go_on(self.all.busy(which), steps)

    @precondition(lambda self: len(self.all.live) > 1)
    @rule(turns=st.lists(st.tuples(WHICH, st.integers(1, 3)), min_size=10, max_size=40))
    def go_on_in_turns(self, turns: list[tuple[int, int]]) -> None:
        """Operation by operation."""
        COUNTS["steps"] += 1
        for which, steps in turns:
            self.all.go_on(self.all.busy(which), steps)

    @precondition(lambda self: bool(self.all.live))
    @rule(which=WHICH, phase=PHASES, for_good=st.booleans(), steps=STEPS)
    def fault(self, which: int, phase: Phase, for_good: bool, steps: int) -> None:
        COUNTS["steps"] += 1
        COUNTS["faults"] += 1
        machine = self.all.busy(which)
        self.all.live[machine].fail_next(phase, refused if for_good else unavailable)
        self.all.go_on(machine, steps)

    @precondition(lambda self: bool(self.all.live))
    @rule(which=WHICH)
    def end(self, which: int) -> None:
        COUNTS["steps"] += 1
        self.all.end(self.all.busy(which))

    @precondition(lambda self: bool(self.all.live))
    @rule(which=WHICH, machine_is_lost=st.booleans())
    def kill(self, which: int, machine_is_lost: bool) -> None:
        """With it goes what it had not yet sent, and perhaps its disk."""
        COUNTS["steps"] += 1
        machine = self.all.busy(which)
        self.all.kill(machine)
        if machine_is_lost:
            self.all.disks[machine] = FakeJournalStore()

    @precondition(lambda self: bool(self.all.live))
    @rule(which=WHICH, machines=MACHINES, here=st.booleans(), to_its_end=st.booleans(), steps=STEPS)
    def kill_and_run_again(self, which: int, machines: str, here: bool, to_its_end: bool, steps: int) -> None:
        """The same put, here or elsewhere."""
        COUNTS["steps"] += 1
        machine = self.all.busy(which)
        run = self.all.live[machine]
        self.all.kill(machine)
        options = {**run.options, "resume": True, "takeover": not here}
        self.all.start(machine if here else self.all.free(machines), run.data, options)
        started = list(self.all.live)[-1]
        if to_its_end:
            self.all.end(started)
        else:
            self.all.go_on(started, steps)

    @precondition(lambda self: 0 < len(self.all.live) < len(self.all.disks))
    @rule(
        which=WHICH,
        machines=MACHINES,
        data=INPUTS,
        resume=st.sampled_from([True, True, False]),
        clobber=st.booleans(),
        steps=STEPS,
    )
    def take_over_and_wake(
        self, which: int, machines: str, data: str, resume: bool, clobber: bool, steps: int
    ) -> None:
        """While one sleeps, another one takes over and comes to its end; then the first one goes on."""
        COUNTS["steps"] += 1
        sleeper = self.all.busy(which)
        other = self.all.free(machines)
        options = {"takeover": True, "resume": resume, "clobber": clobber, "strict_resume": True}
        self.all.start(other, CONTENTS[data], options)
        self.all.end(other)
        self.all.go_on(sleeper, steps)

    # --- the world around --------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.all.live)
    @rule(everything=st.booleans())
    def delete(self, everything: bool) -> None:
        """With the tools of the store, while nobody puts: the manifest and what it names, or all there is."""
        COUNTS["steps"] += 1
        self.all.delete(everything)

    @invariant()
    def what_can_be_got_was_put_last(self) -> None:
        if hasattr(self, "all"):
            assert self.all.visible() == self.all.seen[-1]

    def teardown(self) -> None:
        """Whatever is lying about stands in nobody's way."""
        if not hasattr(self, "all"):
            return
        COUNTS["examples"] += 1
        try:
            for machine in list(self.all.live):
                self.all.kill(machine)
            assert self.all.visible() == self.all.seen[-1]
            data = content(CHUNK, 77)
            self.all.start("a", data, {"clobber": True, "takeover": True, "resume": False})
            assert self.all.end("a") is None
            assert self.all.visible() == data
            assert self.all.loop.run(self.all.first.resume_keys()) == []
        finally:
            self.all.loop.close()


TestMachines = Machines.TestCase
TestMachines.settings = settings(
    max_examples=15 * FACTOR,
    stateful_step_count=10,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Stage.explicit, Stage.reuse, Stage.generate],
    report_multiple_bugs=False,
)


def test_how_often() -> None:
    """What the machine of this process has done (`pytest -rP` shows it)."""
    for name, count in sorted(COUNTS.items()):
        print(f"{count:>12,}  {name}")
    if not COUNTS:
        pytest.skip("the machine of this file did not run")
