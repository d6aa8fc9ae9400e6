"""With next to no memory for snapshots a search is the same search: some are dropped and rebuilt."""

from __future__ import annotations

import pytest
from litmus.test_models import CASES, Case
from support.search import STATES_ARE_COMPARED, WHY_NOT, Found, explore

from pytest_statespace.errors import InternalError

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")

FEW = {"locked-2x2-sync", "locked-3x1-sync", "philosophers-3-broken", "locked-2x4-access"}


def _numbers(found: Found) -> tuple[object, ...]:
    return found.complete, found.executions, found.transitions, found.states, found.outcomes


def _dropped(case: Case, mebibytes: int) -> int:
    """How many snapshots were dropped; -1: even the least that a path needs is too much."""
    expected = explore(case.program, granularity=case.granularity)
    try:
        found = explore(case.program, granularity=case.granularity, mebibytes=mebibytes)
    except InternalError as error:
        if "the page store is full" not in str(error):
            raise
        return -1
    assert _numbers(found) == _numbers(expected)
    assert found.search.rebuilt <= found.search.dropped
    return found.search.dropped


def test_little_memory() -> None:
    cases = [case for case in CASES if case.name in FEW]
    dropped = [_dropped(case, 3) for case in cases]
    assert -1 not in dropped
    if max(dropped) == 0:  # an interpreter that writes fewer pages
        dropped = [_dropped(case, 2) for case in cases]
    assert max(dropped) > 0


@pytest.mark.campaign
@pytest.mark.parametrize("mebibytes", [2, 3, 4])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_little_memory_on_every_model(case: Case, mebibytes: int) -> None:
    dropped = _dropped(case, mebibytes)
    assert dropped >= 0 or mebibytes < 4
