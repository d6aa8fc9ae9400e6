"""Fewer preemptions for a failure that was found with more than it may need.

The rounds of the default search find a failure with the fewest preemptions there are. One that was
drawn at random, or that plain depth-first search came across, may have hundreds, and nobody can
read its schedule. Delta debugging over the preemptions (Zeller and Hildebrandt, "Simplifying and
isolating failure-inducing input", IEEE TSE 2002): the execution is run again with some of them left
out, in halves, then in smaller pieces, and what still fails in the same way is kept.

A preemption is named by the thread it was taken from and by what that thread was about to do for the
how many-th time, because positions in a schedule move when something before them is left out.
Where it is left out the thread goes on. What must be decided otherwise (which thread is next after one
that has to wait, data) is decided as before where the same thing comes up, else by alternative 0.

A preemption that takes the processor from a thread that has only begun says nothing: the thread might have begun later.
A search that begins all threads first (`dpor`) makes many of these, and one can't go without the next. So they are left
out together before anything else.

What is found so is an execution like any other: it was run, and it failed.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass

from pytest_statespace.explore.explorer import Found, Search
from pytest_statespace.explore.strategies.base import schedule_through
from pytest_statespace.runtime.wire import unpack
from pytest_statespace.sandbox.protocol import End, Engine, Point
from pytest_statespace.types import ChoiceKind, FailureKind, Schedule

__all__ = ["is_same", "minimise"]

_MOST_RUNS = 200
_CHANGING = re.compile(r"0x[0-9a-fA-F]+|\d+")  # of a message: addresses and values

Moment = tuple[object, ...]
"""A choice point, named so that it is found again where others were left out before it."""


def minimise(search: Search, engine: Engine, deadline: float) -> None:
    """Replace the failure that a search found by one with fewer preemptions, if one is found.

    ``deadline`` is on the monotonic clock. A crash or hang would end the process and stays as it is; so does what
    the rounds with lower bounds prove to be the least.
    """
    found = search.found
    if found is None or found.kind in (FailureKind.CRASH, FailureKind.HANG, FailureKind.LIVELOCK):
        return
    before = found.schedule.preemptions
    least = 0 if search.covered_bound is None else search.covered_bound + 1
    if before <= least:
        return
    trials = _Trials(found, search, engine, deadline)
    trials.reduce(least)
    search.found, search.minimised_from, search.trials = trials.best, before, trials.runs


def is_same(one: Found, other: Found) -> bool:
    """Is it the same failure, as far as can be told from what it says?"""
    return _signature(one) == _signature(other)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an execution decided: its preemptions in order, everything else, and what it took last.

    ``early``: those of threads that had only begun.
    """

    preemptions: tuple[tuple[Moment, int], ...]
    others: dict[Moment, int]
    last: int
    early: frozenset[Moment] = frozenset()


class _Trials:
    """Runs plans and keeps the failing one with the fewest preemptions."""

    def __init__(self, found: Found, search: Search, engine: Engine, deadline: float) -> None:
        self.best = found
        self.runs = 0
        self._search = search
        self._engine = engine
        self._deadline = deadline
        self._stopped = False
        self._longest = 2 * found.length + 100  # choice points: a plan may send a thread into an endless loop

    def reduce(self, least: int) -> None:
        """Delta debugging down to ``least`` preemptions."""
        plan = self._fails(_Again(self.best.schedule))
        if plan is not None and plan.early and self._may_go_on(least):
            late = tuple(preemption for preemption in plan.preemptions if preemption[0] not in plan.early)
            plan = self._fails(_Following(dataclasses.replace(plan, preemptions=late))) or plan
        pieces = 1
        while plan is not None and self._may_go_on(least):
            smaller, only = self._part_of(plan, pieces, least)
            if smaller is not None:
                plan, pieces = smaller, 1 if only else max(pieces - 1, 1)
            elif pieces < len(plan.preemptions):
                pieces = min(2 * pieces, len(plan.preemptions))
            else:
                return

    def _part_of(self, plan: _Plan, pieces: int, least: int) -> tuple[_Plan | None, bool]:
        """A plan that fails with one piece of the preemptions only, or else without one."""
        size = -(-len(plan.preemptions) // pieces)
        starts = range(0, len(plan.preemptions), size)
        one = [plan.preemptions[start : start + size] for start in starts] if pieces > 1 else []
        rest = [plan.preemptions[:start] + plan.preemptions[start + size :] for start in starts]
        for kept in one + rest:
            for candidate in _candidates(plan, kept):
                if not self._may_go_on(least):
                    return None, False
                smaller = self._fails(_Following(candidate))
                if smaller is not None:
                    return smaller, len(kept) <= size
        return None, False

    def _may_go_on(self, least: int) -> bool:
        return not self._stopped and self.runs < _MOST_RUNS and self.best.schedule.preemptions > least

    def _fails(self, chooser: _Chooser) -> _Plan | None:
        """Run it; its plan if it is the same failure. It preempts where its plan says, so less often than the best."""
        self.runs += 1

        def choose(point: Point) -> int | None:
            return chooser.choose(point) if point.depth < self._longest else None

        result = self._engine.sample(choose, deadline=self._deadline)
        for state in result.states:
            self._engine.release(state.number)
        self._stopped = result.end in (End.CRASHED, End.HUNG, End.TIMEOUT, End.LOST)
        if result.end is End.DEADLOCK:
            kind, text, exception = FailureKind.DEADLOCK, result.detail, ""
        elif result.end is End.FAILED and result.payload:
            payload = unpack(result.payload)
            kind, text, exception = FailureKind(payload["kind"]), payload["message"], payload.get("type", "")
        else:
            return None
        schedule = schedule_through(result.states)
        ended = dataclasses.replace(
            self.best, kind=kind, message=text, exception_type=str(exception), schedule=schedule, length=len(schedule)
        )
        if not is_same(self.best, ended):
            return None
        if chooser.repeats:
            return chooser.plan() if schedule.choices == self.best.schedule.choices else None
        self.best = ended
        if result.payload:
            self._search.payload = unpack(result.payload)
        return chooser.plan()


def _candidates(plan: _Plan, kept: tuple[tuple[Moment, int], ...]) -> list[_Plan]:
    """A plan with these preemptions; and with the last of them straight to the thread that fails in the end."""
    candidates = [dataclasses.replace(plan, preemptions=kept)]
    if kept:
        data = {moment: taken for moment, taken in plan.others.items() if moment[0] != ChoiceKind.THREAD}
        straight = (*kept[:-1], (kept[-1][0], plan.last))
        candidates.append(_Plan(straight, data, plan.last))
    return candidates


class _Chooser:
    """Decides an execution and notes what was decided."""

    repeats = False

    def __init__(self) -> None:
        self._preemptions: list[tuple[Moment, int]] = []
        self._others: dict[Moment, int] = {}
        self._seen: Counter[Moment] = Counter()
        self._last = 0
        self._early: set[Moment] = set()
        self._begun: set[int] = set()
        self._beginner: int | None = None  # the thread that was chosen last, if that was for the first time

    def plan(self) -> _Plan:
        return _Plan(tuple(self._preemptions), self._others, self._last, frozenset(self._early))

    def choose(self, point: Point) -> int:
        moment = self._moment(point)
        taken = self.decide(point, moment)
        code = _code(point, taken)
        if taken and _can_go_on(point):
            self._preemptions.append((moment, code))
            if point.current == self._beginner:
                self._early.add(moment)
        else:
            self._others[moment] = code
        if point.alternatives:
            self._last = code
            thread = point.alternatives[taken].thread
            self._beginner = None if thread in self._begun else thread
            self._begun.add(thread)
        return taken

    def decide(self, point: Point, moment: Moment) -> int:
        raise NotImplementedError

    def _moment(self, point: Point) -> Moment:
        at: Moment = (point.kind, point.current, point.count if not point.alternatives else 0)
        if _can_go_on(point):
            going = point.alternatives[0]
            at = (*at, going.operation, going.object, going.part)
        self._seen[at] += 1
        return (*at, self._seen[at])


class _Again(_Chooser):
    """A schedule as it was."""

    repeats = True

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self._indices = iter([choice.index for choice in schedule.choices])

    def decide(self, point: Point, moment: Moment) -> int:
        index = next(self._indices, 0)
        return index if index < point.count else 0


class _Following(_Chooser):
    """A plan, some preemptions of which were left out."""

    def __init__(self, plan: _Plan) -> None:
        super().__init__()
        self._wanted = plan.others | dict(plan.preemptions)

    def decide(self, point: Point, moment: Moment) -> int:
        wanted = self._wanted.get(moment)
        if wanted is None:
            return 0
        return next((index for index in range(point.count) if _code(point, index) == wanted), 0)


def _can_go_on(point: Point) -> bool:
    if point.kind != ChoiceKind.THREAD or not point.alternatives:
        return False
    return point.alternatives[0].thread == point.current


def _code(point: Point, index: int) -> int:
    """An alternative, named by its thread: twice as many, for a wait that may end by a timeout as well."""
    if not point.alternatives:
        return index
    thread = point.alternatives[index].thread
    return 2 * thread + (index > 0 and point.alternatives[index - 1].thread == thread)


def _signature(found: Found) -> tuple[object, ...]:
    return found.kind, found.exception_type, _CHANGING.sub("#", found.message)
