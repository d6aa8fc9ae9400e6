"""What a transition touched, and which two transitions commute.

The bridge writes a note about every choice point (`native/bridge/footprint.c`): the pending operation of
each thread, what the transition that led there touched besides its operation, and the number that state
equality gave to each new object. A `Touch` is one object, or part of it, that is read or written.
Two transitions of different threads are *dependent* if they touch the same, one of them by writing, or
if one of them touches *everything*, which is what a thing that is not understood is said to do.

Objects are addresses. In one execution they tell objects apart: an address that is used again makes two
transitions dependent that are not. Between executions that meet in one state they don't; there the
numbers are used (`Note.numbers`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = ["ACQUIRE", "EVERYTHING", "NOBODY", "RELEASE", "Event", "Note", "Touch", "never_together"]

_HEADER = struct.Struct("=6I")
_PENDING = struct.Struct("=HBBIQ")
_TOUCHED = struct.Struct("=QII")
_NUMBER = struct.Struct("=QII")

_WRITE, _READ_OR_WRITE, _ALL, _HELD, _NEW = 2, 3, 4, 8, 16
_THREAD = 1 << 63
_REGISTRY = 8  # SSB_REGISTRY

# enum ssb_operation
_BEGIN, _START, _END, _JOIN, ACQUIRE, RELEASE, _GET, _SLEEP, _RESUME = 1, 2, 3, 4, 5, 7, 10, 12, 18
_UNKNOWN = 255  # of what depends on everything
_WAITING = frozenset({_JOIN, ACQUIRE, _GET, _SLEEP, _RESUME, _UNKNOWN})
"""Those that are impossible in some states."""

NOBODY = -1  # a thread that is not known


class Touch(NamedTuple):
    """Thread ``thread`` reads or writes ``part`` (0: all) of ``object``; ``everything``: nothing is known.

    ``operation`` is 0 if it did so on the way. ``held``: a release of a lock that is locked. ``after``, bits:
    threads of which all that happened before some state comes before this in any order, since one of them has
    to be joined first, or to start the thread. ``under``: locks, and whether they are new, that the thread acquires
    between that state and this.
    """

    thread: int
    object: int
    part: int = 0
    writes: bool = True
    operation: int = 0
    held: bool = False
    new: bool = False
    everything: bool = False
    after: int = 0
    under: frozenset[tuple[int, bool]] = frozenset()

    def addresses(self) -> list[int]:
        """Those of new objects in it."""
        found = [lock for lock, new in self.under if new]
        return [*found, self.object] if self.new else found

    def moved(self, there: Mapping[int, int | None]) -> Touch:
        """With other addresses of new objects; None: they are not known."""
        locks = ((there[lock] if new else lock, new) for lock, new in self.under)
        under = frozenset((lock, new) for lock, new in locks if lock is not None)
        if not self.new:
            return self._replace(under=under)
        target = there[self.object]
        if target is None:
            return Touch(self.thread, 0, everything=True, after=self.after, under=under)
        return self._replace(object=target, under=under)


def EVERYTHING(thread: int) -> Touch:  # a value for each thread
    """What is not understood."""
    return Touch(thread, 0, everything=True)


def never_together(earlier: Touch, later: Touch) -> bool:
    """Is the later one never possible in a state in which the earlier one is? Then no order of them is left out.

    An acquire while the lock is held, and a join before its thread has ended.
    """
    if earlier.operation == RELEASE:
        return earlier.held and later.operation == ACQUIRE
    return later.operation == _JOIN and earlier.operation in (_BEGIN, _END)


class Event:
    """A transition that was executed."""

    __slots__ = (
        "_acquires",
        "_comes_first",
        "_follower",
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
        self.joins = [touch.object for touch in self.touches if touch.operation == _JOIN and touch.object & _THREAD]
        self._acquires = frozenset((touch.object, touch.new) for touch in self.touches if touch.operation == ACQUIRE)
        self._follower, self._comes_first = thread, 0
        if starts != NOBODY:
            self._follower, self._comes_first = starts, 1 << thread
        elif self.joins:
            for joined in self.joins:
                self._comes_first |= 1 << (joined & ~_THREAD)
            self.touches = tuple(touch._replace(after=self._comes_first) for touch in self.touches)

    def order(self, later: Iterable[Touch]) -> Iterable[Touch]:
        """What comes after this transition, with what that says about its order."""
        if self._comes_first:
            follower, bits = self._follower, self._comes_first
            return [
                touch._replace(after=touch.after | bits)
                if touch.thread == follower or touch.after >> follower & 1
                else touch
                for touch in later
            ]
        if self._acquires:
            return [
                touch._replace(under=touch.under | self._acquires)
                if touch.thread == self.thread and not self._acquires <= touch.under
                else touch
                for touch in later
            ]
        return later

    def ends(self, thread: int) -> bool:
        """Is it the end of this thread (its object)?"""
        return any(touch.operation == _END for touch in self.by_object.get(thread, ()))

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
            touch.operation in _WAITING and (touch.everything or earlier.everything or earlier.clashes(touch))
            for touch in self.touches
        )

    def clashes(self, later: Touch) -> bool:
        """Does it touch the same, one of them by writing?"""
        return any(_clash(touch, later) for touch in self.by_object.get(later.object, ()))

    def reversible(self, later: Touch) -> bool:
        """Are they dependent, and may either come first?"""
        if self.everything or later.everything:
            return True
        return any(
            _clash(touch, later) and not never_together(touch, later)
            for touch in self.by_object.get(later.object, ())
        )


def _clash(one: Touch, other: Touch) -> bool:
    return (one.writes or other.writes) and (not one.part or not other.part or one.part == other.part)


class Note:
    """What the bridge noted about one choice point."""

    __slots__ = ("_addresses", "_numbers", "_objects", "arrived_by", "numbered", "pending", "starts")

    def __init__(self, data: bytes) -> None:
        self.pending: dict[int, Touch] = {}
        self.starts: dict[int, int] = {}  # threads that stand before a start: the thread that it would start
        self.arrived_by: tuple[Touch, ...] = (EVERYTHING(NOBODY),)  # of the transition that led here; thread unknown
        self.numbered = False
        self._objects = b""
        self._numbers: dict[int, int] | None = None
        self._addresses: dict[int, int] | None = None
        if not data:
            return
        everything, numbered, n_pending, n_touched, n_objects, _ = _HEADER.unpack_from(data)
        at = _HEADER.size
        for _ in range(n_pending):
            self._add_pending(*_PENDING.unpack_from(data, at))
            at += _PENDING.size
        if not everything:
            self.arrived_by = tuple(
                Touch(NOBODY, address, part, bool(access & _WRITE), new=bool(access & _NEW))
                for address, part, access in _TOUCHED.iter_unpack(data[at : at + n_touched * _TOUCHED.size])
            )
        at += n_touched * _TOUCHED.size
        self.numbered = bool(numbered)
        self._objects = data[at : at + n_objects * _NUMBER.size]

    def _add_pending(self, thread: int, operation: int, access: int, part: int, target: int) -> None:
        if access & _ALL:
            self.pending[thread] = EVERYTHING(thread)._replace(operation=_UNKNOWN)
            return
        if operation == _START:  # the number of the new thread depends on who starts one first
            self.starts[thread] = target & ~_THREAD
            self.pending[thread] = Touch(thread, _REGISTRY, operation=operation)
            return
        if not access & _READ_OR_WRITE:  # it still depends on what ends the test
            self.pending[thread] = Touch(thread, 0, writes=False, operation=operation)
            return
        self.pending[thread] = Touch(
            thread, target, part, bool(access & _WRITE), operation, bool(access & _HELD), bool(access & _NEW)
        )

    @property
    def numbers(self) -> dict[int, int]:
        """Of the objects that exist, by address."""
        if self._numbers is None:
            self._numbers = {address: number for address, _, number in _NUMBER.iter_unpack(self._objects)}
        return self._numbers

    @property
    def addresses(self) -> dict[int, int]:
        """Of the objects that exist, by number."""
        if self._addresses is None:
            self._addresses = {number: address for address, number in self.numbers.items()}
        return self._addresses
