"""The noted graph of states against one that is built by plain reachability, without paths, rounds or visited sets."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest
from support.toy import Program, ToyEngine, World, alternatives_of, enabled, finished, start, step

from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Explorer, Search
from pytest_statespace.explore.state_graph import GraphRecorder
from pytest_statespace.explore.strategies import StrategyRegistry
from pytest_statespace.settings import Settings
from pytest_statespace.types import FailureKind, StateGraph

INCREMENT = (("copy", "t", "x"), ("put", "x", "t"))
LOCKED = (("lock", "m"), *INCREMENT, ("unlock", "m"))
PROGRAMS: dict[str, Program] = {
    "two": (INCREMENT, INCREMENT),
    "three": (INCREMENT, INCREMENT, INCREMENT),
    "locked": (LOCKED, LOCKED),
    "chosen": ((("choose", "n", 3), ("add", "x", 1)), INCREMENT),
}
DEADLOCK: Program = (
    (("lock", "a"), ("lock", "b"), ("unlock", "b"), ("unlock", "a")),
    (("lock", "b"), ("lock", "a"), ("unlock", "a"), ("unlock", "b")),
)

Place = tuple[World, int]
"""A choice point: the state, and the thread whose data is being chosen (-1: the next thread is)."""


def searched(
    program: Program,
    strategy: str,
    *,
    recorder: GraphRecorder | None = None,
    memory: int | None = None,
    seed: int = 0,
    executions: int | None = None,
) -> tuple[Search, ToyEngine]:
    engine = ToyEngine(program, memory=memory)
    settings = dataclasses.replace(Settings(), strategy=strategy, seed=seed)
    budget = Budget(time.monotonic, time.monotonic(), 60.0, max_executions=executions)
    made = StrategyRegistry.with_builtins().create(settings)
    return Explorer(engine, made, budget, graph=recorder).run(), engine


def graph_of(program: Program, strategy: str, **options: int) -> StateGraph:
    recorder = GraphRecorder()
    search, _ = searched(program, strategy, recorder=recorder, **options)
    found = search.found
    return recorder.finish(found.kind, found.schedule) if found is not None else recorder.finish()


def next_place(program: Program, world: World, thread: int) -> Iterator[tuple[str, World, int | None]]:
    """What can be chosen at a place, and the world after it; with the thread whose data is to be chosen first."""
    if thread >= 0:
        many = alternatives_of(program, world, thread)
        for value in range(many):
            after = step(program, world, thread, value)
            assert after is not None
            yield f"alternative {value + 1} of {many}", after, None
        return
    for runs in enabled(program, world):
        if alternatives_of(program, world, runs) > 1:
            yield f"thread {runs}", world, runs
        else:
            after = step(program, world, runs)
            assert after is not None
            yield f"thread {runs}", after, None


def settle(program: Program, world: World, chooser: int | None) -> Place | str:
    """The next choice point, or the end: where there is nothing to choose the only thread runs on."""
    while chooser is None:
        threads = enabled(program, world)
        if len(threads) > 1:
            return world, -1
        if not threads:
            return "the test ends" if finished(program, world) else "deadlock"
        if alternatives_of(program, world, threads[0]) > 1:
            return world, threads[0]
        after = step(program, world, threads[0])
        assert after is not None
        world = after
    return world, chooser


def oracle(program: Program) -> tuple[int, list[tuple[str, str]]]:
    """How many choice points there are, and every edge as what was chosen and how it ends ("" unless it does)."""
    first = settle(program, start(program), None)
    assert not isinstance(first, str)
    seen, todo = {first}, [first]
    edges = [("", "")]
    while todo:
        world, thread = todo.pop()
        for choice, after, chooser in next_place(program, world, thread):
            target = settle(program, after, chooser)
            edges.append((choice, target if isinstance(target, str) else ""))
            if not isinstance(target, str) and target not in seen:
                seen.add(target)
                todo.append(target)
    return len(seen), sorted(edges)


def ends_of(graph: StateGraph) -> list[tuple[str, str]]:
    return sorted((edge.choice, graph.ends[-1 - edge.target] if edge.target < 0 else "") for edge in graph.edges)


@pytest.mark.parametrize("strategy", ["dfs", "exhaust"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_graph_is_that_of_the_program(name: str, strategy: str) -> None:
    graph = graph_of(PROGRAMS[name], strategy)
    states, edges = oracle(PROGRAMS[name])
    assert (graph.states - 1, ends_of(graph)) == (states, edges)
    assert graph.complete
    assert not graph.unrecognised
    assert not graph.path
    assert {edge.source for edge in graph.edges} == set(range(graph.states))


def test_snapshots_that_are_rebuilt_change_nothing() -> None:
    program = PROGRAMS["three"]
    assert ends_of(graph_of(program, "dfs", memory=4)) == ends_of(graph_of(program, "dfs"))


@pytest.mark.parametrize("strategy", ["dfs", "exhaust", "random"])
def test_noting_changes_no_number(strategy: str) -> None:
    plain, engine = searched(PROGRAMS["three"], strategy)
    noted, other = searched(PROGRAMS["three"], strategy, recorder=GraphRecorder())
    for name in ("executions", "transitions", "states", "finished", "outcomes"):
        assert getattr(plain, name) == getattr(noted, name)
    assert sorted(map(repr, engine.ended)) == sorted(map(repr, other.ended))


def test_executions_drawn_at_random_form_a_tree() -> None:
    graph = graph_of(PROGRAMS["two"], "random")
    assert graph.unrecognised == frozenset(range(1, graph.states))
    targets = [edge.target for edge in graph.edges if edge.target >= 0]
    assert len(targets) == len(set(targets))


@pytest.mark.parametrize("strategy", ["dfs", "exhaust", "random"])
def test_the_failing_execution_is_a_path(strategy: str) -> None:
    recorder = GraphRecorder()
    search, _ = searched(DEADLOCK, strategy, recorder=recorder)
    assert search.found is not None
    graph = recorder.finish(search.found.kind, search.found.schedule)
    edges = [graph.edges[edge] for edge, _ in graph.path]
    assert edges[0].source == 0
    assert [edge.target for edge in edges[:-1]] == [edge.source for edge in edges[1:]]
    assert graph.ends[-1 - edges[-1].target] == "deadlock"
    assert [choice for _, choice in graph.path] == [-1, *range(len(search.found.schedule))]
    threads = [f"thread {choice.thread}" for choice in search.found.schedule.choices]
    assert [edge.choice for edge in edges[1:]] == threads


def test_an_execution_of_its_own_joins_the_states_that_are_known() -> None:
    drawn = [searched(DEADLOCK, "random", seed=seed)[0].found for seed in range(20)]
    schedule = next(found.schedule for found in drawn if found and found.schedule.choices[0].thread == 1)
    recorder, without = GraphRecorder(), GraphRecorder()
    _, engine = searched(DEADLOCK, "dfs", recorder=recorder, executions=1)  # thread 0 runs first
    searched(DEADLOCK, "dfs", recorder=without, executions=1)
    assert without.finish(FailureKind.DEADLOCK, schedule).unrecognised
    before = set(engine.kept), set(engine.unkept)
    recorder.run(schedule, engine, time.monotonic() + 60)
    assert (set(engine.kept), set(engine.unkept)) == before
    graph = recorder.finish(FailureKind.DEADLOCK, schedule)
    assert not graph.unrecognised
    assert len(graph.path) == len(schedule) + 1


def test_too_many_edges_are_left_out_and_it_is_said() -> None:
    recorder = GraphRecorder(most=10)
    search, _ = searched(PROGRAMS["three"], "dfs", recorder=recorder)
    graph = recorder.finish()
    assert not graph.complete
    assert 10 <= len(graph.edges) < 20
    assert search.finished == searched(PROGRAMS["three"], "dfs")[0].finished
