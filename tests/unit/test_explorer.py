"""Strategies and explorer against exact sets of outcomes of small programs."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.toy import Program, ToyEngine, fewest_preemptions, terminals, terminals_within

from pytest_statespace.errors import InternalError, InvalidArgument
from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Explorer, Search, SearchEnd
from pytest_statespace.explore.fewest import look_for_fewer
from pytest_statespace.explore.strategies import StrategyRegistry
from pytest_statespace.explore.strategies.base import DepthFirst
from pytest_statespace.explore.verdict import conclude
from pytest_statespace.runtime.wire import pack
from pytest_statespace.sandbox.protocol import Command, End, PathResult, RunFlag
from pytest_statespace.settings import Settings
from pytest_statespace.types import ExplorationResult, FailureKind, ProgressSnapshot, Verdict

INCREMENT = (("copy", "t", "x"), ("put", "x", "t"))
LOCKED = (("lock", "m"), *INCREMENT, ("unlock", "m"))
ORDER: Program = (
    (("lock", "a"), ("lock", "b"), ("unlock", "b"), ("unlock", "a")),
    (("lock", "b"), ("lock", "a"), ("unlock", "a"), ("unlock", "b")),
)


def budget(**limits: int) -> Budget:
    return Budget(time.monotonic, time.monotonic(), 60.0, **limits)


def search(
    program: Program,
    strategy: str = "exhaust",
    *,
    engine: ToyEngine | None = None,
    limits: dict[str, int] | None = None,
    **options: object,
) -> tuple[Search, ToyEngine]:
    engine = engine or ToyEngine(program)
    chosen = dataclasses.replace(Settings(), strategy=strategy, **options)  # type: ignore[arg-type]
    made = StrategyRegistry.with_builtins().create(chosen)
    explorer = Explorer(engine, made, budget(**(limits or {})))
    return explorer.run(), engine


def verdict(found: Search, **options: object) -> ExplorationResult:
    return conclude(
        found,
        nodeid="t",
        settings=dataclasses.replace(Settings(), **options),  # type: ignore[arg-type]
    )


OPERATIONS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from("xy"), st.integers(1, 2)),
    st.tuples(st.just("copy"), st.just("t"), st.sampled_from("xy")),
    st.tuples(st.just("put"), st.sampled_from("xy"), st.just("t")),
    st.tuples(st.just("lock"), st.sampled_from("ab")),
    st.tuples(st.just("unlock"), st.sampled_from("ab")),
    st.tuples(st.just("spin"), st.sampled_from("xy")),
    st.tuples(st.just("choose"), st.just("c"), st.integers(2, 3)),
)
PROGRAMS = st.lists(
    st.lists(OPERATIONS, min_size=1, max_size=4).map(tuple), min_size=1, max_size=3
).map(tuple)


class Survivor(ToyEngine):
    """Reports deadlocks as finished paths, so that a search covers everything."""

    def run(self, command: Command, *, deadline: float) -> PathResult:
        result = super().run(command, deadline=deadline)
        if result.end is End.DEADLOCK:
            return result._replace(end=End.FINISHED, payload=pack({"kind": "finished"}))
        return result


@pytest.mark.parametrize("strategy", ["dfs", "exhaust"])
@settings(deadline=None, max_examples=60)
@given(program=PROGRAMS)
def test_every_outcome_is_reached(strategy: str, program: Program) -> None:
    engine = Survivor(program)
    found, _ = search(program, strategy, engine=engine)
    assert found.end is SearchEnd.EXHAUSTED
    assert set(engine.ended) == terminals(program)


class Asked(Survivor):
    """Is asked for every single path: the plain thing that running on without asking replaces."""

    def run(self, command: Command, *, deadline: float) -> PathResult:
        return super().run(command._replace(following=()), deadline=deadline)


@pytest.mark.parametrize("strategy", ["dfs", "exhaust"])
@settings(deadline=None, max_examples=60)
@given(program=PROGRAMS, bound=st.none() | st.integers(0, 2), most=st.none() | st.integers(1, 300))
def test_running_on_without_asking_changes_nothing(
    strategy: str, program: Program, bound: int | None, most: int | None
) -> None:
    limits = {} if most is None else {"max_executions": most}
    engines = Asked(program), Survivor(program)
    one_by_one, at_once = (
        search(program, strategy, engine=engine, limits=limits, preemptions=bound)[0] for engine in engines
    )
    assert engines[0].ended == engines[1].ended
    for count in ("end", "executions", "transitions", "states", "interludes", "refused", "cuts", "outcomes", "detail"):
        assert getattr(one_by_one, count) == getattr(at_once, count), count


@pytest.mark.parametrize("strategy", ["dfs", "exhaust"])
def test_known_states_are_run_through_without_asking(strategy: str) -> None:
    engine = Survivor((INCREMENT, INCREMENT, INCREMENT))
    found, _ = search(engine.program, strategy, engine=engine)
    assert engine.commands < found.executions


@settings(deadline=None, max_examples=60)
@given(program=PROGRAMS)
def test_snapshots_are_given_back(program: Program) -> None:
    engine = Survivor(program)
    search(program, "exhaust", engine=engine)
    assert set(engine.kept) == {0}


@settings(deadline=None, max_examples=80)
@given(program=PROGRAMS)
def test_a_failure_is_left_with_the_fewest_preemptions(program: Program) -> None:
    """Whatever the opening came across, as long as fewer than 300 executions can tell."""
    found, engine = search(program)
    look_for_fewer(found, engine, time.monotonic() + 3600)
    fewest = fewest_preemptions(program)
    if fewest is None:
        assert found.end is SearchEnd.EXHAUSTED
        return
    assert found.end is SearchEnd.FAILED
    assert found.found is not None
    left = found.found.schedule.preemptions
    assert left >= fewest
    if found.covered_bound is not None and found.covered_bound >= left - 1:
        assert left == fewest
    elif left:
        assert left > 3 or found.trials >= 300


@settings(deadline=None, max_examples=60)
@given(program=PROGRAMS)
def test_the_schedule_of_a_failure_reproduces_it(program: Program) -> None:
    found, engine = search(program)
    if found.found is None:
        return
    schedule = found.found.schedule
    again = ToyEngine(program)
    forced = tuple(choice.index for choice in schedule.choices)
    result = again.run(Command(0, 0, RunFlag.NONE, forced), deadline=0)
    assert result.end in (End.DEADLOCK, End.FAILED)
    assert again.ended[-1] == engine.ended[-1]
    assert tuple(state.label for state in result.states) == tuple(
        choice.label for choice in schedule.choices
    )


@settings(deadline=None, max_examples=60)
@given(program=PROGRAMS, bound=st.integers(0, 2))
def test_a_bounded_search_says_whether_the_space_ended(program: Program, bound: int) -> None:
    engine = Survivor(program)
    found, _ = search(program, "exhaust", engine=engine, preemptions=bound)
    if not found.refused:
        assert set(engine.ended) == terminals(program)
    elif found.finished:
        assert verdict(found, preemptions=bound).verdict is Verdict.INCOMPLETE
        if not found.cuts:
            assert f"preemption bound {bound}" in verdict(found, preemptions=bound).reason


# Programs that lose outcomes at bound 1 when the visited set forgets which thread ran last.
FORGETFUL: Program = (
    (("copy", "t", "y"), ("copy", "t", "y")),
    (("put", "x", "t"), ("put", "y", "t")),
    (("copy", "t", "y"), ("add", "y", 1)),
)
FORGETFUL_TOO: Program = (
    (("copy", "t", "x"), ("copy", "t", "y")),
    (("add", "x", 1), ("add", "y", 1), ("copy", "t", "y")),
    (("add", "y", 1), ("add", "y", 1)),
)


@pytest.mark.parametrize("bound", [0, 1, 2])
@settings(deadline=None, max_examples=60)
@example(program=FORGETFUL)
@example(program=FORGETFUL_TOO)
@given(program=PROGRAMS)
def test_a_bounded_search_reaches_exactly_what_its_bound_allows(bound: int, program: Program) -> None:
    engine = Survivor(program)
    search(program, "dfs", engine=engine, preemptions=bound)
    assert set(engine.ended) == terminals_within(program, bound)


def test_exact_numbers_of_two_increments() -> None:
    found, engine = search((INCREMENT, INCREMENT), "dfs")
    # A choice point needs two threads that can go on: each has done 0 or 1 of its 2 steps.
    assert found.states == 4
    assert found.executions == 5
    assert found.transitions == 14
    assert found.finished == len(engine.ended) == 4
    result = verdict(found)
    assert result.verdict is Verdict.VERIFIED
    assert result.preemption_bound is None


def test_lock_order_deadlocks_with_one_preemption() -> None:
    found, _ = search(ORDER)
    result = verdict(found)
    assert result.verdict is Verdict.FAILED
    assert found.found is not None
    assert found.found.kind is FailureKind.DEADLOCK
    assert found.found.schedule.preemptions == 1


def test_the_exhaust_strategy_ends_early_if_no_bound_refuses_anything() -> None:
    found, _ = search((INCREMENT,))
    assert found.executions == 1
    assert found.bound == 0
    assert verdict(found).verdict is Verdict.VERIFIED


def test_a_test_that_never_ends_is_not_verified() -> None:
    found, _ = search(((("spin", "x"),), (("spin", "x"),)), "dfs")
    assert found.end is SearchEnd.EXHAUSTED
    result = verdict(found)
    assert result.verdict is Verdict.INCOMPLETE
    assert "all of them repeat a state" in result.reason


def test_a_path_beyond_the_limit_makes_the_result_incomplete() -> None:
    program: Program = ((("spin", "x"),), (("add", "x", 1),))
    found, _ = search(program, "dfs", engine=ToyEngine(program, limit=0))
    result = verdict(found)
    assert result.verdict is Verdict.INCOMPLETE
    assert "too many choice points" in result.reason


@pytest.mark.parametrize(
    ("limits", "words"),
    [({"max_executions": 1}, "max-executions (1)"), ({"max_states": 2}, "max-states (2)")],
)
def test_budgets_make_the_result_incomplete(limits: dict[str, int], words: str) -> None:
    found, _ = search((LOCKED, LOCKED, LOCKED), limits=limits)
    assert found.end is SearchEnd.BUDGET
    result = verdict(found)
    assert result.verdict is Verdict.INCOMPLETE
    assert words in result.reason


def test_a_budget_that_is_just_enough_does_not_spoil_the_verdict() -> None:
    found, _ = search((INCREMENT, INCREMENT), "dfs")
    again, _ = search((INCREMENT, INCREMENT), "dfs", limits={"max_executions": found.executions})
    assert verdict(again).verdict is Verdict.VERIFIED


class Ends(ToyEngine):
    """Answers the n-th command with an end of its own."""

    def __init__(self, program: Program, at: int, result: PathResult) -> None:
        super().__init__(program)
        self.at, self.result, self.calls = at, result, 0

    def run(self, command: Command, *, deadline: float) -> PathResult:
        self.calls += 1
        if self.calls == self.at:
            return self.result
        return super().run(command, deadline=deadline)


@pytest.mark.parametrize(
    ("end", "detail", "expected", "words"),
    [
        (End.MEMORY, "store full", Verdict.INCOMPLETE, "store full"),
        (End.TIMEOUT, "", Verdict.INCOMPLETE, "timeout (60 s)"),
        (End.UNSUPPORTED, "mmap at f.py:1", Verdict.UNSUPPORTED, "mmap at f.py:1"),
        (End.LIMIT, "", Verdict.INCOMPLETE, "too many choice points"),
        (End.CRASHED, "SIGSEGV", Verdict.FAILED, "crash: SIGSEGV"),
        (End.HUNG, "no choice point", Verdict.FAILED, "hang: no choice point"),
        (End.FAILED, "crash: os._exit(3)", Verdict.FAILED, "crash: os._exit(3)"),
    ],
)
def test_no_end_is_taken_for_success(
    end: End, detail: str, expected: Verdict, words: str
) -> None:
    program: Program = (LOCKED, LOCKED)
    engine = Ends(program, 2, PathResult(end, (), 1, b"", detail))
    found, _ = search(program, "dfs", engine=engine)
    result = verdict(found)
    assert result.verdict is expected
    assert words in result.reason


@pytest.mark.parametrize("end", [End.NONE, End.DIVERGED, End.ERROR])
def test_what_must_not_happen_is_an_internal_error(end: End) -> None:
    program: Program = (LOCKED, LOCKED)
    found, _ = search(program, engine=Ends(program, 2, PathResult(end, (), 0, b"", "odd")))
    with pytest.raises(InternalError, match="odd"):
        verdict(found)


def finished(**payload: object) -> PathResult:
    return PathResult(End.FINISHED, (), 1, pack({"kind": "finished", **payload}), "")


def test_sometimes_must_hold_once() -> None:
    program: Program = (INCREMENT, INCREMENT)
    found, _ = search(program, engine=Ends(program, 1, finished(sometimes={"a": True, "b": False})))
    result = verdict(found)
    assert found.end is SearchEnd.EXHAUSTED
    assert result.verdict is Verdict.FAILED
    assert "'b'" in result.reason
    assert "'a'" not in result.reason


def test_sometimes_is_open_while_the_search_is_not_complete() -> None:
    found = Search(end=SearchEnd.BUDGET, detail="timeout", finished=1, sometimes={"b": False})
    result = verdict(found)
    assert result.verdict is Verdict.INCOMPLETE
    assert any("'b'" in note for note in result.notes)


def test_the_first_execution_may_skip_the_test() -> None:
    program: Program = (INCREMENT, INCREMENT)
    skip = PathResult(End.FINISHED, (), 1, pack({"kind": "skip", "message": "why"}), "")
    found, _ = search(program, engine=Ends(program, 1, skip))
    assert found.end is SearchEnd.SKIPPED
    assert found.payload["message"] == "why"
    later, _ = search(program, engine=Ends(program, 2, skip))
    assert later.end is SearchEnd.EXHAUSTED
    assert later.skipped == 1


def test_warnings_and_threads_left_running_are_noted() -> None:
    program: Program = (INCREMENT, INCREMENT)
    result = finished(warnings=[["DeprecationWarning", "old", "f.py", 3]], left_running=1)
    found, _ = search(program, engine=Ends(program, 1, result))
    assert list(found.warnings) == [("DeprecationWarning", "old", "f.py", 3)]
    assert any("left running" in note for note in verdict(found).notes)


def test_without_state_comparison_nothing_is_pruned() -> None:
    engine = Survivor((INCREMENT, INCREMENT))
    made = StrategyRegistry.with_builtins().create(Settings(strategy="dfs"))
    found = Explorer(engine, made, budget(), compare_states=False).run()
    assert found.executions == 6  # 4 steps of 2 threads: all interleavings
    assert found.states == 0
    assert not engine.visited


def test_strategies_are_named() -> None:
    registry = StrategyRegistry.with_builtins()
    with pytest.raises(InvalidArgument, match="exhaust, dfs, dpor, source-dpor, random, pct, pos, surw"):
        registry.create(Settings(strategy="dpr"))
    with pytest.raises(InvalidArgument, match="registered already"):
        registry.register("dfs", lambda chosen: registry.create(chosen))


def test_a_stack_that_forgets_a_bound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail: a search that refuses alternatives without counting them."""
    plain = DepthFirst._settle

    def careless(self: DepthFirst, node: object) -> bool:
        result = plain(self, node)  # type: ignore[arg-type]
        self.refused = 0
        return result

    monkeypatch.setattr(DepthFirst, "_settle", careless)
    engine = Survivor((INCREMENT, INCREMENT))
    found, _ = search((INCREMENT, INCREMENT), engine=engine, preemptions=2)  # no opening finds what it leaves out
    assert Counter(engine.ended).keys() != terminals((INCREMENT, INCREMENT))
    assert found.bound == 0


def test_progress_tells_the_share_that_is_left() -> None:
    """Six executions of one weight: after each a sixth less is left. Seen to fail when shares are not divided."""
    program: Program = ((("choose", "c", 2), ("choose", "d", 3)),)
    seconds = itertools.count()  # each report comes later than the one before
    limits = Budget(clock=lambda: float(next(seconds)), started=0.0, timeout=1e9).phase(3)  # of an earlier phase
    snapshots: list[ProgressSnapshot] = []
    strategy = StrategyRegistry.with_builtins().create(Settings(strategy="dfs"))
    assert Explorer(ToyEngine(program), strategy, limits, progress=snapshots.append).run().executions == 6
    assert [round(6 * (one.remaining or 0), 9) for one in snapshots] == [5, 4, 3, 2, 1, 0]
    assert [one.depth for one in snapshots] == [2, 2, 2, 2, 2, 2]
    assert [one.executions for one in snapshots] == [4, 5, 6, 7, 8, 9]
    assert snapshots[-1].pending == 0


@settings(deadline=None, max_examples=60)
@given(program=PROGRAMS, strategy=st.sampled_from(["dfs", "exhaust"]))
def test_what_is_left_is_a_share_that_shrinks(program: Program, strategy: str) -> None:
    seconds = itertools.count()
    limits = Budget(clock=lambda: float(next(seconds)), started=0.0, timeout=1e9)
    snapshots: list[ProgressSnapshot] = []
    made = StrategyRegistry.with_builtins().create(Settings(strategy=strategy))
    Explorer(Survivor(program), made, limits, progress=snapshots.append).run()
    for _, group in itertools.groupby(snapshots, key=lambda one: one.bound):
        shares = [one.remaining for one in group]
        assert all(share is not None and -1e-9 <= share <= 1 for share in shares)
        assert shares == sorted(shares, key=lambda share: -(share or 0))
        assert abs(shares[-1] or 0) < 1e-9
