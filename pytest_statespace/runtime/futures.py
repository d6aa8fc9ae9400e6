"""`concurrent.futures.as_completed` begins with futures that are done already, in any order.

It makes a list of a set of them, so what decides is where they lie in memory, which is another place in every run. As
a look at the order of a set that would put all such orders into all states
(`native/bridge/observe.c`). Here each order is an alternative to be chosen, and found in every execution that has it.

Alternatives are counted from the order in which the futures were given: in a replay it is the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import TypeVar

__all__ = ["complete_in_any_order"]

T = TypeVar("T")


class _Given(set[T]):
    """A set that is walked in the order in which its elements were given."""

    __slots__ = ("_order",)

    def __init__(self, items: Iterable[T]) -> None:
        self._order = list(dict.fromkeys(items))
        super().__init__(self._order)

    def __iter__(self) -> Iterator[T]:
        return iter(self._order)

    def remove(self, item: T) -> None:
        super().remove(item)
        self._order.remove(item)


def complete_in_any_order(bridge: ModuleType) -> None:
    """Let `as_completed` choose, if this process has loaded it.

    Nobody else in its module calls ``list``, and only `wait` calls ``set``: there nothing changes.
    """
    module = sys.modules.get("concurrent.futures._base")
    chooser = getattr(getattr(module, "as_completed", None), "__code__", None)
    if module is None or chooser is None:  # a fixture may have put something else there
        return

    def given(items: Iterable[T] = ()) -> set[T]:
        if sys._getframe(1).f_code is not chooser:
            return set(items)
        if not isinstance(items, (set, frozenset)) or not bridge.may_choose():
            return _Given(items)
        bridge.pause()
        try:
            return _Given(sorted(items, key=id))
        finally:
            bridge.resume()

    def in_any_order(items: Iterable[T] = ()) -> list[T]:
        left = list(items)
        if not isinstance(items, _Given) or not bridge.may_choose():
            return left
        return [left.pop(bridge.choose(len(left))) for _ in range(len(left) - 1)] + left

    module.set, module.list = given, in_any_order  # type: ignore[attr-defined]
