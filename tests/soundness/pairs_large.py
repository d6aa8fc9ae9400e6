"""Containers that are written as runs: what is in them, in which order, and what else refers to it."""

from __future__ import annotations

import collections
import ctypes
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from pairs import Pair, after, call, different, put, quietly, same

N = 300


class Point:
    def __init__(self, x: object, y: object) -> None:
        self.x = x
        self.y = y


class Slotted:
    __slots__ = ("__weakref__", "x", "y")

    def __init__(self, x: object, y: object) -> None:
        self.x = x
        self.y = y


class Finalized(Point):
    def __del__(self) -> None:
        pass


BASE_LIST = [float(i) for i in range(N)]
BASE_DICT: dict[str, object] = {f"name {i}": i for i in range(N)}
BASE_POINTS = {i: Point(i, str(i)) for i in range(N)}


def numbers(n: int = N) -> list[int]:
    return [1000 + i for i in range(n)]


def detour() -> list[int]:
    """The same numbers, with other capacity, other addresses, and made in another order."""
    found = list(reversed([1000 + i for i in reversed(range(2 * N))]))
    del found[N:]
    found[10:10] = [5, 6, 7]
    del found[10:13]
    return found


def points(make: Callable[[object, object], Any] = Point, order: Iterable[int] = range(N)) -> list[Any]:
    made = {i: make(1000 + i, [f"y of {i}", (i, None)]) for i in order}
    return [made[i] for i in range(N)]


def alike(make: Callable[[object, object], Any] = Point) -> list[Any]:
    """Elements that only identity tells apart."""
    return [make("x", ["y", {"z": (1, 2)}]) for _ in range(N)]


def with_one(items: list[Any], *chosen: object) -> object:
    return items, chosen


def shared(first: int, second: int) -> list[Any]:
    items = alike()
    items[first] = items[second]
    return items


def raw_pointer(at: int) -> object:
    """A pointer to an element that is no reference."""
    items = alike()
    pointer = ctypes.c_void_p(ctypes.c_void_p.from_buffer(ctypes.py_object(items[at])).value)
    return items, pointer


def shown(o: Any) -> Any:
    """The object after its attributes were looked at as a dictionary."""
    assert vars(o)
    return o


def holes() -> dict[str, int]:
    found = {f"key {i}": i for i in range(2 * N)}
    for i in range(2 * N):
        if i % 2:
            del found[f"key {i}"]
    return found


def rotated(by: int = 0) -> collections.deque[int]:
    return after(lambda: collections.deque(numbers()), call("rotate", by), call("rotate", -by))


def general(key: object) -> dict[object, int]:
    """A dictionary that once had a key that is no name."""
    found: dict[object, int] = {key: 0}
    del found[key]
    found.update({f"key {i}": i for i in range(N)})
    return found


def edit(step: Callable[[], object]) -> Callable[[], object]:
    return lambda: quietly(step)


def edited(*steps: Callable[[], object]) -> Callable[[], object]:
    def history() -> None:
        for step in steps:
            step()

    return history


PAIRS: list[Pair] = [
    same("numbers", numbers, detour),
    different("a number", numbers, lambda: after(numbers, call("__setitem__", 200, 7))),
    different("the last number", numbers, lambda: after(numbers, call("__setitem__", N - 1, 7))),
    different("one number more", numbers, lambda: numbers(N + 1)),
    different("two numbers swapped", numbers, lambda: [1001, 1000, *numbers()[2:]]),
    different("numbers of another type", lambda: [0] * N, lambda: [0] * (N - 1) + [0.0]),
    different("zeroes", lambda: [0.0] * N, lambda: [*[0.0] * (N - 1), -0.0]),
    different("a list or a tuple", numbers, lambda: tuple(numbers())),
    same("strings", lambda: [f"é{i}" for i in range(N)], lambda: [f"é{i}" for i in range(2 * N)][:N]),
    different("a long string", lambda: [*numbers(), "a" * 9000], lambda: [*numbers(), "a" * 8999 + "b"]),
    same("points", points, lambda: points(order=reversed(range(N)))),
    same("points with slots", lambda: points(Slotted), lambda: points(Slotted, reversed(range(N)))),
    same("finalized points", lambda: points(Finalized), lambda: points(Finalized, reversed(range(N)))),
    different("the class of a point", points, lambda: [*points()[:-1], Slotted(*vars(points()[-1]).values())]),
    different("an attribute", points, lambda: after(points, lambda p: put("x", 3)(p[99]))),
    different("an attribute more", points, lambda: after(points, lambda p: put("z", 3)(p[99]))),
    different("a slot", lambda: points(Slotted), lambda: after(lambda: points(Slotted), lambda p: put("x", 3)(p[99]))),
    different("deep inside", points, lambda: after(points, lambda p: p[99].y.__setitem__(1, (99, 0)))),
    same("attributes shown", points, lambda: [shown(point) for point in points()]),
    same("alike", alike, alike),
    different("an element twice", alike, lambda: shared(20, 100)),
    different("which element twice", lambda: shared(20, 100), lambda: shared(21, 100)),
    *(
        different(f"{name} of which element", lambda f=find: with_one(*f(20)), lambda f=find: with_one(*f(120)))
        for name, find in {
            "a reference": lambda i: (lambda items: (items, items[i]))(alike()),
            "an inner list": lambda i: (lambda items: (items, items[i].y))(alike()),
            "an inner dict": lambda i: (lambda items: (items, items[i].y[1]))(alike()),
            "the attributes": lambda i: (lambda items: (items, vars(items[i])))(alike()),
            "a bound method": lambda i: (lambda items: (items, items[i].y.append))(alike()),
            "a weak reference": lambda i: (lambda items: (items, weakref.ref(items[i])))(alike()),
            "a weak reference with slots": lambda i: (lambda items: (items, weakref.ref(items[i])))(alike(Slotted)),
        }.items()
    ),
    different("a raw pointer to which element", lambda: raw_pointer(20), lambda: raw_pointer(120)),
    same("a raw pointer", lambda: raw_pointer(20), lambda: raw_pointer(20)),
    same("a dict with holes", holes, lambda: {f"key {2 * i}": 2 * i for i in range(N)}),
    same("a dict with general keys", lambda: general(3), lambda: {f"key {i}": i for i in range(N)}),
    different("a key", holes, lambda: after(holes, lambda d: d.update(new=d.pop("key 598")))),
    different("the order of a dict", holes, lambda: after(holes, lambda d: d.update({"key 0": d.pop("key 0")}))),
    different("a value", lambda: dict(enumerate(numbers())), lambda: dict(enumerate(numbers())) | {200: 1}),
    different("keys and values", lambda: dict.fromkeys(range(N), 0), lambda: dict.fromkeys(range(N), False)),
    same("a deque", lambda: collections.deque(numbers()), lambda: rotated(70)),
    different("a number in a deque", rotated, lambda: after(rotated, call("__setitem__", 150, 3))),
    different("a rotated deque", rotated, lambda: after(rotated, call("rotate", 1))),
    same("a list of lists", lambda: [numbers(9) for _ in range(N)], lambda: [detour()[:9] for _ in range(N)]),
    different(
        "a list too long to be written out",
        lambda: [numbers(40) for _ in range(N)],
        lambda: [*[numbers(40) for _ in range(N - 1)], [*numbers(39), 5]],
    ),
    different(
        "of base objects",
        lambda: [*BASE_POINTS.values(), 1],
        lambda: [BASE_POINTS[1], BASE_POINTS[0], *list(BASE_POINTS.values())[2:], 1],
    ),
    # what was there before
    different("a number of a base list", edit(lambda: None), edit(lambda: BASE_LIST.__setitem__(150, 1.5))),
    same(
        "a base list, changed and changed back",
        edit(lambda: None),
        edited(lambda: BASE_LIST.append(1.0), lambda: BASE_LIST.pop()),
    ),
    same(
        "an equal number in a base list",
        edit(lambda: BASE_LIST.__setitem__(150, float("7.5"))),
        edit(lambda: BASE_LIST.__setitem__(150, 15 / 2)),
    ),
    different("a value of a base dict", edit(lambda: None), edit(lambda: BASE_DICT.update({"name 7": 8}))),
    different(
        "a new object in a base dict",
        edit(lambda: BASE_DICT.update({"name 7": Point(1, [2])})),
        edit(lambda: BASE_DICT.update({"name 7": Point(1, [3])})),
    ),
    different("an entry of a base dict less", edit(lambda: None), edit(lambda: BASE_DICT.pop("name 150"))),
    same(
        "a base dict whose entry goes and comes",
        edit(lambda: None),
        edited(lambda: BASE_DICT.pop(f"name {N - 1}"), lambda: BASE_DICT.update({f"name {N - 1}": N - 1})),
    ),
    different("an attribute of a base object", edit(lambda: None), edit(lambda: put("x", 0)(BASE_POINTS[5]))),
]
