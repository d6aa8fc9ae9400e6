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
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["EVERYTHING", "NOBODY", "Event", "Note", "Touch", "never_together"]

_HEADER = struct.Struct("=6I")
_PENDING = struct.Struct("=HBBIQ")
_TOUCHED = struct.Struct("=QII")
_NUMBER = struct.Struct("=QII")

_WRITE, _READ_OR_WRITE, _ALL, _HELD, _NEW = 2, 3, 4, 8, 16
_THREAD = 1 << 63
_REGISTRY = 8  # SSB_REGISTRY

# enum ssb_operation
_BEGIN, _START, _END, _JOIN, _ACQUIRE, _RELEASE = 1, 2, 3, 4, 5, 7

NOBODY = -1  # a thread that is not known


class Touch(NamedTuple):
    """Thread ``thread`` reads or writes ``part`` (0: all) of ``object``; ``everything``: nothing is known.

    ``operation`` is 0 if it did so on the way. ``held``: a release of a lock that is locked.
    """

    thread: int
    object: int
    part: int = 0
    writes: bool = True
    operation: int = 0
    held: bool = False
    new: bool = False
    everything: bool = False


def EVERYTHING(thread: int) -> Touch:  # a value for each thread
    """What is not understood."""
    return Touch(thread, 0, everything=True)


def never_together(earlier: Touch, later: Touch) -> bool:
    """Is the later one never possible in a state in which the earlier one is? Then no order of them is left out.

    An acquire while the lock is held, and a join before its thread has ended.
    """
    if earlier.operation == _RELEASE:
        return earlier.held and later.operation == _ACQUIRE
    return later.operation == _JOIN and earlier.operation in (_BEGIN, _END)


class Event:
    """A transition that was executed."""

    __slots__ = ("by_object", "everything", "starts", "thread", "touches")

    def __init__(self, thread: int, touches: Iterable[Touch], starts: int = NOBODY) -> None:
        self.thread = thread
        self.starts = starts  # the thread that it started
        self.touches = tuple(touches)
        self.everything = any(touch.everything for touch in self.touches)
        self.by_object: dict[int, list[Touch]] = {}
        for touch in self.touches:
            self.by_object.setdefault(touch.object, []).append(touch)

    def depends(self, later: Touch) -> bool:
        """Do they touch the same, one of them by writing?"""
        if self.everything or later.everything:
            return True
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
            self.pending[thread] = EVERYTHING(thread)
            return
        if operation == _START:  # the number of the new thread depends on who starts one first
            self.starts[thread] = target & ~_THREAD
            self.pending[thread] = Touch(thread, _REGISTRY, operation=operation)
            return
        if access & _READ_OR_WRITE:
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
