"""The phases of the default search.

It begins with what finds most bugs soon: an opening, and preemption bounds. If the space is larger than
that, everything is searched without the orders of steps that make no difference (strategy `dpor`), in a child that
notes what steps touch. Should that take too long, or come to a livelock, of which it knows no schedule, the
plain search has the rest of the time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Search, SearchEnd
from pytest_statespace.types import FailureKind

__all__ = ["run_phases"]

_PATIENCE = 100, 400  # executions of the plain search before the reduced one has a turn; more where they are long
_SHARE = 0.4  # of the time that is left then
_OPEN_ENDS = (SearchEnd.BUDGET, SearchEnd.MEMORY)


def run_phases(plain: Callable[[Budget], Search], reduced: Callable[[Budget], Search], whole: Budget) -> Search:
    """The search of the last phase; it counts what was run in earlier ones as well."""
    first = plain(whole.first(*_PATIENCE))
    if first.end is not SearchEnd.BUDGET or first.weakened or _is_used_up(whole, first, first.states):
        return first
    second = reduced(whole.share(_SHARE, first.executions))
    _add(second, first)
    if second.end not in _OPEN_ENDS and not second.cuts and not second.unending and not _is_livelock(second):
        return second
    if _is_used_up(whole, second, 0):  # its states are not those of the plain search
        return second
    third = plain(whole.after(second.executions))
    _add(third, second)
    return third


def _is_livelock(search: Search) -> bool:
    return search.found is not None and search.found.kind is FailureKind.LIVELOCK


def _is_used_up(budget: Budget, search: Search, states: int) -> bool:
    """Is there nothing left for a further phase? Then the search says so."""
    used_up = budget.exceeded(executions=search.executions, states=states)
    if used_up and search.end is SearchEnd.BUDGET:
        search.detail = used_up
    return bool(used_up)


def _add(search: Search, earlier: Search) -> None:
    """Count an earlier phase of the same search as well."""
    for count in ("executions", "transitions", "interludes", "finished", "skipped", "left_running"):
        setattr(search, count, getattr(search, count) + getattr(earlier, count))
    for count in ("dropped", "rebuilt", "repeated"):
        setattr(search, count, getattr(search, count) + getattr(earlier, count))
    search.left_names |= earlier.left_names
    search.warnings = earlier.warnings | search.warnings
    search.outcomes |= earlier.outcomes
    for label, held in earlier.sometimes.items():
        search.sometimes[label] = held or search.sometimes.get(label, False)
    search.races = tuple(dict.fromkeys((*earlier.races, *search.races)))
    search.more_races |= earlier.more_races
    if search.covered_bound is None:
        search.covered_bound = earlier.covered_bound
    if search.found is not None:
        search.found = dataclasses.replace(
            search.found,
            executions=search.found.executions + earlier.executions,
            transitions=search.found.transitions + earlier.transitions,
        )
