"""Every way in which a program can see an address, or another thing that states leave out, is noticed.

A look that goes unnoticed is a lost outcome: states that differ in what was seen are then merged. Each look
of `LOOKS` must restart the search, and so must the `repr` of every object of `SHOWN` that shows an address.
That a restarted search finds every outcome is tested with `PROGRAMS`.
"""

from __future__ import annotations

import _thread
import collections
import contextvars
import copy
import functools
import gc
import io
import itertools
import pickle
import queue
import re
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from support import driver
from test_merging import exact, join, merged

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])


class Node:
    def __init__(self, mark: object) -> None:
        self.mark = mark

    def method(self) -> None:
        pass


class OwnHash(Node):
    """A hash of its own that asks the one it replaces."""

    def __hash__(self) -> int:
        return super().__hash__() ^ 1

    def __eq__(self, other: object) -> bool:
        return self is other


class OwnRepr(Node):
    def __repr__(self) -> str:
        return f"<{super().__repr__()}>"


def digits(text: str) -> int:
    found = re.search("0x([0-9a-f]+)", text)
    assert found is not None
    return int(found[1], 16)


ADDRESSES, SETS, ORDERS, GARBAGE = "observe addresses", "observe sets", "observe orders", "observe garbage"

LOOKS: dict[str, Callable[[list[Any]], object]] = {
    "id": lambda made: id(made[0]),
    "id of an attribute": lambda made: id(made[0].__dict__),
    "id as a key": lambda made: sorted(made, key=id),
    "id by map": lambda made: max(map(id, made)),
    "hash": lambda made: hash(made[0]),
    "hash of a tuple": lambda made: hash((1, (made[0], 2))),
    "hash of a frozenset": lambda made: hash(frozenset(made)),
    "hash of a method": lambda made: hash(made[0].method),
    "hash of a weak reference": lambda made: hash(weakref.ref(made[0])),
    "hash of a function": lambda made: hash(lambda: made),
    "hash by another name": lambda made: max(map(hash, made)),
    "__hash__": lambda made: made[0].__hash__(),
    "object.__hash__": lambda made: object.__hash__(made[0]),
    "__hash__ by map": lambda made: list(map(object.__hash__, made)),
    "__hash__ of a tuple": lambda made: (1, made[0]).__hash__(),
    "__hash__ of a method": lambda made: made[0].method.__hash__(),
    "__hash__ of a frozenset": lambda made: frozenset(made).__hash__(),
    "__hash__ kept": lambda made: made[0].__hash__,
    "super().__hash__": lambda made: {OwnHash(1): 1},
    "repr": lambda made: repr(made[0]),
    "str": lambda made: str(made[0]),
    "format": lambda made: f"{made[0]}",
    "percent": lambda made: "%a" % made[0],  # noqa: UP031
    "__repr__": lambda made: made[0].__repr__(),
    "__str__": lambda made: made[0].__str__(),
    "object.__str__": lambda made: object.__str__(made[0]),
    "object.__format__": lambda made: object.__format__(made[0], ""),
    "repr of a list": lambda made: repr(made),
    "repr of a method": lambda made: digits(repr(made[0].method)),
    "super().__repr__": lambda made: repr(OwnRepr(1)),
    "message of an exception": lambda made: str(KeyError(made[0])),
    "print": lambda made: print(made[0], file=io.StringIO()),
    "logging": lambda made: __import__("logging").LogRecord("n", 1, "p", 1, "%s", (made[0],), None).getMessage(),
    "a set": lambda made: [*set(made)],
    "a frozenset": lambda made: next(iter(frozenset(made))),
    "repr of a set": lambda made: repr(set(made)),
    "min of a set": lambda made: min(set(made), key=lambda node: 0),
    "a set popped": lambda made: set(made).pop(),
    "a dict of a set": lambda made: dict.fromkeys(set(made)),
    "sets joined": lambda made: list(set(made) | {made[0]}),
    "keys of a dict as a set": lambda made: list(dict.fromkeys(made).keys() & set(made)),
    "a set copied": lambda made: sorted(copy.copy(set(made)), key=lambda node: 0),
    "a weak set": lambda made: list(weakref.WeakSet(made)),
    "a set pickled": lambda made: pickle.dumps({Other(1), Other(2)}),
    "a set by arguments": lambda made: (lambda *rest: rest)(*set(made)),
    "a set unpacked": lambda made: one_of(set(made)),
    "a set extended to a list": lambda made: [].extend(set(made)),
    "a set in an array": lambda made: tuple(set(made)),
    "a context": lambda made: list(context_of(made)),
    "a context by its method": lambda made: next(context_of(made).__iter__()),
    "keys of a context": lambda made: list(context_of(made).keys()),
    "values of a context": lambda made: list(context_of(made).values()),
    "items of a context": lambda made: max(context_of(made).items(), key=lambda item: 0),
    "a dict of a context": lambda made: dict(context_of(made)),
    "a context unpacked": lambda made: one_of(context_of(made)),
}

GARBAGE_LOOKS: dict[str, Callable[[list[Any]], object]] = {
    "collect": lambda made: gc.collect(),
    "get_objects": lambda made: len(gc.get_objects()),
    "get_referrers": lambda made: gc.get_referrers(made[0]),
    "enable": lambda made: gc.enable(),
}

COUNT_LOOKS: dict[str, Callable[[list[Any]], object]] = {
    "get_count": lambda made: gc.get_count(),
    "get_stats": lambda made: gc.get_stats(),
    "is_tracked": lambda made: gc.is_tracked({}),
    "getrefcount": lambda made: sys.getrefcount(made[0]),
    "getsizeof": lambda made: sys.getsizeof(made),
    "getallocatedblocks": lambda made: sys.getallocatedblocks(),
}


def context_of(made: list[Any]) -> contextvars.Context:
    """With new variables: their order follows from their addresses."""
    context = contextvars.Context()
    for value in made:
        context.run(contextvars.ContextVar("v").set, value)
    return context


def one_of(nodes: Iterable[Any]) -> object:
    first, *_ = nodes
    return first


class Other:
    """With a hash of its own that says nothing of the address."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __hash__(self) -> int:
        return self.n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Other) and other.n == self.n

    def __repr__(self) -> str:
        return f"Other({self.n})"


def unnoticed(looks: dict[str, Callable[[list[Any]], object]], promoted: set[str]) -> tuple[list[str], set[str]]:
    """Looks whose execution was not ended by a restart, and what the restarts of the others were for."""
    names = [*looks, "nothing"]  # a choice has two alternatives

    def program() -> object:
        name = names[_bridge.choose(len(names))]
        if name == "nothing":
            return None
        looks[name]([Node(n) for n in range(5)])  # of fewer a set is walked in a chosen order
        return name

    tables = driver.empty_tables() | {"promoted": frozenset(promoted)}
    report = driver.explore(program, fingerprint=True, guard=False, tables=tables)
    restarts = {text.removeprefix("restart: ") for text in report.results if text.startswith("restart: ")}
    missed = report.results - {"None"} - {f"restart: {detail}" for detail in restarts}
    return sorted(missed), restarts


def test_every_look_at_an_address_is_noticed() -> None:
    missed, restarts = unnoticed(LOOKS, set())
    assert missed == ["'__hash__ kept'"]  # a method, not yet called
    assert restarts - {SETS} == {ADDRESSES, ORDERS}  # from 3.13 on a pickled set is seen to be read: it has values


def test_every_look_at_the_order_of_a_set_is_noticed() -> None:
    looks = {name: look for name, look in LOOKS.items() if "set" in name and "hash" not in name}
    assert unnoticed(looks, {ADDRESSES, SETS})[1] == {ORDERS}


def test_every_look_at_garbage_is_noticed() -> None:
    assert unnoticed(GARBAGE_LOOKS, set()) == ([], {GARBAGE})


def test_every_look_at_sizes_and_counts_is_noticed() -> None:
    assert unnoticed(COUNT_LOOKS, set()) == ([], {"observe sizes and counts"})


def test_looking_at_values_is_no_look() -> None:
    def look(made: list[Any]) -> object:
        values = {Other(1): 1, made[0]: 2, (1, "a"): 3}
        hashes = hash(Other(1)), hash((1, Other(2))), Other(1).__hash__()
        return hashes, repr([Other(1)]), repr(1), list(values), made[0] == made[1]

    assert unnoticed({"values": look}, set()) == (["'values'"], set())


# ---- outcomes -----------------------------------------------------------------------------------------------


def stored(look: Callable[[Any], Any], make: Callable[[object], Any] = Node) -> Callable[[], object]:
    """Threads store what they see of their objects; it decides the outcome long after."""

    def program() -> object:
        lock, seen, junk = _thread.allocate_lock(), list[Any](), list[Any]()

        def work(n: int) -> None:
            with lock:
                junk.append(make(n))
            with lock:
                junk.clear()  # also what the other thread has made: that place is free again
            seen.append((look(make(n)), n))

        join(functools.partial(work, 0), functools.partial(work, 1))
        return [n for _, n in sorted(seen)], len({place for place, _ in seen})

    return program


class Flag:
    up = False


def order_of_a_context() -> object:
    """The thread that comes second makes its variables at other places; a context made in the end shows them."""
    lock, flag, made = _thread.allocate_lock(), Flag(), dict[int, list[Any]]()

    def work(n: int) -> None:
        junk = []
        with lock:
            if flag.up:
                junk.append(contextvars.ContextVar("junk"))
            flag.up = True
        made[n] = [contextvars.ContextVar("v") for _ in range(3)]

    join(functools.partial(work, 0), functools.partial(work, 1))
    flag.up = False
    variables = [variable for n in sorted(made) for variable in made[n]]
    context = contextvars.Context()
    for n, variable in enumerate(variables):
        context.run(variable.set, n)
    return [context[variable] for variable in context]


PROGRAMS: dict[str, Callable[[], object]] = {
    "ids stored": stored(id),
    "hashes stored": stored(lambda node: node.__hash__()),
    "hashes of their own stored": stored(hash, OwnHash),
    "reprs stored": stored(repr),
    "order of a context": order_of_a_context,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_outcome_is_lost(name: str) -> None:
    report, promoted = merged(PROGRAMS[name])
    assert report.results == exact(PROGRAMS[name], promoted).results
    assert ADDRESSES in promoted or ORDERS in promoted
    assert report.visited > 0


# ---- what shows an address in its repr --------------------------------------------------------------------


def generator() -> Any:
    yield 1


async def coroutine() -> None:
    pass


async def asynchronous() -> Any:
    yield 1


def cell() -> Any:
    x = object()
    return (lambda: x).__closure__[0]  # type: ignore[index]


def kept_alive(make: Callable[[Any], Any]) -> Any:
    node = Node(1)
    made = make(node)
    return made, node


class Odd:
    property = property(lambda self: 1)


SHOWN: dict[str, Callable[[], Any]] = {
    "object": object,
    "instance": lambda: Node(1),
    "function": lambda: (lambda: 1),
    "builtin method": lambda: [].append,
    "method of an instance": lambda: Node(1).method,
    "method wrapper": lambda: [].__len__,
    "generator": generator,
    "asynchronous generator": asynchronous,
    "code": lambda: compile("x", "f", "exec"),
    "frame": lambda: sys._getframe(),
    "traceback": lambda: next(e.__traceback__ for e in [raised()]),
    "weak reference": lambda: kept_alive(weakref.ref),
    "dead weak reference": lambda: weakref.ref(Node(1)),
    "weak proxy": lambda: object.__repr__(kept_alive(weakref.proxy)[0]),
    "weak method": lambda: weakref.WeakMethod(Node(1).method),
    "lock": _thread.allocate_lock,
    "rlock": threading.RLock,
    "local": threading.local,
    "condition": threading.Condition,
    "event": threading.Event,
    "semaphore": threading.Semaphore,
    "barrier": lambda: threading.Barrier(2),
    "queue": queue.Queue,
    "simple queue": queue.SimpleQueue,
    "cell": cell,
    "memoryview": lambda: memoryview(bytearray(2)),
    "released memoryview": lambda: released(memoryview(bytearray(2))),
    "context variable": lambda: contextvars.ContextVar("v"),
    "token": lambda: contextvars.ContextVar("v").set(1),
    "context": contextvars.Context,
    "iterator": lambda: iter([1]),
    "map": lambda: map(str, [1]),
    "chain": lambda: itertools.chain([1]),
    "count": lambda: itertools.count(1),
    "partial": lambda: functools.partial(lambda: 1),
    "cached": lambda: functools.lru_cache(lambda: 1),
    "string stream": io.StringIO,
    "byte stream": io.BytesIO,
    "text wrapper": lambda: io.TextIOWrapper(io.BytesIO()),
    "pattern": lambda: re.compile("xyz").scanner("x"),
    "match": lambda: re.match("x", "x"),
    "class": lambda: type("T", (), {}),
    "property": lambda: Odd.__dict__["property"],
    "new property": lambda: property(lambda self: 1),
    "static method": lambda: staticmethod(lambda: 1),
    "class method": lambda: classmethod(lambda cls: 1),
    "super": lambda: super(Node, Node(1)),
    "namespace": lambda: types.SimpleNamespace(a=object()),
    "exception": lambda: KeyError(object()),
    "deque": lambda: collections.deque([object()]),
    "defaultdict": lambda: collections.defaultdict(lambda: 1),
    "dict": lambda: {1: object()},
    "keys": lambda: {object(): 1}.keys(),
    "proxy of a dict": lambda: types.MappingProxyType({1: object()}),
    "slice": lambda: slice(object()),
    "module": lambda: types.ModuleType("m"),
    "alias": lambda: list[lambda: 1],  # type: ignore[misc]
    "union": lambda: list[lambda: 1] | None,  # type: ignore[misc]
    "capsule": lambda: __import__("datetime").datetime_CAPI,
    "thread": lambda: threading.Thread(target=print),
    "compressor": lambda: __import__("zlib").compressobj(),
    "digest": lambda: __import__("hashlib").sha256(),
    "random": lambda: __import__("random").Random(1),
    "struct": lambda: __import__("struct").Struct("i"),
    "array iterator": lambda: iter(__import__("array").array("i", [1])),
    "decimal context": lambda: __import__("decimal").Context(),
    "element": lambda: __import__("xml.etree.ElementTree").etree.ElementTree.Element("a"),
    "reader": lambda: __import__("csv").reader([]),
    "connection": lambda: __import__("sqlite3").connect(":memory:"),
}


def raised() -> Exception:
    try:
        raise KeyError
    except KeyError as error:
        return error


def released(view: memoryview) -> memoryview:
    view.release()
    return view


HEAP = range(0x610000000000, 0x710000000000)  # where everything new lies


def test_whatever_shows_an_address_is_noticed() -> None:
    """One execution for each object: its repr is looked through for numbers that are addresses."""
    makers = list(SHOWN.items())

    def program() -> object:
        name, make = makers[_bridge.choose(len(makers))]
        o = make()
        text = repr(o)
        if any(int(number, 16) in HEAP for number in re.findall("0x([0-9a-f]+)", text)):
            return f"{name}: {text}"
        return "fine"

    report = driver.explore(program, fingerprint=True, guard=False)
    assert sorted(report.results - {"'fine'", "restart: observe addresses"}) == []
    assert report.outcomes["restart: observe addresses"] > 25
