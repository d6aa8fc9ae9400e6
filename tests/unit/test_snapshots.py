"""Snapshots that are dropped for want of memory: the same search, with some transitions run twice."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy import Program, ToyEngine
from test_explorer import PROGRAMS, Survivor, verdict

from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Explorer, Search, SearchEnd
from pytest_statespace.explore.snapshots import Snapshots
from pytest_statespace.explore.strategies.base import Node
from pytest_statespace.explore.strategies.dfs import DepthFirstSearch
from pytest_statespace.explore.strategies.exhaust import Exhaust
from pytest_statespace.types import Verdict

WIDE: Program = tuple(tuple(("add", name, 1) for name in names) for names in ("xyxy", "yxyx", "xxyy"))


def run(engine: ToyEngine, strategy: str) -> Search:
    made = DepthFirstSearch(None) if strategy == "dfs" else Exhaust(None)
    return Explorer(engine, made, Budget(time.monotonic, time.monotonic(), 60.0)).run()


def numbers(search: Search) -> tuple[object, ...]:
    """Not the transitions: the toy counts single steps, and the engine those between choice points."""
    found = search.found
    return (
        search.end, search.executions, search.states, search.finished, search.outcomes,
        search.refused, search.covered_bound, dict(search.cuts), found and (found.kind, found.schedule),
    )  # fmt: skip


@settings(deadline=None)
@given(program=PROGRAMS, strategy=st.sampled_from(["dfs", "exhaust"]), memory=st.integers(3, 12))
def test_a_search_with_little_memory_is_the_same_search(program: Program, strategy: str, memory: int) -> None:
    ample, short = Survivor(program), Survivor(program, memory=memory)
    expected, found = run(ample, strategy), run(short, strategy)
    assert numbers(found) == numbers(expected)
    assert short.ended == ample.ended
    assert short.most_kept <= memory
    assert found.dropped or ample.most_kept <= memory


def test_failures_are_found_with_the_same_schedule() -> None:
    program: Program = (
        (("add", "x", 1), ("copy", "t", "x"), ("put", "x", "t")),
        (("copy", "t", "x"), ("put", "x", "t"), ("assert", "x", 3)),
    )
    ample, short = run(ToyEngine(program), "exhaust"), run(ToyEngine(program, memory=3), "exhaust")
    assert ample.found is not None
    assert numbers(short) == numbers(ample)


@pytest.mark.parametrize("memory", [3, 5, 9])
def test_the_way_back_is_short(memory: int) -> None:
    """Rebuilding costs a multiple of the search, not its square."""
    expected, found = run(ToyEngine(WIDE), "dfs"), run(ToyEngine(WIDE, memory=memory), "dfs")
    assert found.end is SearchEnd.EXHAUSTED
    assert found.dropped >= found.rebuilt > 0
    assert found.repeated < 4 * expected.transitions


def test_the_result_says_so() -> None:
    found = run(ToyEngine(WIDE, memory=4), "dfs")
    result = verdict(found)
    assert result.verdict is Verdict.VERIFIED
    assert [note for note in result.notes if "were dropped" in note and "max-memory" in note]
    assert not [note for note in verdict(run(ToyEngine(WIDE), "dfs")).notes if "dropped" in note]


def test_without_room_for_a_second_snapshot_the_search_is_incomplete() -> None:
    found = run(ToyEngine(WIDE, memory=1), "dfs")
    assert found.end is SearchEnd.MEMORY
    assert verdict(found).verdict is Verdict.INCOMPLETE


def test_a_wrong_way_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropping must not be mistaken for releasing: then alternatives would be lost."""
    drop = Snapshots.drop

    def careless(self: Snapshots, spare: Node) -> bool:
        before = list(self._kept.values())
        dropped = drop(self, spare)
        for node in before:
            if node.state < 0:
                node.arrived_by = 0
        return dropped

    monkeypatch.setattr(Snapshots, "drop", careless)
    with pytest.raises(AssertionError, match="than the first time"):
        run(ToyEngine(WIDE, memory=4), "dfs")
