"""Minimising: what is left fails in the same way when it is run, and has no more preemptions than before."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy import Program, ToyEngine, fewest_preemptions
from test_explorer import INCREMENT, OPERATIONS, ORDER, search, verdict

from pytest_statespace.explore.explorer import Search, SearchEnd
from pytest_statespace.explore.minimise import minimise
from pytest_statespace.sandbox.protocol import Command, RunFlag
from pytest_statespace.types import FailureKind

FOREVER = 1e18
ASSERTING = st.lists(
    st.lists(OPERATIONS | st.just(("assert", "x", 0)), min_size=1, max_size=4).map(tuple), min_size=2, max_size=3
).map(tuple)
# Six threads whose value is wrong for one step, and one that looks: one preemption is enough.
FLICKER: Program = (*[(("add", "d", 1), ("add", "d", -1))] * 6, (("assert", "d", 0),))


def minimised(program: Program, strategy: str, seed: int = 0, **options: object) -> tuple[Search, ToyEngine, int]:
    """A failing search after minimising, its engine, and the preemptions before."""
    found, engine = search(program, strategy, seed=seed, **options)  # type: ignore[arg-type]
    assert found.found is not None
    before = found.found.schedule.preemptions
    minimise(found, engine, FOREVER)
    return found, engine, before


def end_of(program: Program, found: Search) -> tuple[str, int]:
    """How the schedule of a failure ends when it is run again, and its preemptions as the engine counts them."""
    assert found.found is not None
    schedule = found.found.schedule
    engine = ToyEngine(program)
    forced = tuple(choice.index for choice in schedule.choices)
    labels = tuple(choice.label for choice in schedule.choices)
    result = engine.run(Command(0, 0, RunFlag.NONE, forced, labels), deadline=0)
    assert len(result.states) == len(schedule.choices)
    last = result.states[-1:]
    used = sum(state.preemptions + (state.taken != 0 and state.threads[:1] == (state.current,)) for state in last)
    return engine.ended[-1][0], used


def check_it_fails_as_before(
    program: Program, strategy: str, seed: int, improve: Callable[[Search, ToyEngine, float], None], most: int
) -> None:
    """Improve the failure that a short search finds, if any. It comes to an end by itself, after `most` trials."""
    found, engine = search(program, strategy, seed=seed, limits={"max_executions": 60})
    if found.end is not SearchEnd.FAILED:
        return
    assert found.found is not None
    kind, before = found.found.kind, found.found.schedule.preemptions
    improve(found, engine, FOREVER)
    end, used = end_of(program, found)
    assert found.found.kind is kind
    assert end == ("deadlock" if kind is FailureKind.DEADLOCK else "failed")
    assert used == found.found.schedule.preemptions <= before
    assert found.found.length == len(found.found.schedule)
    assert found.trials <= most
    assert not engine.unkept  # nothing is left behind in the engine
    least = fewest_preemptions(program)
    assert least is not None
    assert least <= used


@settings(deadline=None, max_examples=150)
@given(program=ASSERTING, strategy=st.sampled_from(["dfs", "random", "pct"]), seed=st.integers(0, 3))
def test_what_is_left_fails_as_before(program: Program, strategy: str, seed: int) -> None:
    """Seen to fail where a run is accepted that ends in another way, and where the schedule is of another run."""
    check_it_fails_as_before(program, strategy, seed, minimise, 199)


def test_many_preemptions_become_one() -> None:
    found, _engine, before = minimised(FLICKER, "random")
    assert found.found is not None
    assert before > 2
    assert found.found.schedule.preemptions == fewest_preemptions(FLICKER) == 1
    assert end_of(FLICKER, found) == ("failed", 1)
    (note,) = (note for note in verdict(found).notes if "minimised" in note)
    assert note == (
        f"the failing execution was minimised; preemptions: {before} at first, 1 after {found.trials} executions more"
    )


def test_the_numbers_of_the_search_stay() -> None:
    """What was run to minimise is no part of what was explored."""
    found, _ = search(FLICKER, "random")
    assert found.found is not None
    plain = (found.executions, found.transitions, found.found.executions, found.outcomes)
    again, _, _ = minimised(FLICKER, "random")
    assert again.found is not None
    assert (again.executions, again.transitions, again.found.executions, again.outcomes) == plain


def test_what_is_known_to_be_the_least_is_left_alone() -> None:
    """The round with bound 0 came to its end, so one preemption is needed."""
    found, _engine, before = minimised((ORDER[0], ORDER[1]), "exhaust", preemptions=2)
    assert (before, found.trials, found.minimised_from) == (1, 0, None)
    assert not [note for note in verdict(found).notes if "minimised" in note]


def test_a_failure_without_preemption_is_left_alone() -> None:
    found, _, before = minimised((INCREMENT, (("assert", "x", 0),)), "dfs")
    assert (before, found.trials) == (0, 0)


def test_it_is_the_same_every_time() -> None:
    first, second = (minimised(FLICKER, "surw")[0] for _ in range(2))
    assert first.found is not None
    assert second.found is not None
    assert first.found.schedule == second.found.schedule
    assert first.trials == second.trials
