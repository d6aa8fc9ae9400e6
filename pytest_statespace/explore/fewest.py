"""Whether a failure needs as many preemptions as it has: those with fewer are searched for.

What an opening, a sampler or plain depth-first search came across, and what minimising made of it, may have more than
it needs. The rounds of the default search know better: each one, done without that failure, proves that it
takes more. They are given a few hundred executions, which is enough where few interleavings exist.
"""

from __future__ import annotations

import dataclasses
from time import monotonic

from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Explorer, Search, SearchEnd
from pytest_statespace.explore.minimise import is_same
from pytest_statespace.explore.strategies.exhaust import LAST_BOUND, Exhaust
from pytest_statespace.sandbox.protocol import Engine
from pytest_statespace.types import FailureKind

__all__ = ["look_for_fewer"]

_MOST_RUNS = 300


def look_for_fewer(search: Search, engine: Engine, deadline: float) -> None:
    """Replace the failure by one with fewer preemptions, or find out that there is none (`Search.covered_bound`).

    ``deadline`` is on the monotonic clock. A crash or hang would end the process, and that of a livelock is no end.
    """
    found = search.found
    if found is None or found.kind in (FailureKind.CRASH, FailureKind.HANG, FailureKind.LIVELOCK):
        return
    most = min(found.schedule.preemptions - 1, LAST_BOUND)  # with which it is looked for
    covered = -1 if search.covered_bound is None else search.covered_bound
    if covered >= most:
        return
    now = monotonic()
    budget = Budget(monotonic, now, deadline - now, max_executions=_MOST_RUNS)
    fewer = Explorer(engine, Exhaust(most), budget, wanted=lambda other: is_same(found, other)).run()
    search.trials += fewer.executions
    if fewer.covered_bound is not None and fewer.covered_bound > covered:
        search.covered_bound = fewer.covered_bound
    if search.minimised_from is None:
        search.minimised_from = found.schedule.preemptions
    if fewer.end is SearchEnd.FAILED and fewer.found is not None:
        least = fewer.found
        search.payload = fewer.payload
        search.found = dataclasses.replace(found, message=least.message, schedule=least.schedule, length=least.length)
