"""The opening of the default search: conflicts the other way round."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from support.toy import Program, ToyEngine, terminals
from test_explorer import INCREMENT, LOCKED, ORDER, PROGRAMS, Survivor, budget

from pytest_statespace.explore.explorer import Explorer, Search
from pytest_statespace.explore.strategies.reversals import Reversals
from pytest_statespace.sandbox.protocol import Alternative, Point
from pytest_statespace.types import ChoiceKind, FailureKind


def run(program: Program, executions: int, engine: ToyEngine | None = None) -> tuple[Search, ToyEngine]:
    engine = engine or ToyEngine(program)
    return Explorer(engine, Reversals(), budget(max_executions=executions)).run(), engine


@settings(deadline=None, max_examples=60)
@given(program=PROGRAMS)
def test_only_what_can_happen_is_run(program: Program) -> None:
    engine = Survivor(program)
    run(program, 12, engine)
    assert set(engine.ended) <= terminals(program)
    assert not engine.unkept


def test_an_order_of_locks_is_reversed_at_once() -> None:
    """Not where a lock was given away, which could not be otherwise: where it was taken."""
    found, _ = run(ORDER, 10)
    assert found.found is not None
    assert (found.found.kind, found.found.executions) == (FailureKind.DEADLOCK, 3)


def test_two_increments_interleave() -> None:
    engine = Survivor((INCREMENT, INCREMENT))
    run((INCREMENT, INCREMENT), 8, engine)
    assert set(engine.ended) == set(terminals((INCREMENT, INCREMENT)))


def point(*alternatives: tuple[int, int, int], kind: ChoiceKind = ChoiceKind.THREAD) -> Point:
    """Threads with the access and the object of their next operation."""
    offered = tuple(Alternative(thread, 0, access, 0, thing) for thread, access, thing in alternatives)
    return Point(kind, 0, max(len(offered), 2 if kind == ChoiceKind.DATA else 1), 0, offered)


def prefixes(points: list[Point], executions: int) -> list[tuple[int, ...]]:
    """The executions of a program that comes to the same points whatever is chosen."""
    made = []
    reversals = Reversals()
    for number in range(executions):
        reversals.begin(number)
        made.append(tuple(reversals.choose(at) for at in points))
    return made


def test_the_latest_conflict_comes_first() -> None:
    points = [point((0, 2, 7), (1, 2, 7)), point((0, 2, 8), (1, 2, 8)), point((1, 2, 7)), point((1, 2, 8))]
    assert prefixes(points, 3) == [(0, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0)]


@pytest.mark.parametrize(
    "points",
    [
        [point((0, 1, 7), (1, 1, 7)), point((1, 1, 7))],  # two reads
        [point((0, 2, 7), (1, 2, 8)), point((1, 2, 8))],  # different objects
        [point((0, 2, 7)), point((1, 2, 7))],  # the second one was not there yet
        [point(kind=ChoiceKind.DATA), point((0, 2, 7))],
    ],
)
def test_what_does_not_conflict_stays(points: list[Point]) -> None:
    assert set(prefixes(points, 3)) == {(0,) * len(points)}


def test_what_is_ordered_otherwise_stays() -> None:
    """Thread 1 reads what thread 0 wrote behind something that both of them wrote: the first pair is hidden."""
    points = [point((0, 2, 7), (1, 2, 9)), point((0, 2, 8), (1, 2, 8)), point((1, 2, 8)), point((1, 2, 7))]
    assert prefixes(points, 2) == [(0, 0, 0, 0), (0, 1, 0, 0)]
    free = [points[0], point((0, 2, 8), (1, 2, 6)), point((1, 2, 6)), points[3]]
    assert prefixes(free, 2) == [(0, 0, 0, 0), (1, 0, 0, 0)]


def test_it_knows_when_nothing_is_left() -> None:
    reversals = Reversals()
    assert not reversals.has_more
    reversals.begin(0)
    for at in [point((0, 2, 7), (1, 2, 7)), point((1, 2, 7))]:
        reversals.choose(at)
    assert reversals.has_more
    reversals.begin(1)
    assert not reversals.has_more


def test_locked_threads_are_reversed_at_the_lock() -> None:
    engine = Survivor((LOCKED, LOCKED))
    run((LOCKED, LOCKED), 6, engine)
    assert set(engine.ended) == set(terminals((LOCKED, LOCKED)))
