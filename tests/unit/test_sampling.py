"""Strategies that sample whole executions: what they reach, how often, and what they say."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy import Program, ToyEngine, terminals
from test_explorer import INCREMENT, LOCKED, ORDER, PROGRAMS, Survivor, search, verdict

from pytest_statespace.errors import InvalidArgument
from pytest_statespace.explore.explorer import Search, SearchEnd
from pytest_statespace.explore.strategies import StrategyRegistry, exhaust
from pytest_statespace.explore.strategies.base import Sampler
from pytest_statespace.explore.strategies.surw import Surw
from pytest_statespace.sandbox.protocol import Alternative, Command, PathResult, Point, RunFlag
from pytest_statespace.settings import Settings
from pytest_statespace.types import ChoiceKind, FailureKind, Verdict

SAMPLERS = ("random", "pct", "pos", "surw")
sampler = pytest.mark.parametrize("sampler", SAMPLERS)


def schedules(program: Program, name: str, seed: int, times: int = 40) -> list[tuple[object, ...]]:
    """Where each execution ended, in order."""
    engine = Survivor(program)
    search(program, name, engine=engine, seed=seed, limits={"max_executions": times})
    return list(engine.ended)


@sampler
@settings(deadline=None, max_examples=40)
@given(program=PROGRAMS, seed=st.integers(0, 5))
def test_only_what_can_happen_is_drawn(sampler: str, program: Program, seed: int) -> None:
    assert set(schedules(program, sampler, seed)) <= terminals(program)


@sampler
def test_the_same_seed_gives_the_same_executions(sampler: str) -> None:
    program: Program = (LOCKED, INCREMENT, INCREMENT)
    first = schedules(program, sampler, 1)
    assert schedules(program, sampler, 1) == first
    assert schedules(program, sampler, 2) != first


@sampler
def test_every_outcome_of_a_small_program_is_drawn(sampler: str) -> None:
    """Seen to fail with a sampler that always takes the first alternative."""
    program: Program = (INCREMENT, INCREMENT, (("copy", "t", "x"),))
    assert set(schedules(program, sampler, 0, 1000)) == terminals(program)


@sampler
def test_a_failure_is_found_and_its_schedule_reproduces_it(sampler: str) -> None:
    found, engine = search(ORDER, sampler)
    assert found.found is not None
    assert found.found.kind is FailureKind.DEADLOCK
    again = ToyEngine(ORDER)
    forced = tuple(choice.index for choice in found.found.schedule.choices)
    again.run(Command(0, 0, RunFlag.NONE, forced), deadline=0)
    assert again.ended[-1] == engine.ended[-1]
    assert found.found.schedule.preemptions >= 1


@sampler
def test_sampling_never_verifies(sampler: str) -> None:
    found, _ = search((LOCKED, LOCKED), sampler, limits={"max_executions": 50})
    result = verdict(found, strategy=sampler)
    assert found.end is SearchEnd.SAMPLED
    assert result.verdict is Verdict.INCOMPLETE
    assert f"sampled 50 executions with {sampler} (" in result.reason
    assert "different schedules" in result.reason
    assert result.states == 0


@sampler
def test_a_thousand_executions_unless_said_otherwise(sampler: str) -> None:
    found, _ = search((INCREMENT, INCREMENT), sampler)
    assert found.executions == 1000
    assert 1 < len(found.schedules) <= 6


@sampler
def test_one_execution_is_enough_where_there_is_no_choice(sampler: str) -> None:
    found, _ = search((INCREMENT,), sampler)
    assert found.executions == 1
    assert verdict(found).verdict is Verdict.INCOMPLETE


@sampler
def test_data_choices_are_drawn_too(sampler: str) -> None:
    program: Program = ((("choose", "c", 3),), (("choose", "c", 2),))
    assert set(schedules(program, sampler, 0, 200)) == terminals(program)


@sampler
def test_a_loop_that_waits_ends_fairly(sampler: str) -> None:
    """With priorities alone the waiting thread may have the higher one for ever."""
    program: Program = ((("spin", "x"),), (("add", "x", 1),))
    engine = ToyEngine(program, limit=20_000)
    found, _ = search(program, sampler, engine=engine, limits={"max_executions": 50})
    assert found.end is SearchEnd.SAMPLED
    assert not found.cuts
    assert {end for end, _ in engine.ended} == {"finished"}


@sampler
def test_a_preemption_bound_is_refused(sampler: str) -> None:
    chosen = dataclasses.replace(Settings(), strategy=sampler, preemptions=1)
    with pytest.raises(InvalidArgument, match="knows no bound"):
        StrategyRegistry.with_builtins().create(chosen)


def test_pct_reaches_deep_orders_more_often_than_a_random_walk() -> None:
    """A reader between two writes, late in a long thread: one change of priority does it."""
    long = tuple(("add", "y", 1) for _ in range(30))
    program: Program = ((*long, ("add", "x", 1), ("add", "x", 1)), (("assert", "x", 0),))
    found = {name: search(program, name, limits={"max_executions": 400})[0] for name in ("pct", "random")}
    assert found["pct"].found is not None
    assert found["pct"].found.executions < (found["random"].found.executions if found["random"].found else 400)


def _interleavings(name: str, times: int) -> Counter[object]:
    """How often each order of one thread's 6 and another's 2 events on x was drawn."""
    program: Program = (tuple(("add", "x", 1) for _ in range(6)), (("copy", "a", "x"), ("copy", "b", "x")))
    ended = schedules(program, name, 3, times)
    return Counter(ended)


def test_surw_is_uniform_where_a_random_walk_is_not() -> None:
    """28 orders: each with the same chance. Seen to fail when the weights are left out."""
    drawn = _interleavings("surw", 2800)
    assert len(drawn) == 28
    assert min(drawn.values()) > 50
    assert max(drawn.values()) < 170
    assert max(_interleavings("random", 2800).values()) > 400


def test_surw_takes_turns_by_what_is_left() -> None:
    chooser = Surw(0)
    access = [Alternative(thread, 1, 3, 0, 7) for thread in (0, 1)]
    for execution in range(2):
        chooser.begin(execution)
        for depth in range(1, 5):
            assert chooser.choose(Point(ChoiceKind.THREAD, 0, 2, depth, tuple(access))) == execution
    chooser.begin(2)
    assert chooser.choose(Point(ChoiceKind.THREAD, 0, 1, 1, (access[1],))) == 0


def test_conflicts() -> None:
    def at(target: int, access: int, part: int = 0) -> Alternative:
        return Alternative(0, 1, access, part, target)

    assert at(1, 2).conflicts(at(1, 1))
    assert at(1, 3).conflicts(at(1, 3))
    assert not at(1, 1).conflicts(at(1, 1))
    assert not at(1, 2).conflicts(at(2, 2))
    assert not at(1, 2, 5).conflicts(at(1, 2, 6))
    assert at(1, 2, 5).conflicts(at(1, 2))
    assert at(0, 3).conflicts(at(1, 1))
    assert not at(0, 0).conflicts(at(1, 3))


def test_a_plugin_may_bring_its_own() -> None:
    class Last(Sampler):
        executions = 2

        def describe(self) -> str:
            return "last"

        def begin(self, execution: int) -> None:
            self.execution = execution

        def choose(self, point: Point) -> int:
            return point.count - 1

    registry = StrategyRegistry.with_builtins()
    registry.register("last", lambda settings: Last())
    assert isinstance(registry.create(Settings(strategy="last")), Last)


def test_the_explorer_says_what_was_cut() -> None:
    program: Program = ((("spin", "x"),), (("spin", "x"),))
    engine = ToyEngine(program, limit=100)
    found, _ = search(program, "random", engine=engine, limits={"max_executions": 3})
    assert isinstance(found, Search)
    assert "too many choice points" in verdict(found).reason


# Ten threads whose value is wrong for one step, and one that looks. The first bound alone is too wide.
FLICKER: Program = (*[(("add", "d", 1), ("add", "d", -1))] * 10, (("assert", "d", 0),))
STEADY: Program = (*[(("add", "d", 1), ("add", "e", 1))] * 3, (("spin", "d"),))


def test_a_wide_space_is_sampled_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhaust, "_REVERSALS", 1)
    monkeypatch.setattr(exhaust, "_SAMPLES", 0)
    found, _ = search(FLICKER)
    assert found.end is SearchEnd.FAILED
    assert found.found is not None
    assert 100 < found.executions < 300
    assert found.interludes > 0
    assert any("the failing execution was drawn by surw (seed 0)" in note for note in verdict(found).notes)
    again = ToyEngine(FLICKER)
    forced = tuple(choice.index for choice in found.found.schedule.choices)
    again.run(Command(0, 0, RunFlag.NONE, forced), deadline=0)
    assert [end for end, _ in again.ended] == ["failed"]


def test_the_opening_finds_what_is_behind_many_orders() -> None:
    found, _ = search(FLICKER)
    assert found.end is SearchEnd.FAILED
    assert found.interludes == found.executions - 1 < 18


def test_what_is_run_in_between_marks_no_state() -> None:
    """Else the rounds would take for explored what an interlude only passed through. Seen to fail with PRUNE."""
    asked: list[RunFlag] = []

    class Asked(Survivor):
        def run(self, command: Command, *, deadline: float) -> PathResult:
            asked.extend([command.flags] if command.flags & RunFlag.ASK else [])
            return super().run(command, deadline=deadline)

    found, _ = search(STEADY, engine=Asked(STEADY))
    assert len(asked) == found.interludes > 20
    assert set(asked) == {RunFlag.ASK, RunFlag.ASK | RunFlag.EXTRA}


@pytest.mark.parametrize("most", [1, 3, 10, 30])
def test_an_opening_keeps_to_the_budget(most: int) -> None:
    found, _ = search(STEADY, limits={"max_executions": most})
    assert (found.end, found.executions) == (SearchEnd.BUDGET, most)


def test_an_opening_is_short() -> None:
    found, _ = search(STEADY)
    assert found.executions > 300
    alone, _ = search((INCREMENT, INCREMENT))
    assert alone.executions < 100
    assert 0 < alone.interludes <= 18


def test_under_a_bound_nothing_beyond_it_is_run() -> None:
    found, _ = search(FLICKER, preemptions=0, limits={"max_executions": 400})
    assert (found.end, found.interludes) == (SearchEnd.BUDGET, 0)


def test_what_happens_in_between_changes_no_result() -> None:
    """A spin loop is left by no sampled execution here (40 steps at most): that is no cut of the search."""
    engine = Survivor(STEADY)
    found, _ = search(STEADY, engine=engine)
    assert found.interludes > 20
    assert found.end is SearchEnd.EXHAUSTED
    assert set(engine.ended) == terminals(STEADY)
    assert verdict(found).verdict is Verdict.VERIFIED
    assert set(engine.kept) == {0}
    assert not engine.unkept
