"""The passing twin of a failure: it does pass, it is the same up to one choice, and no later choice has one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy import Program, ToyEngine
from test_explorer import ORDER, search
from test_minimise import ASSERTING, FOREVER

from pytest_statespace.explore.explorer import SearchEnd
from pytest_statespace.explore.twin import find_twin
from pytest_statespace.sandbox.protocol import Command, End, RunFlag
from pytest_statespace.types import ChoiceKind, PassingTwin, Schedule


def end_of(program: Program, schedule: Schedule, at: int, index: int) -> End:
    """How it ends if the choice at this position is made otherwise."""
    forced = (*(choice.index for choice in schedule.choices[:at]), index)
    return ToyEngine(program).run(Command(0, 0, RunFlag.NONE, forced), deadline=0).end


@settings(deadline=None, max_examples=150)
@given(program=ASSERTING, strategy=st.sampled_from(["dfs", "exhaust", "random"]))
def test_the_twin_is_the_last_that_passes(program: Program, strategy: str) -> None:
    """Seen to fail where choices are tried from the first on, and where any end will do."""
    found, engine = search(program, strategy, limits={"max_executions": 60})
    if found.end is not SearchEnd.FAILED:
        return
    assert found.found is not None
    schedule = found.found.schedule
    twin = find_twin(schedule, engine, FOREVER)
    assert not engine.unkept
    passing = {
        (at, index)
        for at, choice in enumerate(schedule.choices)
        if choice.kind is ChoiceKind.THREAD
        for index in range(choice.alternatives)
        if index != choice.index and end_of(program, schedule, at, index) is End.FINISHED
    }
    assert (twin is None) == (not passing)
    if twin is not None:
        assert twin.choice == max(at for at, _ in passing)
        assert twin.thread != schedule.choices[twin.choice].thread


def test_of_a_deadlock() -> None:
    """The second lock decides nothing any more: the first of the other thread does."""
    found, engine = search(ORDER)
    assert found.found is not None
    schedule = found.found.schedule
    (preemption,) = (at for at, choice in enumerate(schedule.choices) if choice.index)
    assert find_twin(schedule, engine, FOREVER) == PassingTwin(preemption, 0)


def test_there_is_none_where_every_execution_fails() -> None:
    program: Program = ((("add", "x", 1), ("assert", "x", 0)), (("add", "y", 1),))
    found, engine = search(program)
    assert found.found is not None
    assert find_twin(found.found.schedule, engine, FOREVER) is None
