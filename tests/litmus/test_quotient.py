"""How many more states are found than there are: at most half as many again.

The measure is the bisimulation quotient of the whole tree of interleavings (`support.quotient`), which
owes nothing to fingerprints or models. What is found beyond it is state that makes no difference to
the future, such as `threading`'s set of locks of ended threads, which nobody asks again.
"""

from __future__ import annotations

import sys

import pytest
from litmus.test_models import CASES
from support.quotient import quotient
from support.search import STATES_ARE_COMPARED, WHY_NOT, explore

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")

# name in CASES: choice points of the tree, classes of them, states found
SMALL = {
    "locked-2x1-sync": (150, 21, 25),
    "locked-2x1-access": (539, 33, 39),
    "locked-2x2-sync": (764, 36, 42),
    "unlocked-attribute-2x1": (250, 29, 33),
    "unlocked-global-2": (250, 29, 33),
    "unlocked-cell-2": (250, 29, 33),
    "check-then-act-2": (200, 26, 29),
    "philosophers-2-broken": (810, 37, 43),
    "semaphore-2-1": (1104, 40, 49),
}
LARGE = {
    "straight-line-2": (764, 36, 42),
    "locked-2x2-access": (4051, 60, 70),
    "locked-2x3-sync": (3238, 53, 61),
    "locked-2x3-access": (19885, 89, 103),
    "locked-2x4-sync": (12776, 72, 82),
    "raw-locked-2x1-sync": (1866, 40, 40),
    "raw-locked-2x1-access": (13067, 61, 61),
    "raw-locked-2x2-sync": (10419, 61, 61),
    "unlocked-attribute-2x2": (3430, 82, 97),
    "philosophers-2-ordered": (539, 33, 39),
}
BY_NAME = {case.name: case for case in CASES}


def _check(name: str, pinned: tuple[int, int, int]) -> None:
    case = BY_NAME[name]
    least = quotient(case.program, granularity=case.granularity)
    found = explore(case.program, granularity=case.granularity)
    assert found.complete
    assert found.results == least.outcomes
    assert least.classes <= found.states <= 1.5 * least.classes
    if sys.version_info[:2] == (3, 11):  # threading differs between versions
        assert (least.nodes, least.classes, found.states) == pinned


@pytest.mark.parametrize("name", SMALL)
def test_few_states_beyond_the_quotient(name: str) -> None:
    _check(name, SMALL[name])


@pytest.mark.campaign
@pytest.mark.parametrize("name", LARGE)
def test_few_states_beyond_the_quotient_of_larger_programs(name: str) -> None:
    _check(name, LARGE[name])
