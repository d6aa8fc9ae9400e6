"""What a transition touches: objects, or parts of them, that it reads or writes.

Two transitions of different threads are *dependent* if they touch the same, one of them by writing, or
if one of them touches *everything*, which is what a thing that is not understood is said to do.

Objects are addresses. In one execution they tell objects apart: an address that is used again makes two
transitions dependent that are not. Between executions that meet in one state they don't; there the
numbers of state equality are used (`notes.Note.number_of`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from weakref import WeakValueDictionary

__all__ = [
    "ACQUIRE",
    "BEGIN",
    "END",
    "EVERYTHING",
    "FREE",
    "JOIN",
    "NOBODY",
    "RELEASE",
    "START",
    "THREAD",
    "UNKNOWN",
    "WAITING",
    "Touch",
    "clash",
    "never_together",
]

# enum ssb_operation
BEGIN, START, END, JOIN, ACQUIRE, RELEASE, _GET, _SLEEP, _RESUME = 1, 2, 3, 4, 5, 7, 10, 12, 18
UNKNOWN = 255  # of what depends on everything
FREE = 254  # no operation: on the way, the last reference to a lock went
WAITING = frozenset({JOIN, ACQUIRE, _GET, _SLEEP, _RESUME, UNKNOWN})
"""Operations that are impossible in some states."""

THREAD = 1 << 63
"""Set in an object that is a thread; the other bits are its number."""

NOBODY = -1  # a thread that is not known

Locks = frozenset[tuple[int, bool]]
_NONE: Locks = frozenset()


class Touch:
    """Thread ``thread`` reads or writes ``part`` (0: all) of ``object``; ``everything``: nothing is known.

    ``operation`` is 0 if it did so on the way, `FREE` for the end of a lock. ``held``: a release of a locked lock.
    ``after``, bits: threads of which all that happened before some state comes before this in any order, since one of
    them has to be joined first, or to start the thread. ``under``: locks, and whether they are new, that the thread
    acquires between that state and this.

    Never changed, and there is only one of those that are equal: sets of them are compared by identity, since
    a search puts the same few thousand into sets all the time.
    """

    __slots__ = (
        "__weakref__",
        "after",
        "everything",
        "held",
        "named",
        "new",
        "object",
        "operation",
        "part",
        "thread",
        "under",
        "writes",
    )

    _known: ClassVar[WeakValueDictionary[tuple[object, ...], Touch]] = WeakValueDictionary()

    thread: int
    object: int
    part: int
    writes: bool
    operation: int
    held: bool
    new: bool
    everything: bool
    after: int
    under: Locks
    named: frozenset[int]
    """Addresses of new objects in it."""

    def __new__(
        cls,
        thread: int,
        object: int,
        part: int = 0,
        writes: bool = True,
        operation: int = 0,
        held: bool = False,
        new: bool = False,
        everything: bool = False,
        after: int = 0,
        under: Locks = _NONE,
    ) -> Touch:
        key = (thread, object, part, writes, operation, held, new, everything, after, under)
        known = cls._known.get(key)
        if known is None:
            known = super().__new__(cls)
            known.thread, known.object, known.part, known.writes = thread, object, part, writes
            known.operation, known.held, known.new, known.everything = operation, held, new, everything
            known.after, known.under = after, under
            known.named = frozenset([address for address, is_new in (*under, (object, new)) if is_new])
            cls._known[key] = known
        return known

    def ordered(self, after: int, under: Locks) -> Touch:
        """The same with other threads and locks that it comes after."""
        what = self.object, self.part, self.writes, self.operation, self.held, self.new, self.everything
        return Touch(self.thread, *what, after, under)

    def moved(self, there: Mapping[int, int | None]) -> Touch:
        """With other addresses of new objects; None: they are not known."""
        locks = ((there[lock] if new else lock, new) for lock, new in self.under)
        under = frozenset((lock, new) for lock, new in locks if lock is not None)
        target = there[self.object] if self.new else self.object
        if target is None:
            return Touch(self.thread, 0, everything=True, after=self.after, under=under)
        what = target, self.part, self.writes, self.operation, self.held, self.new, self.everything
        return Touch(self.thread, *what, self.after, under)


def EVERYTHING(thread: int, operation: int = 0) -> Touch:  # a value for each thread
    """What is not understood."""
    return Touch(thread, 0, operation=operation, everything=True)


def clash(one: Touch, other: Touch) -> bool:
    """Of the same object: do they touch the same part, one of them by writing?"""
    return (one.writes or other.writes) and (not one.part or not other.part or one.part == other.part)


def never_together(earlier: Touch, later: Touch) -> bool:
    """Is the later one never possible in a state in which the earlier one is? Then no order of them is left out.

    An acquire while the lock is held, and a join before its thread has ended.
    """
    if earlier.operation == RELEASE:
        return earlier.held and later.operation == ACQUIRE
    return later.operation == JOIN and earlier.operation in (BEGIN, END)
