"""Mutations: what must not change a fingerprint, and what must.

A case is one kind of object. The same value made in other ways (or at other addresses, by another
history) is the same state; each change that Python code can observe makes a state of its own, unlike
all others. Cases run on new objects, and on objects that existed before the exploration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Build = Callable[[], Any]
Step = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Case:
    """`build` makes the object; see `case` for the rest."""

    name: str
    build: Build
    again: tuple[Build, ...]
    undone: tuple[Step, ...]
    others: tuple[Build, ...]
    changes: tuple[Step, ...]
    new: bool
    existing: bool
    repeats: bool
    moves: bool


def case(
    name: str,
    build: Build,
    *,
    again: Iterable[Build] = (),
    undone: Iterable[Step] = (),
    others: Iterable[Build] = (),
    changes: Iterable[Step] = (),
    new: bool = True,
    existing: bool = True,
    repeats: bool = True,
    moves: bool = True,
) -> Case:
    """A kind of object and its mutations.

    `again`: other ways to an equal state. `undone`: steps after which the object is as before.
    `others`, `changes`: other values, and steps after which it has one. With `existing` the steps are
    also taken on an object that existed before the exploration; without `new` on no other.
    Without `repeats` making a second one leaves traces that a program can see (a counter, a warning).
    Without `moves` the type keeps memory of its own that is compared as it lies: equal values meet by luck only.
    """
    return Case(name, build, tuple(again), tuple(undone), tuple(others), tuple(changes), new, existing, repeats, moves)


@dataclass(frozen=True, slots=True)
class Way:
    """`before`: what it returns lives until the object is there."""

    build: Build
    step: Step
    before: Build


class Block:
    """Memory of an odd size."""

    __slots__ = ("a", "b", "c")


def nothing(_: Any = None) -> None:
    """The step that changes nothing."""


def ballast() -> object:
    """Blocks of many sizes, that lie where the object would have been."""
    return [[Block(), [i], (i, [i]), {i: i}, str(i) * 20, bytearray(40 + i), nothing.__get__(i)] for i in range(20)]


def histories(case: Case) -> tuple[list[Way], int]:
    """Ways to the object, and how many of them lead to the same state; each further one leads to its own."""
    if not case.new:
        return [], 0
    same = [Way(case.build, nothing, nothing)]
    if case.moves:
        same.append(Way(case.build, nothing, ballast))
        same += [Way(case.build, nothing, lambda: nothing(case.build()))] if case.repeats else []
        same += [Way(build, nothing, nothing) for build in case.again]
        same += [Way(case.build, step, nothing) for step in case.undone]
    different = [Way(build, nothing, nothing) for build in case.others]
    different += [Way(case.build, step, nothing) for step in case.changes]
    return same + different, len(same)


def steps_on_existing(case: Case) -> tuple[list[Way], int]:
    """The same of an object that existed before, for as long as the process lives."""
    if not case.existing:
        return [], 0
    made = case.build()

    def taking(step: Step) -> Way:
        return Way(lambda: nothing(step(made)), nothing, nothing)

    same = [Way(nothing, nothing, nothing)]
    if case.moves:
        same += map(taking, case.undone)
    return same + list(map(taking, case.changes)), len(same)
