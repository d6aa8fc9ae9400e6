"""Weak references, with and without callbacks, and what is built on them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from mutations import Case, case
from pairs import put


class Thing:
    def __init__(self, n: int = 0) -> None:
        self.n = n

    def method(self) -> None:
        pass


class Callable(Thing):
    def __call__(self) -> int:
        return self.n


class Hashed(Thing):
    def __hash__(self) -> int:
        return self.n


class Reference(weakref.ref[Any]):
    mark: object


def reference(*, alive: bool = True, callback: Any = None) -> Any:
    o = [Thing(1)]
    made = weakref.ref(o[0], callback) if callback else weakref.ref(o[0])
    if not alive:
        o.clear()
    return o, made


def called_back(*order: int) -> object:
    o, seen = Thing(1), list[int]()
    functions = [lambda _: seen.append(0), lambda _: seen.append(1), lambda _: seen.append(2)]
    references = {i: weakref.ref(o, functions[i]) for i in order}
    return [o], [references.get(i) for i in range(3)], functions, seen


def lone_callback(n: int) -> object:
    """The reference is reachable from the list of its object only as long as it lives."""
    o, seen = Thing(1), list[int]()
    kept = [weakref.ref(o, lambda _, i=i: seen.append(i)) for i in range(n)]  # type: ignore[misc]
    return o, seen, kept


def values(*numbers: int) -> Any:
    things = [Thing(n) for n in numbers]
    return things, weakref.WeakValueDictionary({t.n: t for t in things})


def keys(*numbers: int) -> Any:
    things = [Thing(n) for n in numbers]
    return things, weakref.WeakKeyDictionary({t: t.n for t in things})


def members(*numbers: int) -> Any:
    things = [Thing(n) for n in numbers]
    return things, weakref.WeakSet(things)


def finalized() -> Any:
    o, log = [Thing(1)], list[int]()
    return o, log, weakref.finalize(o[0], log.append, 1)


def proxied(count: int, make: type[Thing] = Thing) -> Any:
    o = [make(1)]
    return o, [weakref.proxy(o[0]) for _ in range(count)]


def which(refer: Any, n: int, make: type[Thing] = Thing) -> Any:
    o = make(1), make(2)
    return o, refer(o[n])


def hashed(n: int | None = None) -> Any:
    """A dead reference; it may have been asked for its hash before."""
    o = Hashed(n or 1)
    made = weakref.ref(o)
    if n:
        assert {made}
    return made


CASES: list[Case] = [
    case(
        "reference",
        reference,
        undone=[lambda o: o[1](), lambda o: weakref.ref(o[0][0]), lambda o: (o[0].append(1), o[0].pop())],
        changes=[lambda o: o[0].clear(), lambda o: put("n", 2)(o[1]())],
        others=[lambda: reference(callback=bool), lambda: reference(callback=type)],
    ),
    case(
        "reference that was hashed",  # without a look at an address; `hash` goes on when the object is dead
        lambda: which(weakref.ref, 0, Hashed),
        undone=[lambda o: hash(o[0][0])],
        changes=[lambda o: {o[1]}],
    ),
    case(
        "dead reference that was hashed",
        hashed,
        others=[lambda: hashed(1), lambda: hashed(2)],
    ),
    case("dead reference", lambda: reference(alive=False), others=[lambda: reference(callback=bool)]),
    case(
        "reference subclass",
        lambda: (o := Thing(), Reference(o)),
        changes=[lambda o: put("mark", 1)(o[1])],
        existing=False,
    ),
    case(
        "method reference",
        lambda: (o := Thing(), weakref.WeakMethod(o.method)),
        undone=[lambda o: o[1]()],
        existing=False,
    ),
    case(
        "order of callbacks",
        lambda: called_back(0, 1, 2),
        others=[lambda: called_back(1, 0, 2), lambda: called_back(2, 1, 0), lambda: called_back(0, 1)],
        changes=[lambda o: o[0].clear(), lambda o: o[1].pop()],
        existing=False,
    ),
    case(
        "callbacks only", lambda: lone_callback(1), others=[lambda: lone_callback(2)], changes=[lambda o: o[2].clear()]
    ),
    case(
        "proxy",
        lambda: proxied(1),
        undone=[lambda o: o[1][0].n],
        others=[lambda: proxied(2)],
        changes=[lambda o: put("n", 5)(o[1][0])],
    ),
    case("reference to which", lambda: which(weakref.ref, 0), others=[lambda: which(weakref.ref, 1)]),
    case("proxy of which", lambda: which(weakref.proxy, 0), others=[lambda: which(weakref.proxy, 1)]),
    case(
        "callable proxy of which",
        lambda: which(weakref.proxy, 0, Callable),
        others=[lambda: which(weakref.proxy, 1, Callable)],
    ),
    case(
        "callable proxy",
        lambda: proxied(1, Callable),
        others=[lambda: proxied(1), lambda: proxied(2, Callable), lambda: proxied(0, Callable)],
        changes=[lambda o: put("n", 5)(o[1][0]), lambda o: o[0].clear()],
    ),
    case(
        "proxy with callback",
        lambda: (o := [Thing(1)], weakref.proxy(o[0], type)),
        others=[
            lambda: (o := [Thing(1)], weakref.proxy(o[0], callable)),
            lambda: (o := [Thing(1)], weakref.proxy(o[0])),
        ],
        changes=[lambda o: o[0].clear()],
    ),
    case(
        "WeakValueDictionary",
        lambda: values(1, 2, 3),
        undone=[lambda o: o[1].get(1), lambda o: (o[1].__setitem__(4, o[0][0]), o[1].pop(4))],
        others=[lambda: values(2, 1, 3)],
        changes=[
            lambda o: o[0].pop(),
            lambda o: o[0].clear(),
            lambda o: o[1].pop(1),
            lambda o: o[1].__setitem__(1, o[0][2]),
        ],
    ),
    case(
        "WeakKeyDictionary",
        lambda: keys(1, 2, 3),
        undone=[lambda o: o[1].get(o[0][0])],
        others=[lambda: keys(2, 1, 3)],
        changes=[lambda o: o[0].pop(), lambda o: o[1].__setitem__(o[0][0], 9), lambda o: o[1].pop(o[0][1])],
    ),
    case(
        "WeakSet",
        lambda: members(1, 2, 3),
        undone=[lambda o: o[0][0] in o[1], lambda o: o[1].add(o[0][0])],
        changes=[lambda o: o[0].pop(), lambda o: o[1].discard(o[0][0]), lambda o: o[1].clear(), lambda o: o[0].clear()],
    ),
    case(
        "finalize",
        finalized,
        changes=[
            lambda o: o[0].clear(),
            lambda o: o[2].detach(),
            lambda o: put("atexit", False)(o[2]),
            lambda o: o[2](),
        ],
        existing=False,
        repeats=False,
    ),
]
gc.collect()
