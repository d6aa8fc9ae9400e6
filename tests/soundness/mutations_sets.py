"""Sets whose order a program has seen, and their iterators.

States then contain how the tables came to be, and where everything lies: equal ones at other addresses do
not meet. Iterators that do (of sets from before the exploration) are with the others.
"""

from __future__ import annotations

from typing import Any

from mutations import Case, case
from mutations_iterators import position


class Hashed:
    """Its place in a table does not follow from its address."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __hash__(self) -> int:
        return self.n


def filled(*order: Any, gone: Any = None) -> set[Any]:
    made = set[Any]()
    for element in order:
        made.add(element)
    made.discard(gone)
    return made


def in_a_set(*order: Any, gone: Any = None) -> object:
    """An iterator that has given one element of a set, which was filled in this order."""
    made = filled(*order, gone=gone)
    iterator = iter(made)
    next(iterator)
    return made, iterator


CASES: list[Case] = [
    position(
        "set iterator",
        lambda: (s := {1, 2, 3, 4}, iter(s)),
        others=(lambda: (s := {1, 2, 3, 5}, iter(s)),),
        moves=False,
    ),
    position("iterator of a frozenset", lambda: iter(frozenset({1, 2, 3})), moves=False),
    position("iterator of a set with own hash", lambda: (s := {Hashed(1), Hashed(2), Hashed(3)}, iter(s)), moves=False),
    case(
        "inside a set",
        lambda: in_a_set(1, 9, 17),
        others=[lambda: in_a_set(9, 1, 17), lambda: in_a_set(17, 9, 1), lambda: in_a_set(1, 9, 17, 25, gone=25)],
        changes=[
            lambda o: next(o[1]),
            lambda o: o[0].add(33),
            lambda o: o[0].discard(17),
            lambda o: (o[0].discard(17), o[0].add(33)),
        ],
        existing=False,
        moves=False,
    ),
    case(
        "set in order",
        lambda: filled(1, 9, 17),
        others=[lambda: filled(9, 1, 17), lambda: filled(17, 9, 1), lambda: filled(1, 9, 17, 25, gone=25)],
        changes=[lambda o: o.add(33), lambda o: o.discard(17), lambda o: o.pop()],
        existing=False,
        moves=False,
    ),
]
