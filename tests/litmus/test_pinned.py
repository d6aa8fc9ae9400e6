"""Exact numbers of executions, transitions and states for each strategy.

A change of any of them is a change of what is explored: find out which, then pin the new ones. The
numbers of `dfs` follow from the models (`test_models`); those of `exhaust` add up the executions and
transitions of the rounds with preemption bounds 0, 1 and 2 and of the last one without a bound; its
states are the distinct ones of all rounds.
"""

from __future__ import annotations

import pytest
from litmus import programs
from litmus.programs import Program
from support.search import explore

Numbers = tuple[int, int, int]
TABLE: dict[str, tuple[Program, str, dict[str, Numbers]]] = {
    # name: (program, granularity, {strategy: (executions, transitions, states)})
    "locked-2x1": (programs.locked_increments(2, 1), "sync", {"dfs": (26, 51, 25), "exhaust": (79, 183, 25)}),
    "locked-2x3": (programs.locked_increments(2, 3), "sync", {"dfs": (62, 123, 61), "exhaust": (183, 449, 61)}),
    "locked-2x3-access": (
        programs.locked_increments(2, 3), "access", {"dfs": (104, 207, 103), "exhaust": (291, 713, 103)},
    ),
    "raw-locked-2x3": (programs.raw_locked_increments(3), "sync", {"dfs": (95, 179, 84), "exhaust": (295, 700, 84)}),
    "unlocked-2x2": (programs.unlocked_attribute(2, 2), "access", {"dfs": (98, 195, 97), "exhaust": (226, 582, 97)}),
    "check-then-act-2": (programs.check_then_act(2), "access", {"dfs": (30, 59, 29), "exhaust": (91, 218, 29)}),
    "philosophers-2-broken": (
        programs.philosophers(2, ordered=False), "sync", {"dfs": (44, 87, 43), "exhaust": (131, 316, 43)},
    ),
    "philosophers-3-ordered": (
        programs.philosophers(3, ordered=True), "sync", {"dfs": (625, 1048, 423), "exhaust": (1633, 3534, 423)},
    ),
    "semaphore-2-1": (programs.semaphore(2, 1), "sync", {"dfs": (50, 99, 49), "exhaust": (137, 330, 49)}),
    "event-2": (programs.event(2), "sync", {"dfs": (208, 358, 150), "exhaust": (654, 1347, 150)}),
    "bounded-queue-2-1": (programs.bounded_queue(2, 1), "sync", {"dfs": (35, 69, 34), "exhaust": (112, 261, 34)}),
}  # fmt: skip


@pytest.mark.parametrize("strategy", ["dfs", "exhaust"])
@pytest.mark.parametrize("name", TABLE)
def test_the_numbers_are_as_pinned(name: str, strategy: str) -> None:
    program, granularity, pinned = TABLE[name]
    found = explore(program, strategy, granularity=granularity, check=True)
    assert found.complete
    assert (found.executions, found.transitions, found.states) == pinned[strategy]
