"""Attributes under two names: no choice point is left out, and no order, that makes a difference."""

from __future__ import annotations

import pytest
from soundness.aliases import load, source_of
from support.search import STATES_ARE_COMPARED, WHY_NOT, Found, explore_with

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")

MOST = 20_000
"""Executions. Larger programs are left out."""
STRATEGIES = ("dfs", "dpor", "exhaust")
SEEDS = (1, 10, 13, 14)
"""Programs that lose outcomes where a dictionary and its instance count as two objects."""


def _search(source: str, strategy: str, granularity: str) -> Found:
    return explore_with(
        load(source),
        lambda subject: subject.search(strategy, max_executions=MOST, seconds=60),
        granularity=granularity,
        footprints=strategy == "dpor",
    )


def _compare(seed: int) -> bool:
    """Was the program small enough?"""
    source = source_of(seed)
    everything = _search(source, "dfs", "opcode")
    if not everything.complete:
        return False
    for strategy in STRATEGIES:
        found = _search(source, strategy, "access")
        assert found.complete
        assert found.results == everything.results, f"{strategy} with seed {seed}\n{source}"
    return True


@pytest.mark.parametrize("seed", SEEDS)
def test_outcomes_are_those_of_every_interleaving(seed: int) -> None:
    assert _compare(seed)


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(1000, 2000, 50))
def test_outcomes_are_those_of_every_interleaving_campaign(first: int) -> None:
    assert sum(_compare(seed) for seed in range(first, first + 50)) >= 20
