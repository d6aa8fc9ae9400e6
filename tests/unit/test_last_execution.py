"""The last execution that a budget allows: run without snapshots, and nothing else is different."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy import Program, ToyEngine
from test_explorer import INCREMENT, PROGRAMS, Survivor, verdict

from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Explorer, Search
from pytest_statespace.explore.strategies.dfs import DepthFirstSearch
from pytest_statespace.explore.strategies.exhaust import Exhaust
from pytest_statespace.explore.strategies.sampling import RandomWalk
from pytest_statespace.sandbox.protocol import Command, PathResult, Point, RunFlag


class Flags(Survivor):
    """Notes how paths were run."""

    def __init__(self, program: Program, *, ignored: bool = False) -> None:
        super().__init__(program)
        self.flags: list[RunFlag] = []
        self.ignored = ignored

    def run(self, command: Command, *, deadline: float) -> PathResult:
        self.flags.append(command.flags)
        if self.ignored:
            command = command._replace(flags=command.flags & ~RunFlag.ONCE)
        return super().run(command, deadline=deadline)


def run(engine: ToyEngine, strategy: str, executions: int | None) -> Search:
    made = DepthFirstSearch(None) if strategy == "dfs" else Exhaust(None)
    budget = Budget(time.monotonic, time.monotonic(), 60.0, max_executions=executions)
    return Explorer(engine, made, budget).run()


@settings(deadline=None)
@given(program=PROGRAMS, strategy=st.sampled_from(["dfs", "exhaust"]), executions=st.integers(1, 12))
def test_nothing_else_is_different(program: Program, strategy: str, executions: int) -> None:
    once, kept = Flags(program), Flags(program, ignored=True)
    found, expected = run(once, strategy, executions), run(kept, strategy, executions)
    assert verdict(found).verdict is verdict(expected).verdict
    assert (found.end, found.detail, found.executions, found.states, found.finished, found.outcomes, found.cuts) == (
        expected.end, expected.detail, expected.executions, expected.states, expected.finished, expected.outcomes,
        expected.cuts,
    )  # fmt: skip
    assert once.ended == kept.ended
    last = [bool(flags & RunFlag.ONCE) for flags in once.flags]
    assert not any(last[:-1])
    assert last[-1:] == [found.executions == executions]


def test_it_takes_no_snapshots() -> None:
    engine = Flags((INCREMENT, INCREMENT))
    found = run(engine, "dfs", 1)
    assert len(engine.kept) == 1  # the base state
    assert found.last_length > 0
    assert not found.cuts


def test_without_a_budget_there_is_no_last_one() -> None:
    engine = Flags((INCREMENT, INCREMENT))
    run(engine, "exhaust", None)
    assert not any(flags & RunFlag.ONCE for flags in engine.flags)


def test_of_sampled_executions_the_last_may_be_long(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RunFlag] = []

    def sample(
        self: ToyEngine, choose: Callable[[Point], int | None], *, deadline: float, flags: RunFlag = RunFlag.NONE
    ) -> PathResult:
        asked.append(flags)
        self._choose = choose
        return self.run(Command(0, 0, RunFlag.ASK), deadline=deadline)

    monkeypatch.setattr(ToyEngine, "sample", sample)
    budget = Budget(time.monotonic, time.monotonic(), 60.0, max_executions=3)
    Explorer(ToyEngine((INCREMENT, INCREMENT)), RandomWalk(0), budget).run()
    assert asked == [RunFlag.NONE, RunFlag.NONE, RunFlag.ONCE]


@pytest.mark.parametrize(("length", "compared", "said"), [(1024, 1024, False), (70_000, 2_000, True)])
def test_the_result_says_where_states_were_not_compared(length: int, compared: int, said: bool) -> None:
    found = run(ToyEngine((INCREMENT, INCREMENT)), "dfs", 1)
    found.last_length, found.last_compared = length, compared
    notes = [note for note in verdict(found).notes if "run without snapshots" in note]
    assert bool(notes) is said
    assert not said or f"{compared} of its {length}" in notes[0]
