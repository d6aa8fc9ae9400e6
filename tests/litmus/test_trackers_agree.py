"""However changed pages are found and kept, a search is the same search."""

from __future__ import annotations

import pytest
from litmus.test_models import CASES, Case
from support.search import STATES_ARE_COMPARED, WHY_NOT, explore

from pytest_statespace.sandbox.protocol import Without

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")

SMALL = {"philosophers-2-broken", "check-then-act-2"}


def _agree(case: Case, tracker: str, without: Without = Without.NOTHING) -> None:
    found, expected = (
        explore(case.program, granularity=case.granularity, tracker=name, seconds=600, mebibytes=2048, without=leaving)
        for name, leaving in ((tracker, without), ("wpasync", Without.NOTHING))
    )
    assert found.complete
    assert expected.complete
    assert found.outcomes == expected.outcomes
    assert (found.executions, found.transitions, found.states) == (
        expected.executions,
        expected.transitions,
        expected.states,
    )


@pytest.mark.parametrize("tracker", ["mprotect", "compare"])
@pytest.mark.parametrize("case", [case for case in CASES if case.name in SMALL], ids=lambda case: case.name)
def test_trackers_agree(case: Case, tracker: str) -> None:
    _agree(case, tracker)


@pytest.mark.parametrize(
    ("tracker", "without"),
    [
        ("compare", Without.MERGING | Without.COMPARISON),
        ("compare", Without.COMPARISON),
        ("mprotect", Without.PREDICTION),
    ],
    ids=str,
)
@pytest.mark.parametrize("case", [case for case in CASES if case.name in SMALL], ids=lambda case: case.name)
def test_full_copies_agree(case: Case, tracker: str, without: Without) -> None:
    _agree(case, tracker, without)


@pytest.mark.campaign
@pytest.mark.parametrize("tracker", ["mprotect", "compare"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_trackers_agree_on_every_model(case: Case, tracker: str) -> None:
    _agree(case, tracker)
