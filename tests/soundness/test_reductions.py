"""Partial-order reduction must lose no outcome and no data race, and invent none: against depth-first search, exactly.

Programs in which a dependence is easily overlooked (`dependence/programs.py`), all of the small ones explored
as one by a choice at their beginning, and random ones (`dependence/generator.py`). Depth-first search
itself is compared with the search without visited set in `test_random_programs.py`.

What the reduction does for soundness is taken away, one thing at a time: each time an outcome must be lost.
`STATESPACE_BATCHES=first:last pytest -m campaign tests/soundness/test_reductions.py` compares batches of forty random
programs, 250 by default, with all strategies that claim to be complete (`strategies_campaign`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from pytest_statespace._native._bridge import choose
from soundness.dependence.generator import load, source_of
from soundness.dependence.programs import PROGRAMS, Program
from soundness.strategies_campaign import STRATEGIES, check
from support.search import STATES_ARE_COMPARED, WHY_NOT, Found, Subject, explore_with

from pytest_statespace.explore import dependence
from pytest_statespace.explore.dependence import Event
from pytest_statespace.explore.notes import Note
from pytest_statespace.explore.strategies.base import Arrival, Job
from pytest_statespace.explore.strategies.dpor import PartialOrderReduction
from pytest_statespace.explore.touches import FREE, Touch
from pytest_statespace.explore.trace import Trace
from pytest_statespace.sandbox.protocol import NewState

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")

FOLDER = (Path(__file__).resolve().parent / "dependence",)
SIZE = 6000
MOST = {"dfs": SIZE, "dpor": 3 * SIZE, "source-dpor": 3 * SIZE}  # it may need more where nothing is independent
LARGE = {"executor"}
"""More executions than `SIZE` without reduction."""
MIDDLE = {
    "barrier", "chain_of_conflicts", "children_of_two", "collected", "handed_lock",
    "identity_of_children", "keys_that_went",
    "new_objects_where_states_meet", "order_of_acquires", "simple_queue", "sorted_by_a_key",
    "spinning_beside_a_conflict", "states_that_meet", "three_that_copy",
}  # fmt: skip
"""More than 100: left to the campaign."""
SPINNING = {"spinning", "spinning_beside_a_conflict"}
"""These have executions of any length."""
TIMED = {"sleepers", "clock", "time_runs_out", "notified_without_the_lock"}


def search(
    program: Program,
    strategy: str,
    granularity: str,
    *,
    timeouts_any: bool,
    under_test: tuple[Path, ...],
) -> Found:
    return explore_with(
        program,
        lambda subject: subject.search(strategy, max_executions=MOST[strategy], seconds=300),
        granularity=granularity,
        timeouts_any=timeouts_any,
        footprints=strategy != "dfs",
        under_test=under_test,
        max_threads=12,
        races=True,
    )


def one_of(programs: Sequence[tuple[str, Program]]) -> Program:
    """Whichever is chosen first, with its name. Not under test itself."""

    def program() -> object:
        name, chosen = programs[choose(len(programs))]
        try:
            return name, chosen()
        except Exception as error:
            return name, f"{type(error).__name__}: {error}"

    return program


def compare(
    program: Program,
    granularity: str = "access",
    *,
    timeouts_any: bool = False,
    under_test: tuple[Path, ...] = FOLDER,
) -> tuple[Found, Found]:
    everything = search(program, "dfs", granularity, timeouts_any=timeouts_any, under_test=under_test)
    if not everything.complete:
        return everything, everything
    reduced = search(program, "dpor", granularity, timeouts_any=timeouts_any, under_test=under_test)
    assert reduced.complete
    agree(everything, reduced)
    return everything, reduced


def agree(everything: Found, reduced: Found) -> None:
    """Nothing is lost, nothing is invented."""
    missing, invented = everything.results - reduced.results, reduced.results - everything.results
    assert not missing, f"lost: {sorted(missing)}"
    assert not invented, f"invented: {sorted(invented)}"
    assert reduced.races == everything.races


def small() -> list[tuple[str, Program]]:
    return [(name, program) for name, program in PROGRAMS.items() if name not in LARGE | MIDDLE | TIMED]


@pytest.mark.parametrize("part", range(2))
def test_no_dependence_is_overlooked(part: int) -> None:
    """Half of the small programs at a time: a state does not tell which of them have run before, none have."""
    everything, reduced = compare(one_of(small()[part::2]))
    assert everything.complete
    assert reduced.executions < everything.executions


def test_no_dependence_is_overlooked_without_visited_set() -> None:
    found = [
        search(
            one_of([(name, program) for name, program in small() if name not in SPINNING]),
            strategy,
            "access",
            timeouts_any=False,
            under_test=FOLDER,
        )
        for strategy in ("dfs", "source-dpor")
    ]
    assert all(one.complete for one in found)
    agree(*found)


def test_depth_first_search_is_the_same_in_a_child_that_notes_what_steps_touch() -> None:
    """It is what the reduction is compared with there (`strategies_campaign`)."""
    found = [
        explore_with(
            PROGRAMS["two_that_look_back"],
            lambda subject: subject.search("dfs"),
            granularity="access",
            footprints=footprints,
            under_test=FOLDER,
        )
        for footprints in (False, True)
    ]
    assert found[0].complete
    assert (found[0].results, found[0].executions, found[0].states) == (
        found[1].results,
        found[1].executions,
        found[1].states,
    )


def test_the_end_of_a_lock_is_noted() -> None:
    seen: set[int] = set()
    with pytest.MonkeyPatch.context() as patch:
        real = PartialOrderReduction._event

        def event(self: PartialOrderReduction, thread: int, touches: frozenset[Touch], starts: int) -> Event:
            seen.update(touch.operation for touch in touches)
            return real(self, thread, touches, starts)

        patch.setattr(PartialOrderReduction, "_event", event)
        search(PROGRAMS["locks_that_come_and_go"], "dpor", "access", timeouts_any=False, under_test=FOLDER)
        assert FREE in seen
        seen.clear()
        search(PROGRAMS["two_that_look_back"], "dpor", "access", timeouts_any=False, under_test=FOLDER)
        assert seen
        assert FREE not in seen


def test_where_there_is_nothing_to_choose_nothing_has_numbers() -> None:
    """Those of the last state that was compared would be taken for its own."""
    seen: set[tuple[bool, bool, bool]] = set()
    with pytest.MonkeyPatch.context() as patch:
        real = PartialOrderReduction.learn

        def learn(self: PartialOrderReduction, job: Job, arrivals: Sequence[Arrival]) -> None:
            seen.update((state.extra, Note(state.note).numbered, state.visit >= 0) for state, _ in arrivals)
            real(self, job, arrivals)

        patch.setattr(PartialOrderReduction, "learn", learn)
        search(PROGRAMS["two_that_look_back"], "dpor", "access", timeouts_any=False, under_test=FOLDER)
    assert seen == {(False, True, True), (True, False, False)}


@pytest.mark.campaign
@pytest.mark.parametrize("granularity", ["access", "opcode"])
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in LARGE])
def test_no_dependence_is_overlooked_in(name: str, granularity: str) -> None:
    for timeouts_any in (False, True) if name in TIMED else (False,):
        everything, _ = compare(PROGRAMS[name], granularity, timeouts_any=timeouts_any)
        assert everything.complete or granularity == "opcode"


@pytest.mark.campaign
@pytest.mark.parametrize("granularity", ["access", "opcode"])
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in LARGE | SPINNING])
def test_no_dependence_is_overlooked_without_visited_set_in(name: str, granularity: str) -> None:
    """Where that needs too many executions there is little to compare: `sorted_by_a_key`, and more at `opcode`."""
    for timeouts_any in (False, True) if name in TIMED else (False,):
        everything, reduced = (
            search(PROGRAMS[name], strategy, granularity, timeouts_any=timeouts_any, under_test=FOLDER)
            for strategy in ("dfs", "source-dpor")
        )
        if reduced.complete and everything.complete:
            agree(everything, reduced)
        elif everything.complete:
            assert not reduced.results - everything.results


def test_random_programs_keep_their_outcomes() -> None:
    everything, reduced = compare(load(source_of(1004, 2), 1004))
    assert everything.complete
    assert reduced.executions < everything.executions


def test_random_programs_keep_their_outcomes_without_visited_set() -> None:
    program = load(source_of(1004, 2), 1004)
    everything, reduced = (
        search(program, strategy, "access", timeouts_any=False, under_test=FOLDER)
        for strategy in ("dfs", "source-dpor")
    )
    assert everything.complete
    assert reduced.complete
    assert reduced.states == 0
    assert (reduced.results, reduced.races) == (everything.results, everything.races)


def test_without_visited_set_an_endless_loop_ends_as_too_long_an_execution() -> None:
    """As long as memory lasts, it would be; and to look at it would take minutes."""
    found = explore_with(
        PROGRAMS["spinning_beside_a_conflict"],
        lambda subject: subject.search("source-dpor", max_executions=3),
        granularity="access",
        footprints=True,
        under_test=FOLDER,
    )
    assert not found.complete
    assert found.search is not None
    assert "an execution with more than 4000 choice points" in found.search.cuts


@pytest.mark.campaign
def test_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    first, _, last = os.environ.get("STATESPACE_BATCHES", "0:250").partition(":")
    failures: list[str] = []
    compared = 0
    for number in range(int(first), int(last)):
        report = check(number, STRATEGIES)
        compared += report.compared
        failures += report.failures
        with capsys.disabled():
            print(f"batch {number}: {compared} programs compared, {len(failures)} failures", flush=True)
    assert compared
    assert not failures, "\n\n".join(failures)


# -- breaking it ----------------------------------------------------------------------------------------------


Break = Callable[[pytest.MonkeyPatch], None]
BREAKS: dict[str, tuple[Break, Program]] = {}


def breaks(name: str) -> Callable[[Break], Break]:
    def register(function: Break) -> Break:
        BREAKS[function.__name__] = (function, PROGRAMS[name])
        return function

    return register


@breaks("deadlock")
def two_acquires_are_independent(patch: pytest.MonkeyPatch) -> None:
    real = dependence.never_together
    acquire = 5
    patch.setattr(
        dependence,
        "never_together",
        lambda one, other: real(one, other) or (one.operation == acquire and other.operation == acquire),
    )


@breaks("two_that_look_back")
def no_summary_at_a_known_state(patch: pytest.MonkeyPatch) -> None:
    real = PartialOrderReduction._met_again

    def met_again(self: PartialOrderReduction, state: NewState, note: Note) -> None:
        if state.visit not in self._closed:
            real(self, state, note)

    patch.setattr(PartialOrderReduction, "_met_again", met_again)


@breaks("spinning_beside_a_conflict")
def no_full_expansion_in_a_loop(patch: pytest.MonkeyPatch) -> None:
    real = PartialOrderReduction._met_again

    def met_again(self: PartialOrderReduction, state: NewState, note: Note) -> None:
        if state.visit in self._closed:
            real(self, state, note)

    patch.setattr(PartialOrderReduction, "_met_again", met_again)


@breaks("handed_over_in_lists")
def the_whole_is_no_part(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        dependence, "clash", lambda one, other: (one.writes or other.writes) and one.part == other.part
    )


@breaks("two_that_look_back")
def pending_operations_do_not_count(patch: pytest.MonkeyPatch) -> None:
    real = Trace.below

    def below(self: Trace, touches: Iterable[Touch]) -> None:
        real(self, [touch for touch in touches if not touch.operation])

    patch.setattr(Trace, "below", below)


@breaks("handed_over_in_lists")
def nothing_is_touched_on_the_way(patch: pytest.MonkeyPatch) -> None:
    real = PartialOrderReduction._executed

    def executed(self: PartialOrderReduction, taken: int, on_the_way: Iterable[Touch], after: Note | None) -> None:
        real(self, taken, [touch for touch in on_the_way if touch.everything], after)

    patch.setattr(PartialOrderReduction, "_executed", executed)


@breaks("how_many")
def the_unknown_is_nothing(patch: pytest.MonkeyPatch) -> None:
    real = PartialOrderReduction._executed

    def executed(self: PartialOrderReduction, taken: int, on_the_way: Iterable[Touch], after: Note | None) -> None:
        real(self, taken, [touch for touch in on_the_way if not touch.everything], after)

    patch.setattr(PartialOrderReduction, "_executed", executed)


@breaks("left_behind_unread")
def the_end_is_no_transition(patch: pytest.MonkeyPatch) -> None:
    real = PartialOrderReduction._executed

    def executed(self: PartialOrderReduction, taken: int, on_the_way: Iterable[Touch], after: Note | None) -> None:
        real(self, taken, on_the_way if after is not None else (), after)

    patch.setattr(PartialOrderReduction, "_executed", executed)


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_taken_away_is_missed(name: str) -> None:
    take_away, program = BREAKS[name]

    def use(subject: Subject) -> tuple[frozenset[str], frozenset[str]]:
        whole = subject.search("dpor").results
        with pytest.MonkeyPatch.context() as patch:
            take_away(patch)
            return whole, subject.search("dpor", max_executions=SIZE).results

    whole, broken = explore_with(program, use, granularity="access", footprints=True, under_test=FOLDER)
    assert broken < whole
