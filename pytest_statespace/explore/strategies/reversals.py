"""The first executions: conflicting accesses of the one before in the other order.

Most bugs need no more than that two accesses come the other way round, and a first execution shows which
accesses conflict. A reversal repeats an execution up to the earlier of the two, lets the thread of the later one go
there, and goes on by itself. What is found that way is reversed in its turn, the latest conflict first (the order in
which dynamic partial-order reduction would take them: Flanagan, Godefroid, POPL 2005). Nothing is drawn, and
nothing is proved: when there is nothing left to reverse, executions are the default one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pytest_statespace.explore.strategies.base import Sampler
from pytest_statespace.sandbox.protocol import Alternative, Point, RunFlag
from pytest_statespace.types import ChoiceKind

__all__ = ["Reversals"]

_LONGEST = 250  # choice points of which conflicts are looked for


class Reversals(Sampler):
    """Executions in which one conflict after the other is the other way round."""

    at_random = False
    flags = RunFlag.EXTRA

    def __init__(self) -> None:
        self._todo: list[tuple[int, ...]] = []  # choices at the beginning of executions
        self._known: set[tuple[int, ...]] = {()}
        self._forced: tuple[int, ...] = ()
        self._points: list[Point] = []
        self._taken: list[int] = []

    def describe(self) -> str:
        return "reversals of conflicts"

    def begin(self, execution: int) -> None:
        self._note_reversals()
        self._forced = self._todo.pop() if self._todo else ()
        self._points, self._taken = [], []

    def choose(self, point: Point) -> int:
        depth = len(self._taken)
        taken = self._forced[depth] if depth < len(self._forced) else 0
        if taken >= point.count:  # the program did not repeat itself
            taken = 0
        self._points.append(point)
        self._taken.append(taken)
        return taken

    @property
    def has_more(self) -> bool:
        """Is anything left to reverse, the latest execution included?"""
        self._note_reversals()
        return bool(self._todo)

    def _note_reversals(self) -> None:
        """Conflicts of the execution that has ended, the latest one on top."""
        for depth, alternative in sorted(self._conflicts()):
            start = (*self._taken[:depth], alternative)
            if start not in self._known:
                self._known.add(start)
                self._todo.append(start)
        self._points, self._taken = [], []

    def _conflicts(self) -> Iterator[tuple[int, int]]:
        """Depths at which another alternative lets a later, conflicting access of another thread go first."""
        events: list[_Event] = []
        clocks: dict[int, dict[int, int]] = {}  # by thread: what happened before its next operation
        for depth, (point, taken) in enumerate(zip(self._points[:_LONGEST], self._taken, strict=False)):
            if point.kind == ChoiceKind.DATA:
                continue
            done = point.alternatives[taken]
            own = clocks.get(done.thread, {})
            before, hidden = dict(own), dict(own)
            for other in reversed(events):
                # What is hidden happened before as well.
                if other.depth <= hidden.get(other.done.thread, -1) or not other.done.conflicts(done):
                    continue
                first = other.offered.get(done.thread)
                if first is not None:  # else it was waited for: what comes before it is not hidden by it
                    yield other.depth, first
                    _merge(hidden, other.clock)
                _merge(before, other.clock)
            before[done.thread] = depth
            clocks[done.thread] = before
            offered = {choice.thread: number for number, choice in reversed(list(enumerate(point.alternatives)))}
            events.append(_Event(depth, done, offered, before))


class _Event(NamedTuple):
    """An operation that was executed, which threads could have gone instead, and what happened before it."""

    depth: int
    done: Alternative
    offered: dict[int, int]
    clock: dict[int, int]


def _merge(clock: dict[int, int], other: dict[int, int]) -> None:
    for thread, latest in other.items():
        clock[thread] = max(latest, clock.get(thread, -1))
