"""What the bridge noted about one choice point (`native/bridge/footprint.c`).

The pending operation of each thread, what the transition that led there touched besides its operation, and the
number that state equality gave to each new object.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping

from pytest_statespace.explore.touches import EVERYTHING, FREE, START, THREAD, UNKNOWN, Touch

__all__ = ["Note"]

_HEADER = struct.Struct("=6I")
_PENDING = struct.Struct("=HBBIQ")
_TOUCHED = struct.Struct("=QII")
_NUMBER = struct.Struct("=QII")
_ADDRESS = struct.Struct("=Q")

_WRITE, _READ_OR_WRITE, _ALL, _HELD, _NEW, _FREED = 2, 3, 4, 8, 16, 32
_REGISTRY = 8  # SSB_REGISTRY
_MOST_PENDING = 1 << 12


@functools.lru_cache(maxsize=_MOST_PENDING)
def _pending(data: bytes) -> tuple[dict[int, Touch], dict[int, int]]:
    """The pending operation of each thread, and whom it would start; the same few again and again."""
    pending, starts = {}, {}
    for thread, operation, access, part, target in _PENDING.iter_unpack(data):
        if operation == START and not access & _ALL:
            starts[thread] = target & ~THREAD
        pending[thread] = _touch(thread, operation, access, part, target)
    return pending, starts


def _touch(thread: int, operation: int, access: int, part: int, target: int) -> Touch:
    if access & _ALL:
        return EVERYTHING(thread, UNKNOWN)
    if operation == START:  # the number of the new thread depends on who starts one first
        return Touch(thread, _REGISTRY, operation=operation)
    if not access & _READ_OR_WRITE:  # it still depends on what ends the test
        return Touch(thread, 0, writes=False, operation=operation)
    return Touch(thread, target, part, bool(access & _WRITE), operation, bool(access & _HELD), bool(access & _NEW))


class Note:
    """One such note; without data nothing is known."""

    __slots__ = ("_addresses", "_everything", "_numbers", "_objects", "_touched", "numbered", "pending", "starts")

    def __init__(self, data: bytes) -> None:
        self.pending: Mapping[int, Touch] = {}
        self.starts: Mapping[int, int] = {}  # threads that stand before a start: the thread that it would start
        self.numbered = False  # is it known which objects exist?
        self._everything = True
        self._touched = self._objects = b""
        self._numbers: dict[int, int | None] = {}  # that were asked for
        self._addresses: dict[int, int] | None = None
        if not data:
            return
        everything, numbered, n_pending, n_touched, n_objects, _ = _HEADER.unpack_from(data)
        self._everything, self.numbered = bool(everything), bool(numbered)
        at = _HEADER.size + n_pending * _PENDING.size
        self.pending, self.starts = _pending(data[_HEADER.size : at])
        end = at + n_touched * _TOUCHED.size
        self._touched = data[at:end]
        self._objects = data[end : end + n_objects * _NUMBER.size]

    def arrived_by(self, thread: int) -> list[Touch]:
        """What the transition touched that led here, which was this thread's."""
        if self._everything:
            return [EVERYTHING(thread)]
        return [
            Touch(thread, address, part, bool(access & _WRITE), FREE if access & _FREED else 0, new=bool(access & _NEW))
            for address, part, access in _TOUCHED.iter_unpack(self._touched)
        ]

    def number_of(self, address: int) -> int | None:
        """Of an object that exists; the last, should there be several at one address."""
        if address not in self._numbers:
            self._numbers[address] = self._find(address)
        return self._numbers[address]

    def _find(self, address: int) -> int | None:
        wanted = _ADDRESS.pack(address)
        at = self._objects.rfind(wanted)
        while at >= 0 and at % _NUMBER.size:
            at = self._objects.rfind(wanted, 0, at + _ADDRESS.size - 1)
        return None if at < 0 else int(_NUMBER.unpack_from(self._objects, at)[-1])

    def address_of(self, number: int) -> int | None:
        """Of the object that has this number."""
        if self._addresses is None:
            self._addresses = {of: address for address, _, of in _NUMBER.iter_unpack(self._objects)}
        return self._addresses.get(number)
