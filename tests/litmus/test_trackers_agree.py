"""However changed pages are found, a search is the same search."""

from __future__ import annotations

import pytest
from litmus.test_models import CASES, Case
from support.search import STATES_ARE_COMPARED, WHY_NOT, explore

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")

SMALL = {"philosophers-2-broken", "check-then-act-2"}


def _agree(case: Case, tracker: str) -> None:
    found, expected = (
        explore(case.program, granularity=case.granularity, tracker=name, seconds=600) for name in (tracker, "wpasync")
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


@pytest.mark.campaign
@pytest.mark.parametrize("tracker", ["mprotect", "compare"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_trackers_agree_on_every_model(case: Case, tracker: str) -> None:
    _agree(case, tracker)
