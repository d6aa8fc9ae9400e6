"""Attributes, classes, weak references."""

from __future__ import annotations

import collections
import contextvars
import enum
import functools
import types
import weakref

from pairs import Pair, after, call, different, drop, put, same


class Plain:
    pass


class Other:
    pass


class Holder:
    def __init__(self, *values: object) -> None:
        self.values = values


class Slotted:
    __slots__ = ("x", "y")


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("VARIABLE")


def alias(copy: bool) -> object:
    o = after(Plain, put("x", 1))
    return o, dict(vars(o)) if copy else vars(o)


def crossed(swap: bool) -> object:
    """Two equal objects and the attributes of one of them."""
    a, b = after(Plain, put("x", 1)), after(Plain, put("x", 1))
    return a, b, [[vars(b if swap else a)]]


def weak(alive: bool) -> object:
    o = Holder(1)
    reference = weakref.ref(o)
    return (o if alive else Holder(1)), reference


def called_back(order: tuple[int, int]) -> object:
    """An object that calls two functions when it dies, in some order of registration."""
    o, seen = Holder(1), list[int]()
    functions = [lambda _: seen.append(0), lambda _: seen.append(1)]
    references = [weakref.ref(o, functions[i]) for i in order]
    references.sort(key=lambda r: functions.index(r.__callback__))  # type: ignore[arg-type]
    return o, references, functions, seen


PAIRS: list[Pair] = [
    same(
        "attributes",
        lambda: after(Plain, put("x", 1), put("y", 2)),
        lambda: after(Plain, put("x", 0), put("y", 2), put("x", 1)),
    ),
    different("attribute value", lambda: after(Plain, put("x", 1)), lambda: after(Plain, put("x", 2))),
    different(
        "attribute order",
        lambda: after(Plain, put("x", 1), put("y", 2)),
        lambda: after(Plain, put("y", 2), put("x", 1)),
    ),
    same("attributes as dict", lambda: after(Plain, put("x", 1)), lambda: after(Plain, put("x", 1), vars)),
    different("alias of attributes", lambda: alias(False), lambda: alias(True)),
    different("attributes of which object", lambda: crossed(False), lambda: crossed(True)),
    same(
        "attribute deleted",
        lambda: after(Plain, put("x", 1)),
        lambda: after(Plain, put("x", 1), put("y", 1), drop("y")),
    ),
    same("no attributes", Plain, lambda: after(Plain, put("y", 1), drop("y"))),
    same("no attributes as dict", Plain, lambda: after(Plain, vars)),
    different("class of object", Plain, Other),
    different("class assigned", Plain, lambda: after(Plain, put("__class__", Other))),
    same("slots", lambda: after(Slotted, put("x", 1)), lambda: after(Slotted, put("x", 1), put("y", 1), drop("y"))),
    different("slots", lambda: after(Slotted, put("x", 1)), lambda: after(Slotted, put("y", 1))),
    different("enum", lambda: [Colour.RED], lambda: [Colour.BLUE]),
    same("namespace", lambda: types.SimpleNamespace(a=1), lambda: after(types.SimpleNamespace, put("a", 1))),
    different("namespace", lambda: types.SimpleNamespace(a=1), lambda: types.SimpleNamespace(a=2)),
    same("class", lambda: type("K", (), {"a": 1}), lambda: type("K", (), {"a": 1})),
    different("class name", lambda: type("K", (), {"a": 1}), lambda: type("L", (), {"a": 1})),
    different(
        "class attribute", lambda: type("K", (), {"a": 1}), lambda: after(lambda: type("K", (), {"a": 1}), put("a", 2))
    ),
    different("base class", lambda: type("K", (Plain,), {}), lambda: type("K", (Other,), {})),
    different("weak reference", lambda: weak(True), lambda: weak(False)),
    same("weak reference", lambda: weak(True), lambda: weak(True)),
    different("order of callbacks", lambda: called_back((0, 1)), lambda: called_back((1, 0))),
    different(
        "proxy",
        lambda: (lambda o: (o, weakref.proxy(o)))(Holder(1)),
        lambda: (lambda o: (o, weakref.proxy(o), weakref.ref(o)))(Holder(1)),
    ),
    same("property", lambda: property(None), lambda: property(None)),
    same("partial", lambda: functools.partial(int, base=2), lambda: functools.partial(functools.partial(int), base=2)),
    different("partial", lambda: functools.partial(int, base=2), lambda: functools.partial(int, base=3)),
    same("context", contextvars.copy_context, contextvars.copy_context),
    different(
        "context",
        lambda: after(contextvars.copy_context, call("run", VARIABLE.set, 1)),
        lambda: after(contextvars.copy_context, call("run", VARIABLE.set, 2)),
    ),
    same(
        "deque", lambda: collections.deque([1, 2]), lambda: after(lambda: collections.deque([0, 1, 2]), call("popleft"))
    ),
    different("deque", lambda: collections.deque([1, 2]), lambda: collections.deque([2, 1])),
    different("deque bound", lambda: collections.deque([1], 2), lambda: collections.deque([1], 3)),
    same(
        "deque of many blocks",
        lambda: collections.deque([1]),
        lambda: after(lambda: collections.deque(range(300)), call("clear"), call("append", 1)),
    ),
    different(
        "deque over two blocks", lambda: collections.deque(range(70)), lambda: collections.deque([*range(69), 70])
    ),
    same(
        "OrderedDict",
        lambda: collections.OrderedDict(a=1, b=2),
        lambda: after(lambda: collections.OrderedDict(a=0, b=2), lambda o: o.__setitem__("a", 1)),
    ),
    # The order of the dict below is still visible to C code.
    different(
        "OrderedDict moved there",
        lambda: collections.OrderedDict(a=1, b=2),
        lambda: after(lambda: collections.OrderedDict(b=2, a=1), call("move_to_end", "b")),
    ),
    different(
        "OrderedDict moved",
        lambda: collections.OrderedDict(a=1, b=2),
        lambda: after(lambda: collections.OrderedDict(a=1, b=2), call("move_to_end", "a")),
    ),
    same(
        "defaultdict",
        lambda: collections.defaultdict(int, a=1),
        lambda: after(lambda: collections.defaultdict(int), lambda o: o.__setitem__("a", 1)),
    ),
    different("defaultdict", lambda: collections.defaultdict(int), lambda: collections.defaultdict(list)),
    same("Counter", lambda: collections.Counter("aab"), lambda: collections.Counter({"a": 2, "b": 1})),
    same("garbage", lambda: None, lambda: after(list, lambda o: o.append(o), call("__len__")) and None),
]
