"""Exact numbers of executions, transitions and states for each strategy.

A change of any of them is a change of what is explored: find out which, then pin the new ones. The
numbers of `dfs` follow from the models (`test_models`); those of `exhaust` add up the executions and
transitions of the rounds with preemption bounds 0, 1 and 2 and of the last one without a bound; its
states are the distinct ones of all rounds. Samplers compare no states: what is
pinned is how many different schedules they draw.
"""

from __future__ import annotations

import sys

import pytest
from litmus import programs
from litmus.modelling import KEEPS_LOCKS
from litmus.programs import Program
from support.search import Subject, explore, explore_with

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


WITHOUT_LOCKS: dict[str, dict[str, Numbers]] = {
    "locked-2x1": {"dfs": (22, 43, 21), "exhaust": (75, 172, 21)},
    "locked-2x3": {"dfs": (54, 107, 53), "exhaust": (175, 426, 53)},
    "locked-2x3-access": {"dfs": (90, 179, 89), "exhaust": (277, 672, 89)},
    "unlocked-2x2": {"dfs": (92, 183, 91), "exhaust": (220, 565, 91)},
    "check-then-act-2": {"dfs": (27, 53, 26), "exhaust": (88, 210, 26)},
    "philosophers-2-broken": {"dfs": (38, 75, 37), "exhaust": (125, 299, 37)},
    "philosophers-3-ordered": {"dfs": (500, 831, 331), "exhaust": (1481, 3190, 331)},
    "semaphore-2-1": {"dfs": (44, 87, 43), "exhaust": (131, 313, 43)},
    "event-2": {"dfs": (207, 356, 149), "exhaust": (653, 1345, 149)},
}
"""Where they differ because `threading` keeps no set of the locks of unjoined threads, see `KEEPS_LOCKS`."""


@pytest.mark.parametrize("strategy", ["dfs", "exhaust"])
@pytest.mark.parametrize("name", TABLE)
def test_the_numbers_are_as_pinned(name: str, strategy: str) -> None:
    program, granularity, pinned = TABLE[name]
    if not KEEPS_LOCKS:
        pinned = WITHOUT_LOCKS.get(name, pinned)
    found = explore(program, strategy, granularity=granularity, check=True)
    assert found.complete
    assert (found.executions, found.transitions, found.states) == pinned[strategy]


REDUCED: dict[str, Numbers] = {
    "locked-2x1": (2, 30, 7), "locked-2x3": (10, 154, 21), "locked-2x3-access": (10, 154, 21),
    "raw-locked-2x3": (82, 538, 100), "unlocked-2x2": (29, 186, 58), "check-then-act-2": (5, 40, 13),
    "philosophers-2-broken": (4, 32, 11), "philosophers-3-ordered": (8, 124, 43), "semaphore-2-1": (15, 107, 27),
    "event-2": (75, 258, 90), "bounded-queue-2-1": (24, 127, 32),
}  # fmt: skip
"""By `dpor`, at `access`. Transitions are also those where there is nothing to choose."""
REDUCED_WITHOUT_LOCKS: dict[str, Numbers] = {"philosophers-3-ordered": (8, 116, 42)}
REDUCED_SINCE_314: dict[str, Numbers] = {
    "check-then-act-2": (5, 36, 13), "philosophers-2-broken": (4, 30, 11), "philosophers-3-ordered": (8, 110, 42),
}  # fmt: skip
STATELESS_SINCE_314: dict[str, tuple[int, int]] = {
    "check-then-act-2": (4, 35), "philosophers-2-broken": (14, 138), "philosophers-3-ordered": (7, 117),
}  # fmt: skip


@pytest.mark.parametrize("name", REDUCED)
def test_the_reduced_numbers_are_as_pinned(name: str) -> None:
    program, _, _ = TABLE[name]
    found = explore_with(
        program, lambda subject: subject.search("dpor"), granularity="access", footprints=True, check=True
    )
    assert found.complete
    pinned = REDUCED if KEEPS_LOCKS else REDUCED | REDUCED_WITHOUT_LOCKS
    if sys.version_info >= (3, 14):
        pinned = pinned | REDUCED_SINCE_314
    assert (found.executions, found.transitions, found.states) == pinned[name]


STATELESS: dict[str, tuple[int, int]] = {
    "locked-2x1": (2, 30), "locked-2x3": (20, 376), "locked-2x3-access": (20, 376), "raw-locked-2x3": (320, 2190),
    "unlocked-2x2": (34, 307), "check-then-act-2": (4, 39), "philosophers-2-broken": (14, 149),
    "philosophers-3-ordered": (7, 124), "semaphore-2-1": (28, 338), "event-2": (1960, 20605),
    "bounded-queue-2-1": (434, 4825),
}  # fmt: skip
"""Executions and transitions by `source-dpor`, at `access`: 20 are all orders of three acquires by two threads."""


@pytest.mark.parametrize("name", STATELESS)
def test_the_numbers_without_visited_set_are_as_pinned(name: str) -> None:
    program, _, _ = TABLE[name]
    found = explore_with(program, lambda subject: subject.search("source-dpor"), granularity="access", footprints=True)
    assert found.complete
    pinned = STATELESS | STATELESS_SINCE_314 if sys.version_info >= (3, 14) else STATELESS
    assert (found.executions, found.transitions, found.states) == (*pinned[name], 0)


SAMPLED: dict[str, dict[str, Numbers]] = {
    # name: {strategy: (executions, transitions, different schedules)}, with seed 0
    "locked-2x3": {"random": (60, 703, 57), "pct": (60, 700, 30), "pos": (60, 736, 48), "surw": (60, 629, 52)},
    "unlocked-2x2": {"random": (60, 729, 57), "pct": (60, 635, 27), "pos": (60, 668, 40), "surw": (60, 760, 58)},
    "philosophers-3-ordered": {
        "random": (60, 1068, 60), "pct": (60, 1070, 50), "pos": (60, 1055, 58), "surw": (60, 991, 59),
    },
    "bounded-queue-2-1": {"random": (60, 752, 58), "pct": (60, 701, 32), "pos": (60, 747, 48), "surw": (60, 701, 54)},
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLED)
def test_the_same_schedules_are_drawn_as_ever(name: str) -> None:
    """On every version, whatever the hash seed: what is drawn depends on the program and the seed alone."""
    program, granularity, _ = TABLE[name]

    def use(subject: Subject) -> dict[str, Numbers]:
        drawn = {}
        for strategy, (executions, _, _) in SAMPLED[name].items():
            found = subject.search(strategy, max_executions=executions)
            assert found.search is not None
            drawn[strategy] = (found.executions, found.transitions, len(found.search.schedules))
        return drawn

    assert explore_with(program, use, granularity=granularity) == SAMPLED[name]
