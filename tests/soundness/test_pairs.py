"""Every state-equality pair, one exploration for each family of them.

Each pair is compared in the engine itself: a choice of the pair, a choice of the history, and a last
choice. Where the two histories lead to one state, the second is not continued from there.
"""

from __future__ import annotations

import importlib

import pytest
from pairs import Pair
from support import driver

from pytest_statespace._native import _bridge

FAMILIES = ("values", "objects", "running", "c_objects", "before", "large")

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])


def compare(pairs: list[Pair]) -> dict[int, int]:
    """Executions that each pair took, by its number: 2 when the histories met, else 4."""

    def program() -> int:
        number = _bridge.choose(len(pairs))
        kept = (pairs[number].first, pairs[number].second)[_bridge.choose(2)]()
        _bridge.choose(2)
        del kept
        return number

    report = driver.explore(program, fingerprint=True, prune=True, guard=False, check=True, verify_base=True)
    strange = {text: count for text, count in report.outcomes.items() if not text.isdecimal()}
    assert not strange
    return {int(text): count for text, count in report.outcomes.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_pairs(family: str) -> None:
    pairs: list[Pair] = importlib.import_module(f"pairs_{family}").PAIRS
    executions = compare(pairs)
    found = {i: {2: "same", 4: "different"}[n] for i, n in executions.items()}
    wrong = [f"{pair.name}: not {pair.expected}" for i, pair in enumerate(pairs) if found[i] != pair.expected]
    assert not wrong
