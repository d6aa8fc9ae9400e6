"""Which two transitions commute, and what is known of the order of those that don't."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pytest_statespace.explore.touches import (
    ACQUIRE,
    END,
    FREE,
    JOIN,
    NOBODY,
    THREAD,
    WAITING,
    Touch,
    clash,
    never_together,
)

__all__ = ["Event"]

Key = TypeVar("Key")
Value = TypeVar("Value")

_MOST_KNOWN = 4096  # answers that an event keeps


class Event:
    """A transition that was executed.

    The same few transitions are executed again and again, and compared with each other; so an event keeps the answers.
    """

    __slots__ = (
        "_acquires",
        "_comes_first",
        "_follower",
        "_frees",
        "_ordered",
        "_relations",
        "_reversible",
        "by_object",
        "everything",
        "joins",
        "moves",
        "thread",
        "touches",
    )

    def __init__(self, thread: int, touches: Iterable[Touch], starts: int = NOBODY) -> None:
        """``starts``: the thread that it starts."""
        self.thread = thread
        self.moves = (thread,) if starts == NOBODY else (thread, starts)
        self.touches = tuple(touches)
        self.everything = any(touch.everything for touch in self.touches)
        self.by_object: dict[int, list[Touch]] = {}
        for touch in self.touches:
            self.by_object.setdefault(touch.object, []).append(touch)
        self.joins = [touch.object for touch in self.touches if touch.operation == JOIN and touch.object & THREAD]
        self._acquires = frozenset((touch.object, touch.new) for touch in self.touches if touch.operation == ACQUIRE)
        self._frees = frozenset(touch.object for touch in self.touches if touch.operation == FREE)
        self._follower, self._comes_first = thread, 0
        if starts != NOBODY:
            self._follower, self._comes_first = starts, 1 << thread
        elif self.joins:
            for joined in self.joins:
                self._comes_first |= 1 << (joined & ~THREAD)
            self.touches = tuple(touch.ordered(self._comes_first, touch.under) for touch in self.touches)
        self._ordered: dict[Touch, Touch] = {}
        self._relations: dict[Event, tuple[bool, bool, bool]] = {}
        self._reversible: dict[frozenset[Touch], tuple[Touch, ...]] = {}

    def order(self, later: Iterable[Touch]) -> Iterable[Touch]:
        """What comes after this transition, with what that says about its order."""
        if not (self._comes_first or self._acquires or self._frees or self.everything):
            return later
        known = self._ordered
        return [known[touch] if touch in known else self._put_in_order(touch) for touch in later]

    def _put_in_order(self, touch: Touch) -> Touch:
        after, under = touch.after, touch.under
        if self.everything or self._frees:  # behind it, another lock may have the address
            under = frozenset(lock for lock in under if not self.everything and lock[0] not in self._frees)
        if self._comes_first:
            if touch.thread == self._follower or touch.after >> self._follower & 1:
                after |= self._comes_first
        elif touch.thread == self.thread:
            under |= self._acquires
        ordered = touch.ordered(after, under)
        _keep(self._ordered, touch, ordered)
        return ordered

    def ends(self, thread: int) -> bool:
        """Is it the end of this thread (its object)?"""
        return any(touch.operation == END for touch in self.by_object.get(thread, ()))

    def relation(self, earlier: Event) -> tuple[bool, bool, bool]:
        """Does it depend on the earlier one, may it have waited for that, and may it come before that?"""
        known = self._relations.get(earlier)
        if known is None:
            depends = self.depends_on(earlier)
            known = depends, depends and self.may_wait_for(earlier), depends and self.may_precede(earlier)
            _keep(self._relations, earlier, known)
        return known

    def depends_on(self, earlier: Event) -> bool:
        """Do they touch the same, one of them by writing?"""
        return self.everything or earlier.everything or any(earlier.clashes(touch) for touch in self.touches)

    def may_precede(self, earlier: Event) -> bool:
        """Is there a state in which the earlier one is possible, and this one as well?"""
        return not any(
            never_together(touch, later)
            for later in self.touches
            if later.operation
            for touch in earlier.by_object.get(later.object, ())
        )

    def may_wait_for(self, earlier: Event) -> bool:
        """Can the earlier one be what made this one impossible for a while?"""
        return any(
            touch.operation in WAITING and (touch.everything or earlier.everything or earlier.clashes(touch))
            for touch in self.touches
        )

    def clashes(self, later: Touch) -> bool:
        """Does it touch the same, one of them by writing?"""
        return any(clash(touch, later) for touch in self.by_object.get(later.object, ()))

    def reversible(self, later: frozenset[Touch]) -> tuple[Touch, ...]:
        """Which of these does it depend on, while either may come first?"""
        known = self._reversible.get(later)
        if known is None:
            known = tuple(touch for touch in later if not touch.after >> self.thread & 1 and self._may_swap(touch))
            _keep(self._reversible, later, known)
        return known

    def _may_swap(self, later: Touch) -> bool:
        if self.everything or later.everything:
            return True
        return any(
            clash(touch, later) and not never_together(touch, later)
            for touch in self.by_object.get(later.object, ())
        )


def _keep(answers: dict[Key, Value], key: Key, answer: Value) -> None:
    if len(answers) >= _MOST_KNOWN:
        answers.clear()
    answers[key] = answer
