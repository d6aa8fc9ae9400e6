"""What generated programs begin with: modules, helpers, and things that exist before any test body runs.

Everything here belongs to the base state of an exploration. `point()` is nothing but a choice point.
"""
# ruff: noqa: F401
# mypy: disable-error-code="no-untyped-def,no-untyped-call,type-arg,attr-defined,misc"

from __future__ import annotations

import _thread
import array
import asyncio
import collections
import contextlib
import contextvars
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import gc
import hashlib
import heapq
import io
import itertools
import json
import operator
import queue
import random
import re
import string
import struct
import sys
import threading
import time
import types
import warnings
import weakref

from pytest_statespace._native._bridge import choose

warnings.simplefilter("ignore")  # a warning reads source files, which is no business of these programs
_gate = threading.Lock()
point = _gate.locked
"""Returns False. A bound method of a lock nobody takes: visible, and it changes nothing."""


def branch():
    """A choice point even for a thread that is alone. Programs may put it in the place of `point`."""
    return choose(2)


a, b = threading.Lock(), threading.Lock()
r = threading.RLock()
ev = threading.Event()
cond = threading.Condition()
sem = threading.Semaphore(1)
sq: queue.SimpleQueue = queue.SimpleQueue()
tl = threading.local()
cv: contextvars.ContextVar[int] = contextvars.ContextVar("cv", default=7)


class Plain:
    """An ordinary class."""


class Other(Plain):
    """Another one, of the same layout."""


class Slots:
    __slots__ = ("x", "y")


@dataclasses.dataclass
class Data:
    x: int = 0
    y: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: int = 0


class Color(enum.Enum):
    RED = 0
    BLUE = 1
    GREEN = 2


Pair = collections.namedtuple("Pair", "x y")


class Text(str):
    """A string with attributes."""


class Number(int):
    """An integer with attributes."""


class Row(tuple):
    """A tuple with attributes."""


class Octets(bytes):
    """A byte string with attributes."""


class Pile(list):
    """A list with attributes."""


class Keyed(list):
    """A list with a field of its own."""

    __slots__ = ("k",)


class Box:
    """A place for things; `t` is what toggles."""

    def __init__(self):
        self.t = 0


box = Box()
some = {1, 2, 3}
"""A set that nobody changes: its order is the same in every execution."""
gone: list = []
"""What finalizers and callbacks leave behind."""


class Final:
    """Tells when it dies."""

    def __init__(self, n):
        self.n = n

    def __del__(self):
        gone.append(self.n)


class Lazarus:
    """Comes back once: whether it did already decides what its death does next time."""

    def __init__(self, n):
        self.n = n

    def __del__(self):
        gone.append(self)
        self.n += 10

    def __repr__(self):
        return f"Lazarus({self.n})"


class Phoenix:
    """Comes back once and is the same as before, but for what its next death does."""

    def __del__(self):
        gone.append(self)

    def __repr__(self):
        return "Phoenix()"


class Meets:
    """Special methods with a choice point inside, each keeping its value where only it can."""

    def __init__(self, n):
        self.n = n

    def __add__(self, other):
        point()
        return self.n + other

    def __eq__(self, other):
        point()
        return self.n == getattr(other, "n", other)

    def __hash__(self):
        return 1

    def __lt__(self, other):
        point()
        return self.n < other.n

    def __getitem__(self, key):
        point()
        return self.n * 10 + key

    def __contains__(self, key):
        point()
        return self.n == key

    def __call__(self, extra):
        point()
        return self.n + extra

    def __enter__(self):
        point()
        return self.n

    def __exit__(self, *_):
        point()

    def __iter__(self):
        yield self.n
        point()
        yield self.n + 1

    def __bool__(self):
        point()
        return bool(self.n)

    def __index__(self):
        point()
        return self.n

    def __format__(self, spec):
        point()
        return str(self.n)

    def __getattr__(self, name):
        if name != "missing":
            raise AttributeError(name)
        point()
        return self.n

    @property
    def prop(self):
        point()
        return self.n

    def method(self, extra=0):
        point()
        return self.n + extra


class DiesSlowly:
    def __init__(self, n):
        self.n = n

    def __del__(self):
        n, self.n = self.n, None
        point()
        gone.append(n)


def then(value):
    """The value, one choice point later."""
    point()
    return value


def early(*values):
    """Yields the values, and passes a choice point after the first."""
    for n, value in enumerate(values):
        if n == 1:
            point()
        yield value


def held(value):
    """A generator that sits on its argument."""
    yield 0
    yield value


async def waits(value):
    """A coroutine that gives way once, and then gives its argument."""
    await _Once()
    return value


class _Once:
    def __await__(self):
        yield


async def gives(value):
    """An asynchronous generator."""
    yield value
    yield 5


def framed(value):
    """The frame of a call that is over."""
    return sys._getframe()


def traced(value):
    """The traceback of an exception that was raised in one of two lines."""
    try:
        if value:
            raiser(1)
        raiser(1)
    except ValueError as error:
        return error.__traceback__


class Kept(threading.local):
    """A local whose part in a thread begins with an argument."""

    def __init__(self, n):
        self.n = n


def kept(value):
    """One that shows the argument in other threads only."""
    made = Kept(value)
    made.n = 0
    return made


def elsewhere(look):
    """What `look()` returns in a thread of its own."""
    got, done = [], _thread.allocate_lock()
    done.acquire()

    def run():
        got.append(look())
        done.release()

    _thread.start_new_thread(run, ())
    done.acquire()
    return got


def advanced(iterator, steps):
    """An iterator, some steps further."""
    for _ in range(steps):
        next(iterator)
    return iterator


def pierced(value):
    """A dictionary with a hole, and an iterator that stands behind it or before it."""
    d = dict.fromkeys("axc" if value else "xac")
    iterator = iter(d)
    next(iterator)
    del d["x"]
    d["y"] = None
    return d, iterator


class Turns:
    """As much of an event loop as futures and tasks need."""

    def __init__(self):
        self.ready = []

    def get_debug(self):
        return False

    def call_soon(self, function, *args, context=None):
        self.ready.append((function, args))

    def call_exception_handler(self, context):
        gone.append(1)

    def turn(self):
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)  # from 3.14 on tasks insist
        try:
            for function, args in self.ready[:1]:
                del self.ready[:1]
                function(*args)
        finally:
            asyncio._set_running_loop(before)

    def shown(self):
        return [getattr(function, "__name__", "") for function, _ in self.ready]


def deep(n):
    """A choice point n frames down."""
    if n:
        return deep(n - 1) + 1
    point()
    return 0


def raiser(value):
    raise ValueError(value)


def named(n):
    """An object that only its address tells from others of the same name."""
    made = Plain()
    made.n = n
    return made


class Wide:
    """Objects of a size that nothing else has: they lie among themselves."""

    __slots__ = ("itself", "n", *(f"unused{i}" for i in range(40)))

    def __init__(self, n):
        self.n = n


def placed(things, value):
    """Add an object, and leave a hole or garbage before it."""
    before = Wide(7)
    things.append(Wide(0))
    if value:
        before.itself = before


def reborn(things):
    """Let the only one of `things` die. What comes back is put into its place."""
    things.clear()
    things.extend(gone[-1:])
    del gone[-1:]


def called(thing, value):
    """Two weak references to a thing. Which of them was made first, and so is called last, is the value's choice."""
    made = {}
    for n in (1, 0) if value else (0, 1):
        made[n] = weakref.ref(thing, lambda _, n=n: gone.append(n))
    return made[0], made[1]


def forgotten(thing, value):
    """A weak reference that is garbage, and calls back all the same."""
    cycle = [weakref.ref(thing, lambda _: gone.append(value))]
    cycle.append(cycle)


def noted(log, x):
    log.append(x)


def noted_twice(log, x):
    log.extend([x, x])


def nap(log, value):
    """Let another thread sleep for two seconds, from now on or from in one second on. It sleeps when this returns."""

    def other():
        time.sleep(2)
        log.append("rested")

    if value:
        time.sleep(1)
    _thread.start_new_thread(other, ())
    if not value:
        time.sleep(1)
    time.sleep(0.5)


def forgets(value):
    """Yields the value, which nobody but the caller knows from then on, and passes a choice point."""
    values = [value]
    del value
    yield values.pop()
    point()
    yield 2


def litter(n):
    """Garbage that tells when it is collected."""
    cycle = [Final(n)]
    cycle.append(cycle)


def take(things):
    """Remove and return the last, or None."""
    return things.pop() if things else None


def shown(look):
    """The repr of what `look()` returns, or the exception it raises."""
    try:
        return repr(look())
    except BaseException as error:
        return f"{type(error).__name__}: {error}"


def drained(iterator, most=6):
    """What an iterator still has to give: a few elements, and how it ends."""
    got = []
    try:
        for _ in range(most):
            got.append(next(iterator))
    except BaseException as error:
        got.append(f"{type(error).__name__}: {error}")
    return got


def together(*bodies):
    """Run all but the first body in raw threads and the first here; wait for all."""
    locks = [_thread.allocate_lock() for _ in bodies[1:]]

    def run(body, lock):
        body()
        lock.release()

    for body, lock in zip(bodies[1:], locks, strict=True):
        lock.acquire()
        _thread.start_new_thread(run, (body, lock))
    bodies[0]()
    for lock in locks:
        lock.acquire()


def as_threads(*bodies):
    """Run all but the first body as Thread objects and the first here; join all."""
    threads = [threading.Thread(target=body) for body in bodies[1:]]
    for thread in threads:
        thread.start()
    bodies[0]()
    for thread in threads:
        thread.join()
