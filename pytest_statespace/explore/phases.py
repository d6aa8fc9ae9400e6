"""The phases of the default search.

It begins with what finds most bugs soon: the first path, its conflicts the other way round, some drawn executions.
What is not done by then is searched without the orders of steps that make no difference (strategy `dpor`), in a child
that notes what steps touch. If that is not done soon, preemption bounds have their turn, for most bugs that are left
need few preemptions; then it is done again, with more time. Should even that take too long, or come to a livelock, of
which it knows no schedule, the plain search has the rest of the time. Where executions are long, the first of these
attempts comes after the bounds, and is short.

What steps touch is dear to know. If the first attempt had to take every alternative, so would the second: depth-first
search then does the same in less time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Search, SearchEnd
from pytest_statespace.types import FailureKind

__all__ = ["run_phases"]

_OPENING = 19  # executions: as many as an opening may have
_SHORT = 100  # choice points of an execution that is not long
_ATTEMPT = 250  # executions of the first attempt to search all with the reduction
_GLANCE = 60  # the same where executions are long
_ATTEMPT_SHARE = 0.1  # of the time that is left then
_WORTH = 0.01  # of the alternatives: leaving out fewer is not worth it
_PATIENCE = 100, 400  # executions of the plain search before the next; more where they are long
_SHARE = 0.4  # of the time that is left then
_OPEN_ENDS = (SearchEnd.BUDGET, SearchEnd.MEMORY)

Run = Callable[[Budget], Search]


def run_phases(plain: Run, reduced: Run, sweep: Run, whole: Budget) -> Search:
    """The search of the last phase; it counts what was run in earlier ones as well.

    ``sweep`` is what ``reduced`` would be if nothing could be left out.
    """
    is_worth_it = True
    search = plain(whole.phase(executions=_opening))
    if search.end not in _OPEN_ENDS or _is_used_up(whole, search, search.states):
        return search
    for run, budget in _further(plain, reduced, whole, search):
        if run is reduced and search.weakened:
            continue
        if run is reduced and not is_worth_it:
            run = sweep
        earlier, search = search, run(budget(search.executions))
        _add(search, earlier)
        if run is reduced:
            is_worth_it = search.left_out >= _WORTH
        if _is_settled(search, reduces=run is reduced):
            return search
        # The states of a search that reduces are not those of the plain one.
        if _is_used_up(whole, search, 0 if run is reduced else search.states):
            return search
    return search


def _further(
    plain: Run, reduced: Run, whole: Budget, first: Search
) -> Iterator[tuple[Run, Callable[[int], Budget]]]:
    """What comes after the first phase, and its budget by the executions before."""
    if first.longest <= _SHORT:
        yield reduced, lambda before: whole.phase(before, share=_ATTEMPT_SHARE, executions=lambda longest: _ATTEMPT)
        yield plain, lambda before: whole.phase(before, executions=_patience)
    else:
        yield reduced, lambda before: whole.phase(before, share=_ATTEMPT_SHARE, executions=lambda longest: _GLANCE)
    yield reduced, lambda before: whole.phase(before, share=_SHARE)
    yield plain, whole.phase


def _opening(longest: int) -> int:
    return _OPENING if longest <= _SHORT else _patience(longest)


def _patience(longest: int) -> int:
    fewest, most = _PATIENCE
    return min(max(fewest, 2 * longest), most)


def _is_settled(search: Search, *, reduces: bool) -> bool:
    if search.end in _OPEN_ENDS:
        return False
    if not reduces or (search.found is not None and not _is_livelock(search)):
        return True
    # States that a declaration made equal need not touch the same below: what was left out rests on that.
    return not (search.cuts or search.unending or search.weakened or _is_livelock(search))


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
    for count in ("dropped", "rebuilt", "repeated", "uncompared"):
        setattr(search, count, getattr(search, count) + getattr(earlier, count))
    search.left_names |= earlier.left_names
    search.why_uncompared = earlier.why_uncompared or search.why_uncompared
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
