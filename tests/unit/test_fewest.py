"""Fewer preemptions are looked for, and found if they are enough.

That what is proved is true is in `test_explorer`: a failure is left with the fewest preemptions.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy import Program, fewest_preemptions
from test_explorer import INCREMENT, search
from test_minimise import ASSERTING, FOREVER, check_it_fails_as_before, end_of

from pytest_statespace.explore.fewest import look_for_fewer
from pytest_statespace.explore.minimise import minimise
from pytest_statespace.types import FailureKind


@settings(deadline=None, max_examples=100)
@given(program=ASSERTING, strategy=st.sampled_from(["dfs", "random", "pct"]), seed=st.integers(0, 3))
def test_what_is_found_fails_as_before(program: Program, strategy: str, seed: int) -> None:
    check_it_fails_as_before(program, strategy, seed, look_for_fewer, 300)


def test_one_that_is_needed_is_kept_and_proved() -> None:
    lost = (INCREMENT, INCREMENT, (("spin", "x"), ("spin", "r0.t"), ("assert", "never", 1)))
    found, engine = search(lost, "random")
    assert found.found is not None
    before = found.found.schedule.preemptions
    look_for_fewer(found, engine, FOREVER)
    assert found.minimised_from in (None, before)
    if before <= 3:
        assert found.covered_bound is not None
        assert found.found.schedule.preemptions == fewest_preemptions(lost)


def test_another_failure_is_not_taken_for_it() -> None:
    """Every execution that does not fail the assertion is a deadlock, without any preemption. Seen to fail where any
    failure with fewer preemptions is taken for the same."""
    stuck: Program = ((("lock", "m"),), (("lock", "m"),), (("add", "d", 1), ("add", "d", -1)), (("assert", "d", 0),))
    for seed in range(20):
        found, engine = search(stuck, "random", seed=seed)
        assert found.found is not None
        if found.found.kind is FailureKind.ASSERTION:
            look_for_fewer(found, engine, FOREVER)
            assert end_of(stuck, found) == ("failed", 1)
            assert found.covered_bound in (None, 0)
            return
    raise AssertionError("no seed fails the assertion")


def test_a_space_that_is_too_wide_is_left() -> None:
    """Sixty threads whose order matters, without any preemption. Seen to fail where a round that was cut counts."""
    wide: Program = (*[(("add", "d", 1), ("add", "d", -1))] * 60, (("assert", "d", 0),))
    found, engine = search(wide, "random", seed=1)
    minimise(found, engine, FOREVER)
    left, trials = found.found, found.trials
    assert left is not None
    assert left.schedule.preemptions == 1
    look_for_fewer(found, engine, FOREVER)
    assert (found.trials - trials, found.covered_bound, found.found) == (300, None, left)
