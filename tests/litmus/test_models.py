"""The engine against explicit-state models: the same states, outcomes and numbers of steps.

Counting is not all: every state the engine meets is looked up in the model by the schedule that led
there. The engine must take two states for one exactly if the model does. Two model states with one
fingerprint is the worst bug there can be (`merged`); one model state with two fingerprints costs time
only (`split`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass

import pytest
from litmus import models, programs
from litmus.modelling import Model, census, follow
from litmus.programs import Program
from support.search import STATES_ARE_COMPARED, WHY_NOT, Met, explore

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")


@dataclass(frozen=True)
class Case:
    name: str
    program: Program
    model: Model
    granularity: str = "sync"


CASES = [
    *(
        Case(f"locked-2x{k}-{granularity}", programs.locked_increments(2, k),
             models.locked_increments(2, k, access=granularity == "access"), granularity)
        for k in (1, 2, 3, 4)
        for granularity in ("sync", "access")
    ),
    *(
        Case(f"raw-locked-2x{k}-{granularity}", programs.raw_locked_increments(k),
             models.raw_locked_increments(2, k, access=granularity == "access"), granularity)
        for k in (1, 2, 3, 4)
        for granularity in ("sync", "access")
    ),
    *(
        Case(f"locked-3x{k}-sync", programs.locked_increments(3, k), models.locked_increments(3, k, access=False))
        for k in (1, 2)
    ),
    Case("straight-line-2", programs.straight_line(2), models.straight_line(2)),
    Case("unlocked-attribute-2x1", programs.unlocked_attribute(2, 1), models.unlocked_increments(2, 1), "access"),
    Case("unlocked-attribute-2x2", programs.unlocked_attribute(2, 2), models.unlocked_increments(2, 2), "access"),
    Case("unlocked-attribute-3x1", programs.unlocked_attribute(3, 1), models.unlocked_increments(3, 1), "access"),
    Case("unlocked-global-2", programs.unlocked_global(2), models.unlocked_increments(2, 1), "access"),
    Case("unlocked-global-3", programs.unlocked_global(3), models.unlocked_increments(3, 1), "access"),
    Case("unlocked-cell-2", programs.unlocked_cell(2), models.unlocked_increments(2, 1), "access"),
    Case("unlocked-cell-3", programs.unlocked_cell(3), models.unlocked_increments(3, 1), "access"),
    Case("check-then-act-2", programs.check_then_act(2), models.check_then_act(2), "access"),
    Case("check-then-act-3", programs.check_then_act(3), models.check_then_act(3), "access"),
    *(
        Case(f"philosophers-{n}-{'ordered' if ordered else 'broken'}", programs.philosophers(n, ordered=ordered),
             models.philosophers(n, ordered=ordered))
        for n in (2, 3, 4)
        for ordered in (False, True)
    ),
    Case("semaphore-2-1", programs.semaphore(2, 1), models.semaphore(2, 1)),
    Case("semaphore-3-1", programs.semaphore(3, 1), models.semaphore(3, 1)),
    Case("semaphore-3-2", programs.semaphore(3, 2), models.semaphore(3, 2)),
    Case("event-1", programs.event(1), models.event(1)),
    Case("event-2", programs.event(2), models.event(2)),
    Case("simple-queue-2-1", programs.simple_queue(2, 1), models.simple_queue(2, 1)),
    Case("simple-queue-2-2", programs.simple_queue(2, 2), models.simple_queue(2, 2)),
    Case("bounded-queue-1-1", programs.bounded_queue(1, 1), models.bounded_queue(1, 1)),
    Case("bounded-queue-2-1", programs.bounded_queue(2, 1), models.bounded_queue(2, 1)),
]  # fmt: skip


def _conflicts(met: list[Met], model: Model) -> tuple[list[str], list[str]]:
    """Pairs of schedules that the engine wrongly merges, and that it fails to merge."""
    states: dict[tuple[int, int], dict[Hashable, tuple[int, ...]]] = defaultdict(dict)
    prints: dict[Hashable, dict[tuple[int, int], tuple[int, ...]]] = defaultdict(dict)
    for one in met:
        key = follow(model, one.schedule)
        states[one.fingerprint].setdefault(key, one.schedule)
        prints[key].setdefault(one.fingerprint, one.schedule)
    merged = [" | ".join(map(repr, found.values())) for found in states.values() if len(found) > 1]
    split = [" | ".join(map(repr, found.values())) for found in prints.values() if len(found) > 1]
    return merged, split


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_engine_finds_exactly_the_states_of_the_model(case: Case) -> None:
    expected = census(case.model)
    found = explore(case.program, granularity=case.granularity, notes=True, check=expected.states <= 500)
    assert found.complete
    merged, split = _conflicts(found.met, case.model)
    assert not merged, f"UNSOUND: different states, one fingerprint: {merged[:3]}"
    assert found.results == expected.outcomes
    assert not split, f"{len(split)} states have several fingerprints, such as after {split[:3]}"
    assert (found.states, found.executions, found.transitions) == (
        expected.states,
        expected.executions,
        expected.transitions,
    )
