"""`concurrent.futures.as_completed` begins with futures that are done already, in any order.

It makes a list of a set of them, so what decides is where they lie in memory, which is another place in every run. As
a look at the order of a set that would put all such orders into all states
(`native/bridge/observe.c`). Here each order is an alternative to be chosen, and found in every execution that has it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import TypeVar

__all__ = ["complete_in_any_order"]

T = TypeVar("T")


def complete_in_any_order(bridge: ModuleType) -> None:
    """Let `as_completed` choose, if this process has loaded it: nobody else in its module calls ``list``."""

    def in_any_order(items: Iterable[T] = ()) -> list[T]:
        if type(items) is not set or len(items) < 2 or not bridge.may_choose():
            return list(items)
        bridge.pause()
        try:
            left = sorted(items, key=id)  # so that a schedule means the same when it is replayed
        finally:
            bridge.resume()
        return [left.pop(bridge.choose(len(left))) for _ in range(len(left) - 1)] + left

    module = sys.modules.get("concurrent.futures._base")
    if module is not None:
        module.list = in_any_order  # type: ignore[attr-defined]
