"""Objects that existed before the exploration."""

from __future__ import annotations

import _thread
import array
import collections
import hashlib
import io
import itertools
import os
import random
import signal
import sqlite3
import sys
import threading
import warnings
import weakref
import zlib
from collections.abc import Callable, Iterator

from pairs import Pair, different, quietly, same


class Base:
    value = 0


class Later:
    pass


class Slotted:
    __slots__ = ("x",)


class SlottedToo:
    __slots__ = ("x",)


class Marked(tuple[int, ...]):
    note: object


class Returning:
    """Comes back when it dies, once."""

    def __del__(self) -> None:
        RETURNED.append(self)


def numbers() -> Iterator[int]:
    yield from range(3)


def function(a: int = 1) -> int:
    return a


LIST = [1, 2]
NESTED = {"a": [[1], [2]]}
DICT = {"a": 1}
SET = {"a"}
OBJECTS = {Base(), Base()}
INSTANCE = Base()
INSTANCE.x = 1  # type: ignore[attr-defined]
SLOTTED = Slotted()
MARKED = Marked((1,))
RANDOM = random.Random(5)
STREAM = io.StringIO()
COUNT = itertools.count(1)
DEQUE = collections.deque([1])
ARRAY = array.array("i", [1, 2])
LOCK = _thread.allocate_lock()
RLOCK = _thread.RLock()
BYTES = bytearray(b"abc")
WEAK: weakref.WeakSet[Base] = weakref.WeakSet()
LOCAL = threading.local()
ORDERED = collections.OrderedDict(a=1, b=2)
GENERATOR = numbers()
COMPRESSOR = zlib.compressobj()
HASH = hashlib.md5()
ITERATOR = iter([1, 2, 3])
RETURNED: list[Returning] = []
RETURNING = [Returning()]
REFERRED = Base()
REFERENCE = weakref.ref(REFERRED)
DATABASE = sqlite3.connect(":memory:", check_same_thread=False)
DATABASE.execute("create table t (a)")
DATABASE.execute("insert into t values (1)")
DATABASE.commit()


def changed(name: str, step: Callable[[], object]) -> Pair:
    return different(name, lambda: None, lambda: quietly(step))


def restored(name: str, step: Callable[[], object]) -> Pair:
    return same(name, lambda: None, lambda: quietly(step))


def set_value(value: int) -> None:
    Base.value = value


def die_and_return() -> None:
    RETURNING.clear()
    RETURNING.append(RETURNED.pop())


def called_back(*order: int) -> object:
    """The same two references, made in some order: the one made last is called first."""
    made = {n: weakref.ref(REFERRED, (max, min)[n]) for n in order}
    return made[0], made[1]


PAIRS: list[Pair] = [
    different("class attribute", lambda: set_value(1), lambda: set_value(2)),
    restored("class attribute", lambda: (set_value(1), set_value(0))),
    restored("list", lambda: (LIST.append(3), LIST.pop())),
    restored("list grown and cut", lambda: (LIST.extend(range(1000)), LIST.__delitem__(slice(2, None)))),
    changed("list", lambda: LIST.append(3)),
    changed("nested list", lambda: NESTED["a"][1].append(3)),
    restored("dict", lambda: (DICT.__setitem__("b", 1), DICT.pop("b"))),
    changed("dict", lambda: DICT.__setitem__("a", 2)),
    different(
        "dict order",
        lambda: quietly(lambda: DICT.__setitem__("b", 1)),
        lambda: quietly(lambda: (DICT.pop("a"), DICT.__setitem__("b", 1), DICT.__setitem__("a", 1))),
    ),
    changed("set", lambda: SET.add("b")),
    restored("set", lambda: (SET.add("b"), SET.discard("b"))),
    changed("set of objects", lambda: OBJECTS.add(Base())),
    restored("set of objects", lambda: (lambda o: (OBJECTS.add(o), OBJECTS.discard(o)))(Base())),
    changed("attribute", lambda: setattr(INSTANCE, "x", 2)),
    restored("attribute", lambda: (setattr(INSTANCE, "x", 2), setattr(INSTANCE, "x", 1))),
    changed("new attribute", lambda: setattr(INSTANCE, "zz", 2)),
    changed("class of an object", lambda: setattr(INSTANCE, "__class__", Later)),
    changed("class of a slotted object", lambda: setattr(SLOTTED, "__class__", SlottedToo)),
    changed("slot", lambda: setattr(SLOTTED, "x", 1)),
    changed("attribute of tuple subclass", lambda: setattr(MARKED, "note", 1)),
    changed("Random", RANDOM.random),
    changed("StringIO", lambda: STREAM.write("x")),
    changed("count", lambda: next(COUNT)),
    changed("deque", lambda: DEQUE.append(1)),
    restored("deque", lambda: (DEQUE.append(1), DEQUE.pop())),
    changed("array", lambda: ARRAY.__setitem__(0, 5)),
    changed("lock", lambda: LOCK.acquire(False)),
    restored("lock", lambda: (LOCK.acquire(False), LOCK.release())),
    changed("RLock", lambda: RLOCK.acquire(False)),
    changed("bytearray", lambda: BYTES.__setitem__(0, 5)),
    changed("WeakSet", lambda: WEAK.add(INSTANCE)),
    changed("thread local", lambda: setattr(LOCAL, "x", 2)),
    changed("OrderedDict", lambda: ORDERED.move_to_end("a")),
    changed("generator", lambda: next(GENERATOR)),
    changed("compressor", lambda: COMPRESSOR.compress(b"abcdef" * 50)),
    changed("hash object", lambda: HASH.update(b"x")),
    changed("list iterator", lambda: next(ITERATOR)),
    changed("function default", lambda: setattr(function, "__defaults__", (2,))),
    changed("function attribute", lambda: setattr(function, "mark", 2)),
    changed("function code", lambda: setattr(function, "__code__", (lambda a=2: a + 1).__code__)),
    changed("subclass", lambda: (lambda kept: setattr(Later, "kept", kept))(type("Sub", (Base,), {}))),
    changed("whether it was finalized", die_and_return),
    different("order of callbacks", lambda: called_back(0, 1), lambda: called_back(1, 0)),
    changed("import", lambda: __import__("colorsys")),
    changed("recursion limit", lambda: sys.setrecursionlimit(500)),
    changed("environment", lambda: os.environ.__setitem__("zz", "1")),
    changed("signal handler", lambda: signal.signal(signal.SIGUSR1, lambda *_: None)),
    changed("warning filter", lambda: warnings.simplefilter("error")),
    changed("excepthook", lambda: setattr(sys, "excepthook", print)),
    changed("database", lambda: DATABASE.execute("insert into t values (2)")),
    changed("switch interval", lambda: sys.setswitchinterval(0.25)),
    changed("stack size", lambda: threading.stack_size(1 << 17)),
    changed("digits of int", lambda: sys.set_int_max_str_digits(1000)),
]
